import json

import pytest

from hubbub.cli.main import run
from tests.model.made import directory


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return directory(tmp_path_factory.mktemp("made") / "m")


def told(capsys, *arguments, code=0):
    assert run(["model", *map(str, arguments)]) == code
    return capsys.readouterr()


def test_show_export_and_generate(capsys, tmp_path, model):
    shown = json.loads(told(capsys, "show", model, "--json").out)
    assert (shown["vocabulary"], shown["ends with"], shown["context in tokens"]) == (512, [2, 5], 128)
    assert "weights" in told(capsys, "show", model).out
    out = json.loads(told(capsys, "export", model, tmp_path / "m.gguf", "--kind", "BF16", "--json").out)
    assert out["bytes"] == (tmp_path / "m.gguf").stat().st_size
    told(capsys, "export", model, tmp_path / "low", "--dtype", "bf16")
    assert json.loads((tmp_path / "low" / "config.json").read_bytes())["dtype"] == "bfloat16"
    how = ("the", "river", "--max-tokens", "9", "--seed", "3")
    first = json.loads(told(capsys, "generate", model, *how, "--json").out)
    assert first["prompt"] == "the river" and 0 < len(first["ids"]) <= 9
    assert json.loads(told(capsys, "generate", model, *how, "--json").out) == first
    streamed = told(capsys, "generate", model, *how).out
    assert not any(ord(each) < 32 and each not in "\n\t" for each in streamed)
    assert json.loads(told(capsys, "generate", model, "--chat", *how, "--json").out)["ids"]


def test_check_leaves_with_1_when_something_differs(capsys, tmp_path, model):
    told(capsys, "export", model, tmp_path / "m.gguf", "--kind", "F32")
    lines = tmp_path / "lines.txt"
    lines.write_text("the river rises\n\nthe bridge is closed\n")
    same = json.loads(told(capsys, "check", model, tmp_path / "m.gguf", "--text", lines, "--json").out)
    assert same["is_equal"]
    assert same["comparisons"][0]["unit"] == "of 3 texts"  # two lines and a chat
    other = directory(tmp_path / "other", rope_theta=300.0)
    found = told(capsys, "check", other, tmp_path / "m.gguf", "--text", lines, code=1)
    assert "DIFFERS  log-probabilities: torch = llama.cpp F32" in found.out
    assert "equal    ids: tokenizers = llama.cpp" in found.out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("show", "nowhere"), 2, "neither a run"),
        (("export", "{model}", "{tmp}/m.bin.gguf", "--kind", "Q4"), 2, "Q4"),
        (("check", "{model}", "{tmp}/none.gguf"), 2, "hubbub model export"),
        (("generate", "{model}", "word " * 200), 2, "shorten it"),
        (("generate", "{model}"), 2, "PROMPT"),
    ],
)
def test_misuse_is_told(capsys, tmp_path, model, arguments, code, says):
    arguments = [each.format(model=model, tmp=tmp_path) for each in arguments]
    assert says in told(capsys, *arguments, code=code).err
