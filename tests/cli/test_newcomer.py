"""What newcomers get wrong and platforms send: a clear word or an answer, and the exit code that says so."""

import json
import sqlite3
import subprocess
import sys

import pytest

from hubbub.cli.main import run
from hubbub.cli.output import format_table
from hubbub.config import Config
from hubbub.server.house import House

BASE = "The bridge over the Ilver is closed since noon because of the flood."
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


@pytest.fixture(autouse=True)
def settings(monkeypatch, tmp_path):
    monkeypatch.setenv("HUBBUB_EMBEDDER", "none")
    monkeypatch.setenv("HUBBUB_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


def follow(path, data, capsys):
    path.write_bytes(data)
    assert run(["follow", str(path), "--no-index", "--json"]) == 0  # `ask` indexes, without a second process
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("data", "num_events", "num_malformed"),
    [
        (b"", 0, 0),
        (bytes(range(256)) * 40, 0, 41),
        (b"\xef\xbb\xbf" + json.dumps({"id": "1", "text": BASE}).encode(), 1, 0),
        (b'{"id":"1","text":"flood","received_us":NaN}\n{"id":"2","text":"flood","created_at":NaN}', 0, 2),
        (b'{"id":"1","text":"flood","received_us":1e400}\n{"id":"2","text":"x","created_at":1e300}', 1, 1),
        (b'{"id":"1","text":"\\ud800 flood \xff"}\n{"id":"\\udfff","text":"swapped \\udc00\\ud800"}', 2, 0),
        (b'{"id":"1","text":"' + b"[" * 200_000 + b'"}\n' + b"[" * 200_000, 1, 1),
    ],
    ids=["empty", "binary", "byte order mark", "NaN", "infinite", "surrogates", "deep"],
)
def test_any_file_can_be_followed_and_asked(data, num_events, num_malformed, tmp_path, capsys):
    counts = follow(tmp_path / "posts.ndjson", data, capsys)
    assert (counts["num_events"], counts["num_malformed"]) == (num_events, num_malformed)
    for arguments in (["ask", "Is there a flood?"], ["ask", ""], ["search", "flood"], ["search", '"']):
        assert run(arguments) == 0
        assert "Traceback" not in capsys.readouterr().err


def test_an_emoji_at_any_offset_moves_no_quote(tmp_path, capsys):
    texts = {f"ndjson:{n}": BASE[:n] + FAMILY + BASE[n:] for n in range(len(BASE) + 1)}
    zalgo = "".join(letter + "\u0310\u0301\u0334" * 9 for letter in BASE)
    texts |= {"ndjson:rtl": f"\u202e{BASE}\u2066", "ndjson:zalgo": zalgo}
    lines = [
        json.dumps({"id": key, "author_id": key, "handle": zalgo, "text": text})
        for key, text in texts.items()
    ]
    follow(tmp_path / "posts.ndjson", "\n".join(lines).encode(), capsys)
    assert run(["ask", "Is the bridge over the Ilver closed?", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    citations = [c for sentence in answer["sentences"] for c in sentence["citations"]]
    assert citations
    assert all(texts[c["post"]][c["start"] : c["end"]] == c["quote"] for c in citations)
    assert run(["ask", "Is the bridge over the Ilver closed?"]) == 0
    assert "\u202e" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["follow", "."], 2, "'.' is a directory"),
        (["follow", "posts.ndjson", "./posts.ndjson"], 2, "named twice"),
        (["follow", "posts.ndjson", "--data", "posts.ndjson"], 1, "is a file"),
        (["ask", "x", "--index", "egde"], 2, "'egde' is not known; use edge"),
        (["ask", "x", "--embedder", "hashed:8"], 1, "hubbub index rebuild"),
        (["ask", "why " * 1000], 2, "2,000"),
        (["serve", "--port", "0"], 1, "owned by process"),
        (["follow", "posts.ndjson"], 1, "written by process"),
    ],
)
def test_misuse_is_named(arguments, code, says, tmp_path, capsys):
    follow(tmp_path / "posts.ndjson", b'{"id":"1","text":"flood"}', capsys)
    assert run(["search", "flood"]) == 0
    capsys.readouterr()
    if code == 1 and "by process" in says:
        with House(Config(data=str(tmp_path / "data"), embedder="none"), is_writer=True):
            assert run(arguments) == code
    else:
        assert run(arguments) == code
    printed = capsys.readouterr()
    assert says in printed.err and printed.out == ""
    assert not (tmp_path / "egde").exists()


def make_state_newer(data):
    with sqlite3.connect(data / "index" / "state.db") as db:
        db.execute("UPDATE meta SET value = '99' WHERE name = 'format'")
    db.close()


def make_slices_newer(data):
    path = data / "index" / "slices.json"
    path.write_text(path.read_text().replace('"format":1', '"format":99'))


@pytest.mark.parametrize("age", [make_state_newer, make_slices_newer])
@pytest.mark.parametrize("arguments", [["ask", "flood?"], ["serve", "--port", "0"]])
def test_a_newer_data_directory_is_left_alone(age, arguments, tmp_path, capsys):
    follow(tmp_path / "posts.ndjson", b'{"id":"1","text":"flood"}', capsys)
    assert run(["search", "flood"]) == 0
    age(tmp_path / "data")
    assert run(arguments) == 1
    assert "format 99, this hubbub reads 1; upgrade hubbub" in capsys.readouterr().err


@pytest.mark.parametrize(("where", "code", "says"), [("| true", 0, ""), ("> /dev/full", 1, "is full")])
def test_an_output_that_nobody_takes_ends_in_order(where, code, says):
    hubbub = f"{sys.executable} -m hubbub.cli.main"
    line = f"set -o pipefail; {hubbub} plan models --json {where}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert says in done.stderr and len(done.stderr.splitlines()) == bool(says)


def test_a_name_cannot_break_a_table():
    told = format_table(("source", "lines"), [("a\nb\x1b[2J\u202e", 1)])
    assert told.splitlines()[1:] == ["a?b?[2J?      1"]


def test_a_narrow_terminal_loses_nothing_of_a_table(monkeypatch):
    header, row = ["post", *(f"column {i}" for i in range(12))], ["https://town.example/@a/1", *range(12)]
    whole = format_table(header, [row])
    monkeypatch.setenv("COLUMNS", "80")
    assert format_table(header, [row]) == whole and len(whole.splitlines()) == 2  # a file is not cut
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    lines = format_table(header, [row]).splitlines()
    assert max(map(len, lines)) <= 80
    assert all(line.startswith(("post ", row[0])) for line in lines if line)
    assert set(" ".join(lines).split()) == set(whole.split())


@pytest.mark.parametrize("verb", ["index", "keys", "tenants", "plan", "corpus", "model", "train"])
def test_a_list_of_verbs_ends_no_sentence_in_dots(verb, capsys):
    assert run([verb, "--help"]) == 0
    assert "..." not in capsys.readouterr().out.partition("Commands:")[2]
