"""A live feed followed by the real command, and what `hubbub status` and `/metrics` say of it meanwhile."""

import json
import signal
import subprocess
import sys
import time

import httpx2
import pytest

from hubbub.cli.main import run
from hubbub.server.remote import read_address
from tests.platforms.jetstream import FakeJetstream, Faults

COMMAND = [sys.executable, "-m", "hubbub.cli.main"]


@pytest.fixture
def serving(tmp_path):
    """`hubbub serve --follow ws://...` in a process of its own."""
    data = tmp_path / "data"
    with FakeJetstream() as fake:
        command = [*COMMAND, "serve", "--port", "0", "--data", str(data), "--follow", fake.url]
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait(lambda: read_address(data) is not None and fake.seen and fake.seen[0].is_open)
            yield fake, data
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(20)


def test_a_live_feed_is_shown_asked_and_measured(serving, capsys):
    fake, data = serving
    for number in range(20):
        fake.post(f"did:plc:a{number}", f"k{number}", f"The ferry to Hollin is late, number {number}.")
    url = read_address(data).url
    _wait(lambda: httpx2.get(f"{url}/api/status").json()["house"]["num_posts"] == 20)
    answer = httpx2.get(f"{url}/api/search", params={"q": "ferry"}).json()
    assert len(answer["hits"]) > 0
    fake.delete("did:plc:a7", "k7")
    _wait(lambda: httpx2.get(f"{url}/api/status").json()["house"]["num_posts"] == 19)
    _wait(
        lambda: (
            "hubbub_source_events_total" in (scraped := httpx2.get(f"{url}/metrics").text)
            and f'hubbub_source_events_total{{source="jetstream:127.0.0.1:{fake.port}/subscribe"}} 21.0'
            in scraped
        )
    )
    scraped = httpx2.get(f"{url}/metrics").text
    assert "hubbub_posts 19.0" in scraped
    assert 'whose="platform"' in scraped

    assert run(["status", "--data", str(data)]) == 0
    header, row, house = capsys.readouterr().out.splitlines()
    assert header.split()[:2] == ["source", "state"]
    assert row.split()[:2] == [f"jetstream:127.0.0.1:{fake.port}/subscribe", "live"]
    assert house.startswith("archive: 21 events; index: 19 posts, up to event 21; last deletion: 20")
    assert run(["status", "--data", str(data), "--json"]) == 0
    source, _ = map(json.loads, capsys.readouterr().out.splitlines())
    assert source["counts"]["num_events"] == 21
    assert source["counts"]["vitals"]["own_lag_ms"] < 1000


def test_follow_two_platforms_until_interrupted_and_go_on(tmp_path, capsys):
    data = tmp_path / "data"
    with FakeJetstream() as one, FakeJetstream() as two:
        for last in (10, 20):
            command = [*COMMAND, "follow", one.url, two.url, "--no-index", "--json", "--data", str(data)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            _wait(lambda last=last: min(len(one.seen), len(two.seen)) >= last // 10 and two.seen[-1].is_open)
            for number in range(last - 9, last + 1):
                one.post("did:plc:noor", f"k{number}", f"one {number}")
                two.post("did:plc:omar", f"k{number}", f"two {number}")
            _wait(lambda last=last: _num_archived(data, capsys) == 2 * last)
            process.send_signal(signal.SIGINT)
            out, said = process.communicate(timeout=20)
            assert (process.returncode, said) == (0, b"")
            assert [json.loads(line)["num_events"] for line in out.splitlines()] == [10, 10]
        assert run(["status", "--data", str(data)]) == 0
        printed = capsys.readouterr().out
        assert printed.count("ended") == 2
        assert "archive: 40 events" in printed


@pytest.mark.parametrize("verb", ["follow", "serve"])
def test_a_source_that_is_refused_leaves_the_others_alone(tmp_path, capsys, verb):
    data = tmp_path / "data"
    with FakeJetstream() as good, FakeJetstream() as bad:
        bad.plan.append(Faults(refuse=(401, {"error": "AuthMissing"})))
        names = [bad.url, good.url]
        flags = ["--port", "0", "--follow", *names[:1], "--follow", *names[1:]] if verb == "serve" else names
        command = [*COMMAND, verb, *flags, "--data", str(data)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        _wait(lambda: bad.seen and good.seen and good.seen[-1].is_open)
        good.post("did:plc:noor", "k", "the others go on")
        _wait(lambda: _num_archived(data, capsys) == 1)
        row = f"jetstream:127.0.0.1:{bad.port}/subscribe  refused"
        _wait(lambda: run(["status", "--data", str(data)]) == 0 and row in capsys.readouterr().out)
        run(["status", "--data", str(data)])
        assert "renew the token" in capsys.readouterr().err
        if verb == "serve":
            scraped = httpx2.get(f"{read_address(data).url}/metrics").text
            assert (
                f'hubbub_source_refused{{source="jetstream:127.0.0.1:{bad.port}/subscribe"}} 1.0' in scraped
            )
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert b"refused" in said and b"401" in said
        assert process.returncode == (130 if verb == "serve" else 0)


@pytest.mark.parametrize("verb", ["follow", "serve --port 0 --follow"])
def test_where_every_source_is_refused_the_command_says_so_and_fails(tmp_path, verb):
    with FakeJetstream() as bad:
        bad.plan.append(Faults(refuse=(403, {"error": "no"})))
        command = [*COMMAND, *verb.split(), bad.url, "--data", str(tmp_path / "data")]
        process = subprocess.run(command, capture_output=True, timeout=30)
    assert process.returncode == 1
    assert b"403" in process.stderr and b"right to read" in process.stderr


def _num_archived(data, capsys):
    if run(["status", "--data", str(data), "--json"]) != 0:
        return 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])["house"]["last_seq"]


def _wait(is_so, timeout_s=30):
    end_s = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < end_s, "waited in vain"
        time.sleep(0.05)
