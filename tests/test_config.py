"""Settings: a file, then the environment, then flags; mistakes name what, where and which value."""

import msgspec
import pytest

from hubbub.config import Config, read_config
from hubbub.errors import InvalidInput


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for field in msgspec.structs.fields(Config):
        monkeypatch.delenv(f"HUBBUB_{field.name.upper()}", raising=False)


def test_the_later_one_wins(tmp_path, monkeypatch):
    (tmp_path / "hubbub.toml").write_text('port = 1\nflush_ms = 2\nerase_s = 3\nmodel = "file"')
    monkeypatch.setenv("HUBBUB_DATA", str(tmp_path))
    monkeypatch.setenv("HUBBUB_FLUSH_MS", "20")
    monkeypatch.setenv("HUBBUB_ERASE_S", "30")
    config = read_config({"erase_s": 300, "index": None})
    assert (config.port, config.flush_ms, config.erase_s, config.model) == (1, 20, 300, "file")
    assert config.index == Config().index


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prot = 1", r"prot.*hubbub.toml"),
        ('port = "many"', r"port = 'many'.*hubbub.toml"),
        ("port = = 1", r"hubbub.toml.*not TOML"),
    ],
)
def test_a_mistake_in_the_file_is_named(text, says, tmp_path):
    (tmp_path / "hubbub.toml").write_text(text)
    with pytest.raises(InvalidInput, match=says):
        read_config({"data": str(tmp_path)})


def test_a_mistake_in_the_environment_is_named(monkeypatch):
    monkeypatch.setenv("HUBBUB_FLUSH_MS", "soon")
    with pytest.raises(InvalidInput, match="HUBBUB_FLUSH_MS"):
        read_config()
