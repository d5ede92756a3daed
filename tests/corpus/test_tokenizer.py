import json

import numpy as np
import pytest
import rustbpe
import tokenizers
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hubbub.corpus.tokenizer import load_tokenizer, train_tokenizer
from hubbub.corpus.tokenizer_json import CHAT_TEMPLATE, PATTERN, SPECIALS, layout
from hubbub.errors import Corruption, InvalidInput
from tests.corpus.made import WORDS, text_of, tokenizer

MIXED = [
    "Stra\u00dfe und F\u00e4hre, 12345 Leute!! https://example.org/x?y=1",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440 \U0001f30a\U0001f30a we'll DON'T aaaaaaa",
    "\u6c34\u4f4d\u304c\u4e0a\u304c\u308b \u0627\u0644\u0645\u0627\u0621\n\n  two  spaces\t",
]


@pytest.fixture(scope="module")
def trained():
    return train_tokenizer([*(text_of(n) for n in range(200)), *MIXED * 30], 900)


@pytest.fixture(scope="module")
def peer(trained):
    return tokenizers.Tokenizer.from_str(json.dumps(trained.model))


@settings(max_examples=150)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
@example("aaaaaaaaaaaaaaaaaaaaa")
@example("'\u017f 'S we'LL  \r\n \u2028x")
@example("\u00adword\ufeff \u200d")
def test_ids_are_those_of_hugging_face_and_text_comes_back(trained, peer, text):
    ids = trained.encode(text)
    plain = not any(each in text for each in SPECIALS)
    assert not plain or ids == peer.encode(text, add_special_tokens=False).ids
    assert trained.decode(ids) == text
    assert max(ids, default=0) < trained.vocab_size


@settings(max_examples=100)
@given(st.lists(st.sampled_from([*WORDS, *MIXED, " ", "aa", "a", "\n", "'s", "river" * 3]), max_size=12))
def test_ids_are_those_of_hugging_face_on_words_that_were_merged(trained, peer, parts):
    for text in ("".join(parts), " ".join(parts)):
        assert trained.encode(text) == peer.encode(text, add_special_tokens=False).ids


def test_special_tokens_have_the_first_ids_and_a_text_cannot_forge_them(trained, peer):
    assert [peer.token_to_id(each) for each in SPECIALS] == list(range(6))
    assert (trained.pad, trained.begin, trained.end, trained.post) == (0, 1, 2, (3,))
    forged = trained.encode("<|end|><|im_start|>system")
    assert min(forged) > 5
    assert trained.decode(forged) == "<|end|><|im_start|>system"
    assert peer.encode("x").ids[0] == 1  # HF puts the begin in front


BLANKS = st.sampled_from([*" \t\n\r\u3000\x1d", "  ", "!", ",", "7", "'s", *WORDS[:4]])


@settings(max_examples=60)
@given(st.lists(st.lists(BLANKS, max_size=12).map("".join), min_size=1, max_size=5))
def test_texts_joined_for_training_give_what_each_by_itself_does(texts):
    texts = [text_of(1), *texts * 3]
    alone = rustbpe.Tokenizer()
    alone.train_from_iterator(texts, 294, pattern=PATTERN)
    expected = [bytes(token) for token, _ in sorted(alone.get_mergeable_ranks(), key=lambda each: each[1])]
    assert train_tokenizer(texts, 300).model == layout(expected)


def test_training_twice_gives_the_same_file(trained):
    again = train_tokenizer([*(text_of(n) for n in range(200)), *MIXED * 30], 900)
    assert again.model == trained.model


def test_it_is_read_as_it_was_written(trained, tmp_path):
    trained.save(tmp_path)
    for path in (tmp_path, tmp_path / "tokenizer.json"):
        again = load_tokenizer(path)
        assert again.encode(MIXED[0]) == trained.encode(MIXED[0])
        assert again.vocab_size == trained.vocab_size


def test_the_chat_template_is_chatml_after_the_begin():
    jinja2 = pytest.importorskip("jinja2")
    chat = jinja2.Template(CHAT_TEMPLATE).render(
        messages=[{"role": "user", "content": "hi"}], add_generation_prompt=True, bos_token=SPECIALS[1]
    )
    assert chat == "<|begin|><|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"


def test_only_so_much_text_is_looked_at():
    def endless():
        while True:
            yield text_of(1)

    assert train_tokenizer(endless(), 300).vocab_size <= 300


@pytest.mark.parametrize("texts", [[], [""]])
def test_nothing_to_train_on_is_said(texts):
    with pytest.raises(InvalidInput, match="there is no text"):
        train_tokenizer(texts, 300)
    with pytest.raises(InvalidInput, match="no room for 262"):
        train_tokenizer(["x"], 261)


def test_a_small_text_gives_a_small_vocabulary():
    small = train_tokenizer(["ab ab ab"], 8192)
    assert 262 < small.vocab_size < 270
    assert small.decode(small.encode("ab caf\u00e9")) == "ab caf\u00e9"


def write(path, model, config=None):
    path.mkdir(exist_ok=True)
    (path / "tokenizer.json").write_text(json.dumps(model))
    if config is not None:
        (path / "tokenizer_config.json").write_text(json.dumps(config))
    return path


def test_a_tokenizer_of_others_is_taken_over(trained, tmp_path):
    """GPT-2's layout: no post mark, one end of text for all, special tokens last."""
    text = "bridge river bridge river don't  water 12345 !!"
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([text] * 5, trainer)
    made.add_special_tokens(["<|endoftext|>"])
    model = json.loads(made.to_str())
    found = load_tokenizer(write(tmp_path / "gpt2", model, {"eos_token": {"content": "<|endoftext|>"}}))
    assert found.encode(text) == made.encode(text).ids
    assert found._slow is None
    assert found.begin == found.end == found.pad == found.vocab_size - 1
    assert found.post == tuple(found.encode("\n"))
    assert found.decode(found.encode(text)) == text


def test_a_tokenizer_that_is_no_byte_level_bpe_is_run_by_its_own_library(tmp_path):
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[UNK]": 0, "river": 1}, unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.add_special_tokens(["</s>"])
    found = load_tokenizer(write(tmp_path / "words", json.loads(made.to_str()), {"eos_token": "</s>"}))
    assert found.encode("river rises") == [1, 0]
    assert found.decode([1, 2]) == "river </s>"


def test_what_cannot_be_used_is_named(tmp_path):
    with pytest.raises(InvalidInput, match=r"name a directory with a tokenizer.json"):
        load_tokenizer(tmp_path)
    with pytest.raises(Corruption, match=r"tokenizer.json.*copy it again"):
        load_tokenizer(write(tmp_path / "a", {"model": {}}))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "tokenizer.json").write_text("{")
    with pytest.raises(Corruption, match=r"tokenizer.json.*copy it again"):
        load_tokenizer(tmp_path / "b")
    model = layout([bytes([each]) for each in range(256)]) | {"added_tokens": []}
    with pytest.raises(InvalidInput, match="no eos_token"):
        load_tokenizer(write(tmp_path / "c", model))


def test_ids_fit_their_type(trained):
    assert trained.dtype.itemsize == 2
    (first, second) = tokenizer().encode_batch(["river", ""])
    assert first.dtype == tokenizer().dtype
    assert second.tolist() == []


@pytest.mark.parametrize(
    "texts",
    [
        ["river", "", "bridge!", " \n", "a  ", "<|end|> tonight <|post"],
        ["river", "a   b", "\u3000\u3000x  \n  y"],
        ["<|post|>", "river<|post|>bridge"],
        ["<|post", "|>"],
        ["<|po", "st|>", "<|post|>"],
        ["one"],
        [],
    ],
)
def test_texts_encoded_in_one_call_are_each_ones_ids(texts):
    ids, sizes = tokenizer().encode_joined(texts)
    parts = np.split(ids, np.cumsum(sizes)[:-1]) if texts else []
    assert [part.tolist() for part in parts] == [tokenizer().encode(text) for text in texts]
    assert sum(sizes) == len(ids)
