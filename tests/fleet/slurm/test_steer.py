"""What `steer` does on a Slurm beyond what every engine does (tests/fleet/test_launchers.py)."""

import os
import signal
import subprocess
import sys
import threading
import time

import msgspec
import pytest

from hubbub.errors import InvalidInput, StorageError
from hubbub.fleet.actions import Cap, Preempt, Shrink
from hubbub.fleet.launcher import capped
from hubbub.fleet.policy import Policy
from hubbub.fleet.slurm import daemons
from hubbub.fleet.slurm.cluster import find
from hubbub.fleet.slurm.steer import step
from hubbub.fleet.spec import GridEvent
from tests.fleet.conftest import HALL
from tests.fleet.slurm.test_observing import line

SAVES = """trap 'until [ -e "$0" ]; do sleep .05; done; echo saved; exit' TERM
echo x; while :; do sleep .1; done"""


@pytest.fixture
def hall(slurm):
    yield slurm
    for job in slurm.look().state.claims:
        slurm.cancel(job)
    slurm.change(HALL)
    _until(lambda: not slurm.look().state.claims)


def _until(holds, timeout_s=40.0):
    assert daemons.until(holds, timeout_s)


def _running(hall):
    return set(hall.run("squeue", "--noheader", "--states=R", "--format=%i").split())


def _output(hall, job):
    return hall.output_of(job).read_text() if hall.output_of(job).exists() else ""


def _submit(hall, tenant, gpus, command=("sleep", "60")):
    return hall.submit(tenant, gpus, command, expected_s=60.0)


def test_a_sister_has_its_idle_gpus_back_for_good(hall):
    hall.change(capped(HALL, "hall", 24.0))  # where watts lack Slurm does not preempt, and so hides who would
    jobs = [_submit(hall, "xai", 4) for _ in range(3)]
    _until(lambda: set(jobs) <= _running(hall))
    began_s = time.monotonic()
    tesla = _submit(hall, "tesla", 4)
    _until(lambda: tesla in _running(hall))
    assert time.monotonic() - began_s < 5
    (left,) = set(jobs) - _running(hall)
    hall.run("scontrol", "update", f"JobId={left}", "StartTime=now")
    assert not daemons.until(lambda: left in _running(hall), 1.5), "nor does a stronger one take them again"
    more = _submit(hall, "tesla", 4)
    assert hall.look().partitions == {**dict.fromkeys(jobs, "xai"), tesla: "tesla.right", more: "tesla"}
    hall.cancel(tesla)
    _until(lambda: tesla not in hall.look().state.claims)
    step(hall, Policy(), settle_s=60.0)
    assert hall.look().partitions[more] == "tesla.right", "the guarantee has room again"


def test_a_grid_event_and_a_dead_node_cost_nobody_his_job(hall):
    go = hall.directory / "go"
    saves = ("sh", "-c", SAVES, str(go))
    tesla, borrowed, xai = (_submit(hall, who, 4, saves) for who in ("tesla", "tesla", "xai"))
    _until(lambda: {tesla, borrowed, xai} <= _running(hall) and "x" in _output(hall, borrowed))
    start_s = time.time() + 3.0
    event = GridEvent(site="hall", start_s=start_s, duration_s=4.0, cut=0.25, notice_s=3.0)
    find(hall.directory).change(msgspec.structs.replace(HALL, grid_events=(event,)))
    own = find(hall.directory)
    (done,) = [action for action in step(own, Policy()) if isinstance(action, Preempt)]
    assert (done.job, done.reason) == (borrowed, "hall may draw 9 kW"), "what ranks lowest"
    assert hall.look().state.sites["hall"].drawn_kw == 12.0, "who saves still draws"
    go.touch()
    _until(lambda: hall.look().state.sites["hall"].drawn_kw <= 9.0)
    assert "saved" in _output(hall, borrowed)
    assert time.time() < start_s and step(own, Policy()) == []
    node = hall.run("squeue", "--noheader", "--format=%N", f"--jobs={tesla}").strip()
    daemons.cut_power(hall.directory, node, [tesla])
    hall.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=killed")
    _until(lambda: (claim := hall.look().state.claims.get(tesla)) and claim.pool is None)
    truth = hall.look()
    assert truth.out == {("hall", int(node[-1]) - 1): "down: killed"}
    assert truth.state.sites["hall"].cap_kw == 9.0, "its notice counts"
    _until(lambda: tesla in _running(hall))
    assert time.time() >= start_s + 4 or borrowed not in _running(hall)
    daemons.spawn(hall.directory, "slurmd", "-D", "-N", node)
    hall.run("scontrol", "update", f"NodeName={node}", "State=RESUME")
    _until(lambda: {tesla, borrowed, xai} <= _running(hall) and time.time() > start_s + 4)
    assert step(own, Policy()) == [] and "No reservations" in hall.run("scontrol", "show", "reservation")


def test_another_fleet_ends_no_job(hall):
    right, waits = _submit(hall, "tesla", 4), _submit(hall, "tesla", 12)
    _until(lambda: right in _running(hall))
    poorer = tuple(msgspec.structs.replace(tenant, guaranteed_gpus=0) for tenant in HALL.tenants)
    hall.change(msgspec.structs.replace(HALL, tenants=poorer))
    assert hall.look().partitions == {right: "tesla.right", waits: "tesla"}
    claim = hall.look().state.claims[right]
    assert claim.pool is not None and not claim.is_by_right, "Slurm kills whose partition goes"
    with pytest.raises(InvalidInput, match="jobs of tesla wait or run"):
        hall.change(msgspec.structs.replace(HALL, tenants=poorer[:1]))
    assert right in _running(hall)
    (hall.directory / "fleet.new").mkdir()  # as where the disk is full
    try:
        with pytest.raises(StorageError, match=r"fleet\.json"):
            hall.change(capped(HALL, "hall", 6.0))
    finally:
        (hall.directory / "fleet.new").rmdir()
    assert "Total=9000" in hall.run("scontrol", "show", "licenses"), "all of it holds, or nothing"


def test_two_that_steer_at_once_preempt_once_and_one_that_is_killed_nobody(hall):
    jobs = [_submit(hall, "xai", 4) for _ in range(3)]
    _until(lambda: set(jobs) <= _running(hall))
    hall.change(capped(HALL, "hall", 9.0))
    found = []
    steering = [
        threading.Thread(target=lambda: found.extend(step(find(hall.directory), Policy()))) for _ in range(4)
    ]
    for thread in steering:
        thread.start()
    for thread in steering:
        thread.join()
    assert len(found) == 1 and found[0].job == jobs[-1]
    words = [sys.executable, "-m", "hubbub.cli.main", "fleet"]
    killed = [
        [*words, "steer", "--on", hall.url, "--every", "0.1"],
        [*words, "submit", "--on", hall.url, "--tenant", "xai", "--gpus", "4", "--", "sleep", "60"],
    ]
    for command in killed:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        time.sleep(0.7)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert set(jobs) <= set(hall.look().state.claims), "no job is lost"
    step(hall, Policy())
    assert set(jobs[:2]) <= _running(hall)


def test_who_looks_is_told_of_lemons(hall):
    ended = "".join(line(n, user=user, at=n, nodes="hall-2") for n, user in enumerate(("ann", "bob", "eve")))
    with (hall.directory / "log" / "jobcomp.txt").open("a") as log:
        log.write(
            ended.replace("2026-11-22", time.strftime("%Y-%m-%d", time.localtime(time.time() - 86_400)))
        )
    assert "3 different jobs in a row" in find(hall.directory).look().lemons["hall", 1]


def test_what_slurm_cannot_do_is_said(hall):
    job = _submit(hall, "xai", 8)
    _until(lambda: job in _running(hall))
    told = r"its nodes' administrator can: nvidia-smi -pl 445 on hall-\d,hall-\d"
    with pytest.raises(InvalidInput, match=told):  # 700 W x (.8 - 1 + .55) / .55
        hall.carry_out(Cap(job, 0.8, "power"))
    with pytest.raises(InvalidInput, match="job '1x' does not run, or draws nothing"):
        hall.carry_out(Cap("1x", 0.8, "power"))
    with pytest.raises(InvalidInput, match="Slurm cannot shrink a job that runs"):
        hall.carry_out(Shrink(job, 4, ((0, 4),), "power"))
    with pytest.raises(InvalidInput, match="scontrol refused"):
        hall.carry_out(Preempt("999999", "for a test"))
    with pytest.raises(InvalidInput, match="neither waits nor runs"):
        hall.cancel("--user=root")
