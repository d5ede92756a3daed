"""`hubbub deletions`: its table, its JSON, what it says of nothing, and its exit codes."""

import json
import subprocess
import sys

import pytest

from hubbub.cli.main import run
from hubbub.server.remote import read_address
from tests.cli.test_erasing import wait_until

LINES = [
    {"id": "x:1", "text": "words that are regretted", "author": "x:a"},
    {"id": "x:2", "text": "words that stand", "author": "x:b"},
    {"type": "deletion", "id": "x:1"},
    {"type": "account", "author": "x:b", "status": "removed"},
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data directory in which a post was deleted and an account removed."""
    directory = tmp_path_factory.mktemp("deletions")
    (directory / "lines.ndjson").write_text("".join(json.dumps(line) + "\n" for line in LINES))
    assert run(["follow", str(directory / "lines.ndjson"), "--data", str(directory / "data")]) == 0
    return str(directory / "data")


def test_a_table_newest_first_and_a_summary(data, capsys):
    assert run(["deletions", "--data", data]) == 0
    header, account, post, summary = capsys.readouterr().out.splitlines()
    assert header.split()[:4] == ["what", "received", "archived", "gone"]
    assert account.startswith("removal x:b ")
    assert post.startswith("x:1 ")
    assert "OVERDUE" not in post
    assert summary.startswith("2 deletions, 2 gone; received to gone: p50 ")
    assert summary.endswith(" UTC; 0 overdue (erase_s 3600)")


def test_json_holds_no_text_and_one_post_is_found(data, capsys):
    assert run(["deletions", "x:1", "--json", "--data", data]) == 0
    printed = capsys.readouterr().out
    receipt, summary = map(json.loads, printed.splitlines())
    assert (receipt["post"], receipt["is_gone"], receipt["is_erased"]) == ("x:1", True, False)
    assert summary["summary"]["num_receipts"] == 1
    assert "regretted" not in printed
    assert run(["deletions", "--limit", "1", "--json", "--data", data]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_what_is_unknown_or_was_not_there(data, tmp_path, capsys):
    assert run(["deletions", "x:2", "--data", data]) == 1
    assert "no deletion of 'x:2' was received here" in capsys.readouterr().err
    assert run(["deletions", "--since", "2999-01-01", "--data", data]) == 0
    assert capsys.readouterr().out.strip() == "no deletions"
    assert run(["deletions", "--data", str(tmp_path)]) == 1
    assert "no archive" in capsys.readouterr().err


def test_overdue_text_is_said_and_told_by_the_exit_code(data, capsys, monkeypatch):
    monkeypatch.setenv("HUBBUB_ERASE_S", "0")
    assert run(["deletions", "--data", data]) == 1
    said = capsys.readouterr()
    assert "OVERDUE" in said.out
    assert "overdue on the disk" in said.err


def test_receipts_are_read_while_a_server_follows(tmp_path, capsys):
    data = tmp_path / "data"
    command = [sys.executable, "-m", "hubbub.cli.main", "serve", "--port", "0", "--follow", "-"]
    server = subprocess.Popen(
        [*command, "--data", str(data)], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        server.stdin.write("".join(json.dumps(line) + "\n" for line in LINES[:3]))
        server.stdin.flush()
        wait_until(lambda: read_address(data) is not None)
        wait_until(lambda: run(["deletions", "--json", "--data", str(data)]) == 0 and _is_gone(capsys))
    finally:
        server.terminate()
        server.communicate()
    assert run(["deletions", "x:1", "--data", str(data)]) == 0


def _is_gone(capsys):
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    return first.get("is_gone", False)
