"""Models of our own behind the assistant: one that was taught an answer, and ones that write nonsense."""

import json
from contextlib import closing

import pytest
import torch

from hubbub.assistant import answer
from hubbub.assistant.gguf import open_gguf
from hubbub.errors import ModelError, PromptTooLong
from hubbub.model.gguf_file import export_gguf
from hubbub.model.hf import save_hf
from hubbub.model.llama import IGNORED, Llama
from hubbub.model.tokens import Tokens
from tests.assistant.conftest import open_world as open_world
from tests.assistant.world import NOW_US, post
from tests.corpus.made import tokenizer
from tests.model.made import directory, shape, tokenizer_dir

CLOSED = [
    post("Police closed the old bridge in Alder at noon.", name, minute=50) for name in ("courier", "mayor")
]
QUESTION = "Is the old bridge in Alder closed?"
REPLY = json.dumps(
    {"sentences": [{"evidence": [1], "text": "Police closed the old bridge in Alder at noon."}]}
)


class Listener:
    """Keeps what it was asked, and has nothing to say."""

    name, is_small = "listener", True

    def stream(self, messages, schema):
        self.asked = messages
        raise ModelError("nothing to say")


def taught(path, messages, reply, **changes):
    """Overfit a small model on one reply and export it."""
    torch.manual_seed(0)
    size = shape(vocab=tokenizer().vocab_size, hidden=64, num_heads=4, head_dim=16, **changes)
    model, tokens = Llama(size), Tokens(tokenizer_dir())
    prompt = tokens.encode_chat(messages)
    ids = torch.tensor([[*prompt, *tokens.encode(reply, with_begin=False), tokens.turn_end]])
    targets = ids.roll(-1, 1)
    targets[0, : len(prompt) - 1] = targets[0, -1] = IGNORED
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-3)
    for _ in range(60):
        loss = model(ids, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    assert loss.item() < 0.05
    save_hf(path / "m", size, model.state_dict(), tokenizer_dir())
    export_gguf(path / "m", path / "taught.gguf", "Q8_0")
    return path / "taught.gguf"


def test_a_model_that_was_taught_the_answer_gives_it(tmp_path, open_world):
    world, listener = open_world(*CLOSED), Listener()
    assert answer(world.index, QUESTION, clock_us=NOW_US, model=listener).report.writer == "quotes"
    path = taught(tmp_path, listener.asked, REPLY, seq=1024)
    with closing(open_gguf(path, num_threads=1)) as model:
        done = answer(world.index, QUESTION, clock_us=NOW_US, model=model)
    assert done.report.writer == "taught"
    cited = {citation.quote for sentence in done.sentences for citation in sentence.citations}
    assert "Police closed the old bridge in Alder at noon." in cited


@pytest.mark.parametrize("seq", [32, 256, 1024])
def test_nonsense_still_ends_in_a_quoted_answer(tmp_path, open_world, seq):
    directory(tmp_path / "m", seq=seq)
    export_gguf(tmp_path / "m", tmp_path / "m.gguf", "Q8_0")
    crowd = [post(f"The old bridge in Alder: number {n} of {n + 30} vans waits.", minute=n) for n in range(9)]
    with closing(open_gguf(tmp_path / "m.gguf", num_threads=1)) as model:
        done = answer(open_world(*CLOSED, *crowd).index, QUESTION, clock_us=NOW_US, model=model)
    assert done.report.writer == "quotes" and done.outcome == "answered"
    assert any(CLOSED[0].text == each.quote for each in done.sentences[0].citations)


def test_a_prompt_that_leaves_no_room_is_refused_before_it_is_sent(tmp_path):
    directory(tmp_path / "m", seq=128)
    export_gguf(tmp_path / "m", tmp_path / "m.gguf", "F32")
    with closing(open_gguf(tmp_path / "m.gguf", num_threads=1)) as model:
        assert model.is_small
        with pytest.raises(PromptTooLong, match="reads 128 tokens at once"):
            list(model.stream([{"role": "user", "content": "river " * 100}], {"type": "object"}))
        assert list(model.stream([{"role": "user", "content": "river"}], {"type": "null"}))
