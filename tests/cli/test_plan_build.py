import json
import re
from pathlib import Path

import pytest

from hubbub.cli.main import run

SMALL = """
name = "small"
model = "llama3-8b"
tokens = 1e12
gpu = "h100"
region = "us-tn"
deadline = 2024-06-01
notes = ["invented"]
[[plans]]
name = "rent"
[[plans.phases]]
date = 2024-01-01
gpus = 512
how = "rent"
[[plans]]
name = "build"
[[plans.phases]]
date = 2024-03-01
gpus = 1024
how = "own"
[[plans.power]]
kind = "grid"
mw = 1.0
date = 2024-03-01
"""


@pytest.fixture
def scenario(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


def test_every_plan_is_told_with_its_band(scenario, capsys):
    assert run(["plan", "build", "--scenario", str(scenario)]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].split()[:2] == ["plan", "done"]
    assert re.match(r"rent +2024-\d\d-\d\d  2024-\d\d-\d\d to 2024-\d\d-\d\d ", lines[1])
    assert "earliest: rent" in out
    assert "by 2024-06-01: all of them" in out
    assert "build: power held it back" in err
    assert "invented" in err


def test_json_and_page_say_the_same(scenario, tmp_path, capsys):
    page = tmp_path / "small.html"
    assert run(["plan", "build", "--scenario", str(scenario), "--json", "--report", str(page)]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told["earliest"] == "rent"
    done = {each["plan"]: each["done"] for each in told["outcomes"]}
    text = page.read_text()
    assert f"rent on {done['rent']}" in text
    assert text.count("<figure") == 6
    assert f"the pictures are in {page}" in err


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('model = "llama3-8b"', 'model = "lama3-8b"', "lama3-8b"),
        ('gpu = "h100"', 'gpu = "a100"\ncluster = "h100"', "gpu 'a100' is not that of cluster 'h100'"),
        ('gpu = "h100"', 'gpu = "h101"', "'h101' is not known"),
        ('region = "us-tn"', 'region = "us-zz"', "region 'us-zz' is not known; nearest are us-"),
        ("tokens = 1e12", "tokens = 0", "tokens is 0.0"),
    ],
)
def test_misuse_is_one_line_and_exit_code_2(scenario, capsys, old, new, told):
    scenario.write_text(SMALL.replace(old, new))
    assert run(["plan", "build", "--scenario", str(scenario)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err
    assert len(err.splitlines()) == 1


def test_memphis_ships_with_the_package_and_the_documents_tell_what_it_prints(capsys):
    assert run(["plan", "build", "--scenario", "memphis.toml"]) == 0
    printed = capsys.readouterr().out
    assert printed in (Path(__file__).parents[2] / "docs/plan-money.md").read_text()
    done = {line[:9].strip(): line[11:21] for line in printed.splitlines()[1:-1]}
    assert list(done) == ["rent", "build", "both", "grid only"]
    assert done["both"] <= min(done["rent"], done["build"])
