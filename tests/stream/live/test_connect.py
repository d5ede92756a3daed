"""The commands of README's "Connect it", each followed from the fake of its platform."""

import re
import shlex
from pathlib import Path

import pytest

from hubbub.cli.main import run
from hubbub.stream.live import open_live
from tests.platforms.jetstream import FakeJetstream
from tests.platforms.mastodon import FakeMastodon
from tests.platforms.x import FakeX
from tests.stream.live.following import following

README = (Path(__file__).parents[3] / "README.md").read_text()
BLOCK = re.search(r"## Connect it.*?```sh\n(.*?)```", README, re.DOTALL)[1]
LINES = [line for line in BLOCK.splitlines() if line and not line.startswith("#")]


def command_for(word, monkeypatch):
    """Return what a line follows; its environment is set."""
    (line,) = [line for line in LINES if word in line]
    words = shlex.split(line)
    while "=" in words[0]:
        monkeypatch.setenv(*words.pop(0).split("=", 1))
    assert words[:2] == ["hubbub", "follow"]
    (name,) = words[2:]
    return name


def test_bluesky(tmp_path, monkeypatch):
    assert open_live(command_for("bluesky", monkeypatch), tmp_path).name == "bluesky"
    with FakeJetstream() as fake, following(tmp_path, fake.url) as followed:
        followed.wait(lambda: followed.counts.vitals.num_connections)
        fake.post("did:plc:noor", "k", "the ferry is late")
        followed.wait_for(1)


def test_mastodon(tmp_path, monkeypatch):
    name = command_for("mastodon", monkeypatch)
    open_live(name, tmp_path)
    with FakeMastodon() as fake:
        local = name.replace("mastodon://your.server", f"mastodon+http://127.0.0.1:{fake.port}")
        with following(tmp_path, local) as followed:
            followed.wait(lambda: followed.counts.vitals.state == "live" and fake.num_streams)
            fake.post("noor", "the ferry is late")
            followed.wait(lambda: followed.texts() == ["the ferry is late"])
    assert {peer.request.headers["authorization"] for peer in fake.asked} == {"Bearer ..."}


def test_x(tmp_path, monkeypatch):
    name = command_for("x://", monkeypatch)
    open_live(name, tmp_path)
    with FakeX() as fake:
        local = name.replace("x://", f"x+http://127.0.0.1:{fake.port}")
        with following(tmp_path, local) as followed:
            followed.wait(lambda: fake.num_streams)
            fake.post("1", "the ferry is late")
            followed.wait_for(1)
        assert "ferry lang:en" in [rule["value"] for rule in fake.rules.values()]
    assert {peer.request.headers["authorization"] for peer in fake.asked} == {"Bearer ..."}


@pytest.mark.parametrize("verb", ["follow", "serve", "status"])
def test_the_words_around_it_are_those_of_the_help(verb, capsys):
    assert run([verb, "--help"]) == 0
    help_text = capsys.readouterr().out
    wanted = {"follow": "bluesky", "serve": "--follow SOURCE", "status": "lag of the platform and our own"}
    assert wanted[verb] in " ".join(help_text.split())
