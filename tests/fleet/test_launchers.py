"""What a user sees is the same on every engine."""

import io
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from hubbub.cli.main import run
from hubbub.errors import InvalidInput
from hubbub.fleet.launcher import kind_of, open_launcher
from hubbub.fleet.turns import its_turn
from tests.fleet.conftest import HALL
from tests.fleet.watching import runs, until


@pytest.fixture(params=["local", "slurm"])
def engine(request):
    launcher = request.getfixturevalue(request.param)
    yield launcher
    for job in launcher.look().state.claims:
        launcher.cancel(job)
    launcher.change(HALL)
    until(lambda: not launcher.look().state.claims)


def _led(engine):
    """Slurm does not preempt for power: steer does, as `hubbub fleet steer` in another window."""
    assert run(["fleet", "steer", "--once", "--on", engine.url]) == 0
    return True


def _fleet(engine, capsys, *words):
    capsys.readouterr()
    assert run(["fleet", words[0], "--on", engine.url, "--json", *words[1:]]) == 0
    return json.loads(capsys.readouterr().out)


def _submit(engine, tenant, gpus, *command, **how):
    return engine.submit(tenant, gpus, command or ("sleep", "60"), expected_s=60.0, **how)


def test_a_job_runs_where_it_was_handed_in_and_is_seen(engine, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["$(touch a)", "; touch b", "`touch c`", "a b", "*", "'", '"', "--wrap=touch d", ""]
    script = (
        "import os, sys, json; open('told', 'w').write(json.dumps(sys.argv[1:]))\n"
        "print(os.environ['HUBBUB_TENANT'])"
    )
    job = _fleet(
        engine, capsys, "submit", "--tenant=xai", "--gpus=4", "--", sys.executable, "-c", script, *words
    )
    until(lambda: job["job"] not in engine.look().state.claims)
    assert json.loads((tmp_path / "told").read_text()) == words
    assert os.listdir(tmp_path) == ["told"], "nothing of it reached a shell"
    assert engine.output_of(job["job"]).read_text() == "xai\n", "what it hands in or cancels is its tenant's"
    for name in ("a;b", "$(x)", "", "a\nb", "x" * 65):
        with pytest.raises(InvalidInput, match="job name"):
            _submit(engine, "xai", 4, name=name)
    with pytest.raises(InvalidInput, match="tenant 'x; y' is not known"):
        _submit(engine, "x; y", 4)
    with pytest.raises(InvalidInput, match="13 GPUs: ask for 1 to 12"):
        _submit(engine, "xai", 13)


def test_an_array_is_jobs_that_differ_by_their_part(engine, tmp_path, capsys):
    script = "import sys; open(sys.argv[1], 'w').close()"
    words = ["--tenant=xai", "--gpus=1", "--array=3", "--", sys.executable, "-c", script]
    capsys.readouterr()
    assert run(["fleet", "submit", "--on", engine.url, *words, f"{tmp_path}/{{i}}-{{n}}"]) == 0
    jobs = capsys.readouterr().out.split()
    until(lambda: not set(jobs) & set(engine.look().state.claims))
    assert len(jobs) == 3 and sorted(os.listdir(tmp_path)) == ["1-3", "2-3", "3-3"]
    assert run(["fleet", "submit", "--on", engine.url, *words]) == 2, "nothing tells the parts apart"


def test_a_stronger_tenant_goes_first_and_the_weaker_learns_why_and_until_when(engine, capsys):
    tesla = _submit(engine, "tesla", 12, name="fsd")
    until(lambda: runs(engine, tesla))
    xai = _submit(engine, "xai", 8, name="grok")
    began_s = time.monotonic()
    until(lambda: _led(engine) and runs(engine, xai))
    assert time.monotonic() - began_s < 10
    rows = {row["job"]: row for row in until(lambda: _fleet(engine, capsys, "queue"))}
    assert (rows[xai]["name"], rows[xai]["runs"], rows[tesla]["runs"]) == ("grok", True, False)
    assert 40 <= rows[tesla]["starts_in_s"] <= 61
    assert "it needs 12 GPUs" in _fleet(engine, capsys, "why", tesla)["text"]
    start_s = _fleet(engine, capsys, "eta", tesla)["start_s"]
    assert 40 <= start_s - time.time() <= 61
    assert any(option["change"] == "with 3 GPUs" for option in _fleet(engine, capsys, "whatif", tesla))
    top = {row["tenant"]: row for row in _fleet(engine, capsys, "top")["tenants"]}
    assert (top["xai"]["held"], top["tesla"]["waiting"]) == (8, 1)
    at = [row["jobs"] for row in _fleet(engine, capsys, "nodes")]
    assert sorted(at) == ["", xai, xai]


def test_a_lower_cap_takes_off_what_is_borrowed_until_the_hall_is_under_it(engine, capsys):
    tesla, xai = _submit(engine, "tesla", 4), _submit(engine, "xai", 4)
    until(lambda: runs(engine, tesla) and runs(engine, xai))
    assert _fleet(engine, capsys, "power") == [
        {"site": "hall", "cap_kw": 12.0, "drawn_kw": 9.0, "headroom_kw": 3.0}
    ]
    _fleet(engine, capsys, "power", "--cap-kw", "6")
    until(lambda: _led(engine) and not runs(engine, xai))
    assert _fleet(engine, capsys, "power")[0]["drawn_kw"] == 6.0 and runs(engine, tesla)
    told = _fleet(engine, capsys, "why", xai)
    assert told["kind"] == "power" and "3 kW lack" in told["text"]


def test_two_who_change_a_fleet_at_once_both_do_and_who_waits_is_told(engine, caplog, monkeypatch):
    monkeypatch.setattr("hubbub.fleet.turns.PATIENCE_S", 0.01)
    power = ["fleet", "power", "--on", engine.url, "--cap-kw", "9", "--for", "1h", "--at"]
    days = [f"2099-01-0{day}T00:00" for day in range(1, 5)]
    with ThreadPoolExecutor(4) as pool, its_turn(engine.directory / "lock"):
        done = [pool.submit(run, [*power, day]) for day in days]
        until(lambda: caplog.text.count("another command changes") >= 2)
    assert [each.result() for each in done] == [0] * 4
    engine.look()
    assert len(engine.spec.grid_events) == 4, "none undid another's"


def test_who_cancels_must_own_and_be_sure(engine, capsys, monkeypatch):
    job, waiting = _submit(engine, "tesla", 12), _submit(engine, "tesla", 12)
    until(lambda: runs(engine, job))
    cancel = ["fleet", "cancel", "--on", engine.url]
    assert run([*cancel, "--yes", "--tenant", "xai", job]) == 2
    assert f"job '{job}' is tesla's; xai may act on its own jobs only" in capsys.readouterr().err
    assert run([*cancel, "--yes", "no-such"]) == 2
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    assert run([*cancel, "--tenant", "tesla", job]) != 0, "it asks, and the answer is no"
    assert runs(engine, job)
    assert run([*cancel, "--tenant", "tesla", waiting]) == 0, "nothing runs that could be lost"
    capsys.readouterr()
    assert run([*cancel, "--tenant", "tesla", "--yes", "--json", job]) == 0
    assert json.loads(capsys.readouterr().out) == {"cancelled": job}
    until(lambda: not engine.look().state.claims)


def test_nothing_starts_on_a_drained_node_until_it_is_back(engine, capsys):
    assert run(["fleet", "drain", "--on", engine.url, "--yes", "--reason", "smoke", "hall-1"]) == 0
    try:
        node = _fleet(engine, capsys, "nodes")[0]
        assert (node["state"], "smoke" in node["why"]) == ("out", True)
        job = _submit(engine, "xai", 4)
        until(lambda: runs(engine, job))
        assert _fleet(engine, capsys, "nodes")[0]["jobs"] == ""
    finally:
        told = _fleet(engine, capsys, "drain", "--back", "hall-1")
        assert told == {"node": "hall-1", "takes_jobs": True}
    assert until(lambda: _fleet(engine, capsys, "nodes")[0]["state"] == "good")
    assert run(["fleet", "drain", "--on", engine.url, "--yes", "moon-1"]) == 2


def test_urls_are_checked(capsys):
    assert kind_of("ray://127.0.0.1:6379") == ("ray", "127.0.0.1:6379")
    for url, told in (("lcal:x", "did you mean local"), ("slurm:", "write local:DIR"), ("", "write local")):
        with pytest.raises(InvalidInput, match=told):
            open_launcher(url)
    assert run(["fleet", "queue", "--on", "local:/proc/none"]) == 2
    assert "there is no fleet in '/proc/none' yet" in capsys.readouterr().err
