"""Real processes: led, killed, found again; nothing is lost and nothing runs twice."""

import os
import random
import signal
import sys
import time
from pathlib import Path

import msgspec
import pytest

from hubbub.cli.main import run
from hubbub.errors import InUse, InvalidInput, StorageError
from hubbub.fleet.launcher import pretend_fleet
from hubbub.fleet.local.launcher import Local, lead, open_local, start_local
from hubbub.fleet.local.supervisor import Supervisor, is_led
from hubbub.fleet.spec import FleetSpec, Pool, Tenant
from tests.fleet.watching import ended, runs, until

PYTHON = [sys.executable, "-S", "-c"]
NOTE = "import os; print(os.environ['HUBBUB_ATTEMPT'], flush=True); import time; time.sleep({})"


@pytest.fixture
def fleet(tmp_path):
    started = start_local(tmp_path / "fleet", pretend_fleet(2, 4), grace_s=0.3)
    yield started
    _kill(started)
    started.stop()


def _kill(fleet):
    """Kill the supervisor, if one lives."""
    if is_led(fleet.directory):
        os.kill(int((fleet.directory / "supervisor.lock").read_text()), signal.SIGKILL)
        until(lambda: not is_led(fleet.directory))


def _output(fleet, job):
    return fleet.output_of(job).read_text() if fleet.output_of(job).exists() else ""


def _lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_supervisor_may_be_killed_at_any_time_and_each_job_runs_once(fleet):
    draw = random.Random(1)
    jobs = [
        fleet.submit("x", draw.choice([1, 4, 8]), [*PYTHON, NOTE.format(draw.random() / 4)]) for _ in range(8)
    ]
    num_killed = 0
    while fleet.look().state.claims:
        time.sleep(draw.random() / 10)
        _kill(fleet)
        num_killed += 1
        if fleet.look().state.claims:
            assert "nobody leads" in fleet.look().notes[0]
        lead(fleet.directory)
        assert num_killed < 100
    assert num_killed >= 3 and {fleet.look().ended[job] for job in jobs} == {"is done"}
    assert all(set(_output(fleet, job).split()) == {"1"} for job in jobs)
    assert [_output(fleet, job).count("1") for job in jobs] == [
        2 if g == 8 else 1 for g in _sizes(fleet, jobs)
    ]


def _sizes(fleet, jobs):
    book = fleet._journal.read()
    return [book.rows[job].gpus for job in jobs]


def test_what_ends_or_is_to_leave_while_nobody_leads_is_known_by_the_next(fleet):
    short = fleet.submit("x", 1, [*PYTHON, NOTE.format(0.1)])
    long = fleet.submit("x", 1, ["sleep", "60"])
    until(lambda: runs(fleet, short) and runs(fleet, long))
    _kill(fleet)
    time.sleep(0.3)
    assert fleet.look().state.claims.keys() == {short, long}, "nobody was there to see the end"
    fleet.cancel(long)
    assert (ended(fleet, short), ended(fleet, long)) == ("is done", "was cancelled")
    assert is_led(fleet.directory), "who cancels brings a supervisor along"


def test_a_gang_finds_itself_and_a_failing_rank_ends_the_others(fleet):
    script = (
        "import os, socket, sys; e = os.environ; at = (e['MASTER_ADDR'], int(e['MASTER_PORT']))\n"
        "print(e['RANK'], e['WORLD_SIZE'], e['LOCAL_RANK'], e['HUBBUB_NODE'], e['HUBBUB_GPUS'], flush=True)\n"
        "if e['RANK'] == '0': s = socket.create_server(at); s.accept()\n"
        "else:\n"
        "    import time\n"
        "    while True:\n"
        "        try: socket.create_connection(at); break\n"
        "        except OSError: time.sleep(.02)\n"
        "    sys.exit(int(e['HUBBUB_ATTEMPT']) < 2)\n"
        "if int(e['HUBBUB_ATTEMPT']) < 2: __import__('time').sleep(60)"
    )
    job = fleet.submit("x", 8, [*PYTHON, script])
    assert ended(fleet, job) == "is done"
    lines = ["0 2 0 hall-1 0,1,2,3", "1 2 0 hall-2 0,1,2,3"]
    assert sorted(_output(fleet, job).splitlines()) == sorted(2 * lines)
    row = fleet._journal.read().rows[job]
    assert (row.num_failures, row.attempt, row.num_preempted) == (1, 2, 0)
    until(lambda: not (fleet.directory / "jobs" / job / "task.json").exists())  # it holds an environment


def test_who_does_not_leave_is_killed_with_all_that_it_started(fleet, tmp_path):
    script = (
        "import os, signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "os.setpgid(0, os.getppid())\n"
        "child = subprocess.Popen(['sleep', '61'], start_new_session=True); print(child.pid, flush=True)\n"
        "time.sleep(60)"
    )
    job = fleet.submit("tesla", 8, [*PYTHON, script])
    child = int(until(lambda: _output(fleet, job)).split()[0])
    assert _lives(child)
    other = fleet.submit("xai", 8, [*PYTHON, NOTE.format(0)])
    assert ended(fleet, other) == "is done" and not _lives(child)
    until(lambda: runs(fleet, job))
    row = fleet._journal.read().rows[job]
    assert (row.num_preempted, row.num_failures, row.submitted_s < row.started_s) == (1, 0, True)


def test_a_job_whose_keeper_is_killed_leaves_nothing_and_starts_again(fleet):
    job = fleet.submit(
        "x", 1, [*PYTHON, "import os, time; print(os.getpid(), os.getppid(), flush=True); time.sleep(60)"]
    )
    process, keeper = map(int, until(lambda: _output(fleet, job)).split())
    os.kill(keeper, signal.SIGKILL)
    until(lambda: len(_output(fleet, job).splitlines()) == 2)
    assert not _lives(process)
    row = fleet._journal.read().rows[job]
    assert (row.num_lost, row.num_failures) == (1, 0)


def test_what_cannot_be_started_says_so_and_is_not_tried_again(fleet, tmp_path):
    for command, directory, told in (
        (["no-such-command", "-x"], tmp_path, "No such file or directory: no-such-command"),
        ([str(tmp_path)], tmp_path, f"Permission denied: {tmp_path}"),
        (["true"], tmp_path / "gone", f"No such file or directory: {tmp_path}/gone"),
    ):
        job = fleet.submit("x", 1, command, directory=directory)
        assert ended(fleet, job) == f"could not be started: {told}"
    first, second = fleet.submit("x", 8, ["sleep", "60"]), fleet.submit("x", 8, ["true"])
    (fleet.directory / "jobs" / second / "task.json").write_text("{")
    fleet.cancel(first)
    assert "what it runs cannot be read" in until(lambda: fleet.look().held.get(second))
    assert is_led(fleet.directory)


def test_there_is_one_supervisor_and_one_fleet_a_directory(fleet):
    with pytest.raises(InUse, match="another supervisor leads"):
        Supervisor(fleet.directory)
    with pytest.raises(InUse, match="is led already"):
        start_local(fleet.directory, None)
    lead(fleet.directory)
    job = fleet.submit("x", 1, ["sleep", "60"])
    with pytest.raises(InvalidInput, match="its nodes stay as they are"):
        fleet.change(pretend_fleet(3, 4))
    _kill(fleet)
    with pytest.raises(InvalidInput, match="its nodes stay as they are"):
        start_local(fleet.directory, pretend_fleet(3, 4))
    assert start_local(fleet.directory, None).spec == fleet.spec
    until(lambda: runs(fleet, job))
    fleet.stop()
    assert (fleet.look().ended[job], is_led(fleet.directory)) == ("was cancelled", False)


def test_a_full_disk_is_told_and_what_runs_goes_on(mount):
    path, mounted = mount
    mounted("size=256k")
    fleet = start_local(path / "fleet", pretend_fleet(1, 4))
    try:
        job = fleet.submit("x", 1, [*PYTHON, NOTE.format(0.3)])
        until(lambda: _output(fleet, job))
        ballast = path / "ballast"
        with pytest.raises(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 12) if file.tell() < 1 << 20 else b"")
        with pytest.raises(StorageError, match="the disk is full"):
            for _ in range(100):
                fleet.submit("x", 1, ["sleep", "60"])
        time.sleep(0.4)
        ballast.unlink()
        assert ended(fleet, job) == "is done"
    finally:
        fleet.stop()


def test_rented_nodes_come_when_a_tenant_pays_and_go_when_idle(tmp_path, capsys):
    pools = (
        Pool(name="own", num_nodes=1, gpus_per_node=1),
        Pool(
            name="rent", num_nodes=2, gpus_per_node=4, is_rented=True, usd_per_gpu_hour=2.0, lead_s=0.2,
            idle_release_s=0.3,
        ),
    )  # fmt: skip
    spec = FleetSpec(pools=pools, tenants=(Tenant(name="xai", max_usd_per_gpu_hour=3.0), Tenant(name="x")))
    fleet = start_local(tmp_path / "fleet", spec)
    try:
        script = "import os; print(os.environ['HUBBUB_NODE'], flush=True)"
        job = fleet.submit("xai", 8, [*PYTHON, script])
        assert ended(fleet, job) == "is done" and sorted(_output(fleet, job).split()) == ["rent-1", "rent-2"]
        assert fleet._journal.read().rows[job].waited_s >= 0.2
        until(lambda: fleet.look().state.pools["rent"].num_active == 0)
        power = ["fleet", "power", "--on", fleet.url]
        assert run(power) == 0 and "describes no site" in capsys.readouterr().err
        assert run([*power, "--cap-kw", "3"]) == 2 and "no site that a cap" in capsys.readouterr().err
    finally:
        fleet.stop()


def test_the_first_command_of_a_newcomer_just_works(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert run(["fleet", "submit", "--tenant", "xai", "--gpus", "8", "--", "sleep", "30"]) == 0
    out, err = capsys.readouterr()
    assert out == "1\n" and "32 GPUs, pretend ones" in err
    assert "1 runs on 8 GPUs of hall-1; see it: hubbub fleet queue" in err
    assert run(["fleet", "why", "1"]) == 0
    assert capsys.readouterr().out == "1: it runs on 8 GPUs of hall\n"
    assert run(["fleet", "down", "--yes"]) == 0
    assert run(["fleet", "queue"]) == 0
    assert "1 (job) was cancelled" in capsys.readouterr().err
    assert isinstance(open_local(Path(".hubbub-fleet")), Local)
    assert msgspec.json.decode((tmp_path / ".hubbub-fleet" / "fleet.journal").read_bytes().split(b"\n")[0])
