"""Blanks of new names: only those that no training text holds, and a model that knows them chooses right."""

import numpy as np
import torch
from torch import nn

from hubbub.train.cloze import POST, Blank, blanks, fill_in
from tests.corpus.made import tokenizer

HELD = [
    f"the old mill by {name} was flooded and people of {name} left number {n}"
    for name in ("Ostrava", "Pelham", "Quindor", "Rastow", "Selmark", "Tavira", "Umbrel", "Vantor", "Wexley",
                 "Yarrow", "Zelten", "Altkai")
    for n in range(3)
]  # fmt: skip
TRAIN = ["the bridge in Altkai is closed", "water rises at yarrow tonight"]


def test_known_names_and_names_that_come_up_once_are_no_blanks():
    asked = blanks(TRAIN, [*HELD, "once there was Morpeth in a post"])
    names = {blank.choices[0] for blank in asked}
    assert names == {name for text in HELD for name in text.split() if name[0].isupper()} - {
        "Yarrow",
        "Altkai",
    }
    for blank in asked:
        assert len(set(blank.choices)) == 10
        assert blank.before + blank.choices[0] + blank.after in HELD
        assert not any(other in blank.before + blank.after for other in blank.choices[1:])


def test_the_first_word_of_a_sentence_is_no_name():
    assert blanks([], [f"it rained. Sunday was dry {n}" for n in range(5)]) == []


class Knows(nn.Module):
    """Predicts a token well where the text so far has held it: within one post names come up again."""

    def __init__(self, vocab, gain):
        super().__init__()
        self.vocab, self.gain = vocab, nn.Parameter(torch.tensor(gain))
        self.shape = type("Shape", (), {"vocab": vocab})

    def forward(self, ids):
        seen = torch.nn.functional.one_hot(ids, self.vocab).cumsum(1).clamp(max=1)
        return seen * self.gain


def test_a_model_that_reads_what_stands_there_chooses_right_and_one_that_does_not_guesses():
    asked = blanks(TRAIN, HELD)
    knowing = fill_in(Knows(tokenizer().vocab_size, 5.0), tokenizer(), asked, seq=128)
    assert knowing.aided == knowing.accuracy and knowing.num_aided == len(asked) and knowing.unaided == 0
    assert knowing.accuracy > 0.6 and knowing.num_blanks == len(asked) and knowing.num_names == 10
    rng = np.random.default_rng(0)
    shuffled = [
        type(blank)(before="", after="", choices=tuple(rng.permutation(blank.choices))) for blank in asked
    ]
    assert fill_in(Knows(tokenizer().vocab_size, 5.0), tokenizer(), shuffled, seq=128).accuracy < 0.4


def test_posts_of_a_text_are_read_as_they_were_trained():
    rows = []

    class Listens(Knows):
        def forward(self, ids):
            rows.append(ids.tolist())
            return super().forward(ids)

    blank = Blank(before=f"a mill{POST}in ", after=" now", choices=("Ostrava", "Pelham"))
    fill_in(Listens(tokenizer().vocab_size, 5.0), tokenizer(), [blank], seq=128)
    read = tokenizer().decode(max((row for batch in rows for row in batch), key=len))
    assert "<|begin|><|post|>a mill<|post|>in Ostrava" in read.replace("<|pad|>", "")
