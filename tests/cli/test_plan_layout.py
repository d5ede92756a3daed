"""`hubbub plan layout` as a person uses it: a table, JSON, and one clear line when it cannot be."""

from __future__ import annotations

import json

import pytest

from hubbub.cli.main import run
from hubbub.cli.plan_options import parse_batch
from hubbub.errors import InvalidInput

ASKED = ["plan", "layout", "--model", "llama3-8b", "--cluster", "h100"]


def test_table_and_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*ASKED, "--gpus", "16", "--batch", "256k", "--top", "2"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].split()[:2] == ["layout", "step"]
    assert lines[3:5] == ["", "short of memory, the fastest"]
    assert "  1 TP 16 leaves the NVLink domain of 8" in lines
    assert any(" do not fit: activations of the first stage" in line for line in lines)
    assert "llama3-8b on 16 h100, bf16, batch 32 x 8,192 tokens" in err


def test_json_holds_layouts_that_can_be_read_back(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*ASKED, "--gpus", "16", "--batch", "32", "--tp", "4", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {each["layout"]["tp"] for each in told["ranked"]} == {4}
    assert told["run"]["layout"] == told["ranked"][0]["layout"]
    assert told["num_tried"] == told["num_fit"] + sum(
        each["count"] for each in told["refused"] if each["reason"].startswith("do not fit")
    )


def test_nothing_fits_one_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*ASKED, "--gpus", "1"]) == 1
    out, err = capsys.readouterr()
    assert "short of memory, the nearest" in out
    assert "nothing fits" in err


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["--gpus", "0"], "num_gpus is 0"),
        (["--gpus", "8", "--tp", "3"], "tp is 3; no legal layout has it, the nearest that one has is 2"),
        (["--gpus", "8", "--batch", "many"], "batch is 'many'; write sequences"),
        (["--gpus", "8", "--precision", "fp7"], "precision 'fp7' is not known; the nearest is"),
        (["--gpus", "8", "--model", "lama3-8b"], "model 'lama3-8b' is not known; the nearest is 'llama3-8b'"),
    ],
)
def test_what_cannot_be_is_one_line(wrong: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*ASKED, *wrong]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err
    assert len(err.strip().splitlines()) == 1


def test_batches_are_sequences_or_tokens() -> None:
    assert parse_batch(None, 4096) == 0
    assert parse_batch("1536", 2048) == 1536
    assert parse_batch("16M", 8192) == 2048, "Llama 3 405B (arXiv 2407.21783, table 4)"
    assert parse_batch("256k", 8192) == 32
    for wrong in ("0", "1.5", "-3", "4k", "16B", "x"):
        with pytest.raises(InvalidInput, match="batch is"):
            parse_batch(wrong, 16384)
