"""`hubbub trends` on the invented flood night."""

import json

import pytest

from hubbub.cli.main import run
from hubbub.sample import sample_path


@pytest.fixture(scope="module")
def flood(tmp_path_factory):
    data = tmp_path_factory.mktemp("flood") / "data"
    assert run(["follow", str(sample_path()), "--replay", "--data", str(data)]) == 0
    return str(data)


def test_it_tells_what_rose_in_that_night(flood, capsys):
    assert run(["trends", "--data", flood, "--json"]) == 0
    stories = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "dam" in stories[0]["terms"]
    texts = {}
    for line in sample_path().read_bytes().splitlines():
        event = json.loads(line)
        post = event.get("post", event)
        texts.setdefault(post.get("id"), []).append(post.get("text", ""))
    for story in stories:
        head = story["headline"]
        assert any(text[head["start"] : head["end"]] == head["quote"] for text in texts[head["post"]])
        assert story["num_voices"] >= 5
    assert run(["trends", "--data", flood]) == 0
    assert f"dam: {stories[0]['num_voices']} voices" in capsys.readouterr().out


def test_before_the_night_nothing_rises(flood, capsys):
    assert run(["trends", "--data", flood, "--at", "2026-03-14T06:00:00Z"]) == 0
    printed = capsys.readouterr()
    assert (printed.out, printed.err.strip()) == ("", "nothing is rising")


@pytest.mark.parametrize(
    "flags", [["--hours", "0"], ["--hours", "49"], ["--limit", "0"], ["--at", "teatime"]]
)
def test_misuse(flood, flags):
    assert run(["trends", "--data", flood, *flags]) == 2
