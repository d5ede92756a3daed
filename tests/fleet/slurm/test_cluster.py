"""A cluster of its own: it comes up, rents, is changed, is killed half-way, and leaves nothing behind."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import pytest

from hubbub.cli.main import run
from hubbub.errors import InUse, InvalidInput, StorageError
from hubbub.fleet.policy import Policy
from hubbub.fleet.slurm import daemons
from hubbub.fleet.slurm.bring_up import PROGRAMS, start
from hubbub.fleet.slurm.cluster import find
from hubbub.fleet.slurm.config import policy_lines
from hubbub.fleet.slurm.steer import step
from hubbub.fleet.spec import FleetSpec, Pool, Site, Tenant

needs_slurm = pytest.mark.skipif(
    not all(map(shutil.which, PROGRAMS)), reason="needs Debian's slurmctld, slurmd and slurm-client"
)
TENANTS = (Tenant(name="xai", priority=20), Tenant(name="tesla", priority=10, guaranteed_gpus=8))
FLEET = """
[[tenants]]
name = "xai"
priority = 20
max_usd_per_gpu_hour = 3.0
[[tenants]]
name = "tesla"
priority = {priority}
[[pools]]
name = "hall"
num_nodes = {num_nodes}
site = "hall"
busy_kw_per_gpu = 1.0
[[pools]]
name = "cloud"
num_nodes = 2
is_rented = true
usd_per_gpu_hour = 2.0
idle_release_s = 1.0
[[sites]]
name = "hall"
cap_kw = {cap}
"""

RUN = """
global_batch = 8
num_tokens = 1e9
[model]
name = "small"
num_layers = 16
hidden = 2048
num_heads = 32
num_kv_heads = 8
head_dim = 64
ffn = 8192
vocab = 128256
[layout]
dp = 8
[cluster]
name = "hall"
nic_bytes_per_s = 5e10
[cluster.gpu]
name = "h100"
memory_bytes = 8.5e10
memory_bytes_per_s = 3.35e12
link_bytes_per_s = 4.5e11
tdp_w = 700.0
gemm = "h100_sxm"
peak_flops = {bf16 = 9.89e14}
"""


def _spec(num_nodes):
    pool = Pool(name="hall", num_nodes=num_nodes, site="hall", busy_kw_per_gpu=1.0)
    return FleetSpec(pools=(pool,), tenants=TENANTS, sites=(Site(name="hall", cap_kw=8.0 * num_nodes),))


def test_tenants_become_partitions_and_power_licences():
    rest = "GraceTime=0 MaxTime=INFINITE State=UP"
    assert policy_lines(_spec(4)) == [
        "Licenses=watt_hall:32000",
        f"PartitionName=xai Nodes=ALL PriorityTier=11 PreemptMode=REQUEUE {rest}",
        f"PartitionName=tesla Nodes=ALL PriorityTier=1 PreemptMode=REQUEUE {rest} Default=YES",
        f"PartitionName=tesla.right Nodes=ALL PriorityTier=12 PreemptMode=OFF {rest}",
    ]
    for name in ("a b", "x\nNodes=ALL", "../x", "", "1st", "x.right"):
        with pytest.raises(InvalidInput, match="cannot be named so in Slurm|is named"):
            policy_lines(FleetSpec(pools=_spec(1).pools, sites=_spec(1).sites, tenants=(Tenant(name=name),)))
        with pytest.raises(InvalidInput, match="cannot be named so in Slurm|is named"):
            policy_lines(
                FleetSpec(pools=(Pool(name="a", num_nodes=1),), sites=(Site(name=name, cap_kw=1.0),))
            )


@pytest.fixture(scope="module")
def rented(tmp_path_factory):
    """A hall of 2 nodes, and 2 rented ones for xai, which pays; brought up as a user does."""
    at = tmp_path_factory.mktemp("rented")
    (at / "fleet.toml").write_text(FLEET.format(priority=10, cap=16.0, num_nodes=2))
    assert run(["fleet", "up", "--fleet", str(at / "fleet.toml"), "--on", f"slurm:{at / 'slurm'}"]) == 0
    yield at
    daemons.end(at / "slurm")


def _until(holds, timeout_s=40.0):
    assert daemons.until(holds, timeout_s)


def _running(cluster):
    return set(cluster.run("squeue", "--noheader", "--states=R", "--format=%i").split())


@needs_slurm
def test_who_pays_gets_a_rented_node_which_goes_back_when_idle(rented):
    cluster = find(rented / "slurm")
    sleep = ["sleep", "60"]
    told = rented / "told"
    saves = ["sh", "-c", 'trap "echo saved >>$0; exit" TERM; echo began >$0; sleep 60 & wait', str(told)]
    hall, tesla = (cluster.submit(*who, sleep, expected_s=60.0) for who in (("xai", 16), ("tesla", 8)))
    xai = cluster.submit("xai", 8, saves, expected_s=60.0)
    _until(lambda: _running(cluster) == {hall})
    began_s = time.monotonic()
    _until(lambda: step(cluster, Policy(), settle_s=0.0) is not None and xai in _running(cluster))
    assert time.monotonic() - began_s < 20
    truth = cluster.look()
    assert (
        truth.state.claims[xai].pool is truth.state.pools["cloud"] and truth.state.claims[tesla].pool is None
    )
    assert truth.state.pools["cloud"].num_active == 1 and truth.state.sites["hall"].drawn_kw == 16.0
    _until(told.exists)
    for job in (xai, hall):
        cluster.cancel(job)
    _until(lambda: tesla in _running(cluster))
    _until(lambda: step(cluster, Policy()) is not None and not cluster.look().state.pools["cloud"].num_active)
    assert told.read_text() == "began\nsaved\n", "who works on a rented node hears that it has to leave"
    assert daemons.until(lambda: len(daemons.running(cluster.directory, "slurmd")) == 2, 10)
    with pytest.raises(InvalidInput, match="ask for 1 to 16|refused"):
        cluster.submit("tesla", 32, sleep)
    cluster.cancel(tesla)


@needs_slurm
def test_a_running_slurm_takes_another_fleet_over_and_a_predicted_run(rented, capsys):
    fleet, spec, url = rented / "fleet.toml", rented / "run.toml", f"slurm:{rented / 'slurm'}"
    spec.write_text(RUN)
    fleet.write_text(FLEET.format(priority=30, cap=12.0, num_nodes=2))
    assert run(["fleet", "apply", str(fleet), "--to", url]) == 0
    assert "tenant tesla, priority 30" in capsys.readouterr().out
    cluster = find(rented / "slurm")
    assert "watt_hall" in (said := cluster.run("scontrol", "show", "licenses")) and "Total=12000" in said
    assert "PriorityTier=11" in cluster.run("scontrol", "show", "partition", "tesla")
    fleet.write_text(FLEET.format(priority=30, cap=12.0, num_nodes=3))
    assert run(["fleet", "apply", str(fleet), "--to", url]) == 2
    assert "its nodes stay as they are" in capsys.readouterr().err
    submit = ["fleet", "submit", "--on", url, "--spec", str(spec), "--json", "--tenant"]
    assert run([*submit, "nobody", "--", "sleep", "30"]) == 2
    assert "tenant 'nobody' is not known" in capsys.readouterr().err
    assert run([*submit, "xai", "--gpus", "4", "--", "sleep", "30"]) == 2
    capsys.readouterr()
    assert run([*submit, "xai", "--", "sleep", "30"]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told["gpus"] == 8 and told["kw"] > 1 and "plan predicts" in err
    noted = cluster.run("scontrol", "show", "job", told["job"])
    assert f"Comment=hubbub:expected_s={round(told['expected_s'])}" in noted


@needs_slurm
def test_a_controller_that_was_killed_comes_back_with_its_jobs(rented, capsys):
    cluster, url = find(rented / "slurm"), f"slurm:{rented / 'slurm'}"
    with pytest.raises(InvalidInput, match="16 GPUs draw 16 kW more than idle; hall may draw 12"):
        cluster.submit("tesla", 16, ["sleep", "60"])
    job = cluster.submit("tesla", 8, ["sleep", "60"])
    _until(lambda: _running(cluster))
    now_s, kept = time.time(), cluster.directory / "state" / "job_state"
    cluster.run("scontrol", "update", f"JobId={job}", "AdminComment=changed")
    _until(lambda: kept.stat().st_mtime > now_s)  # Slurm itself saves what changed every five seconds
    before = cluster.run("squeue", "--noheader", "--format=%i %P %t")
    (pid,) = daemons.running(cluster.directory, "slurmctld")
    os.kill(pid, signal.SIGKILL)
    _until(lambda: not daemons.running(cluster.directory, "slurmctld"))
    assert run(["fleet", "queue", "--on", url]) == 2
    assert "back with its jobs" in capsys.readouterr().err
    other = [sys.executable, "-c", "from hubbub.fleet.slurm import daemons; daemons.sweep()"]
    subprocess.run(other, check=True)
    assert run(["fleet", "up", "--on", url]) == 0
    assert cluster.run("squeue", "--noheader", "--format=%i %P %t") == before


@needs_slurm
def test_down_asks_while_jobs_run_and_leaves_nothing(rented, capsys, monkeypatch):
    directory, url = rented / "slurm", f"slurm:{rented / 'slurm'}"
    with pytest.raises(InUse, match="runs already"):
        start(directory, _spec(2))
    cluster = find(directory)
    _until(lambda: _running(cluster))
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    assert run(["fleet", "down", "--on", url]) != 0 and find(directory)
    spool = (directory / "spool").resolve()
    assert run(["fleet", "down", "--on", url, "--yes"]) == 0
    assert not daemons.running(directory) and not spool.exists()
    with pytest.raises(InvalidInput, match="no Slurm of"):
        find(directory)


@needs_slurm
def test_what_a_killed_up_left_is_cleaned_at_the_next(tmp_path):
    here, gone = tmp_path / "here", tmp_path / "gone"
    script = "import sys, msgspec; from pathlib import Path; from hubbub.fleet.slurm.bring_up import *; "
    script += "start(Path(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=FleetSpec))"
    # A quick one would be up before it is killed.
    slow = "import time; touch = Path.touch; "
    slow += "Path.touch = lambda at, *_: time.sleep(60) if at.name == 'ready' else touch(at); "
    words = [sys.executable, "-c", script.replace("start(", slow + "start(")]
    spec = msgspec.json.encode(_spec(2))
    spools = []
    for directory in (gone, here):
        process = subprocess.Popen([*words, str(directory), spec], start_new_session=True)
        _until(lambda at=directory: daemons.running(at, "slurmctld"))
        process.kill()
        process.wait()
        spools.append((directory / "spool").resolve())
        with pytest.raises(InvalidInput, match="no Slurm of"):
            find(directory)
        # Its daemons still write.
        _until(lambda: shutil.rmtree(gone, ignore_errors=True) or not gone.exists())
    cluster = start(here, _spec(1))
    try:
        assert not any(spool.exists() for spool in spools) and not daemons.running(gone)
        assert cluster.look().state.pools["hall"].nodes.num_free == 8
    finally:
        cluster.stop()


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give a file away")
def test_what_another_user_wrote_is_not_swept(tmp_path):
    theirs = daemons.make_spool(tmp_path, ["a-1"])
    (theirs / "owner").write_text(f"0\n{tmp_path / 'elsewhere'}")
    mine = tmp_path / "elsewhere" / "ready"
    mine.parent.mkdir()
    mine.touch()
    os.chown(theirs / "owner", 12_345, 12_345)
    try:
        daemons.sweep()
        assert mine.exists() and theirs.exists()
    finally:
        shutil.rmtree(theirs)


@needs_slurm
def test_a_cluster_that_does_not_come_up_says_why_and_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "slurm").mkdir()
    (tmp_path / "slurm" / "state").write_text("in the way")
    with pytest.raises(StorageError, match="cannot write the cluster's files"):
        start(tmp_path / "slurm", _spec(1))
    (tmp_path / "slurm" / "state").unlink()
    with pytest.raises(InvalidInput, match="'a{28}-1' has more than 28 letters"):
        start(tmp_path / "slurm", FleetSpec(pools=(Pool(name=28 * "a", num_nodes=1),)))
    with pytest.raises(InvalidInput, match="use a path of plain letters"):
        start(tmp_path / "a b", _spec(1))
    broken = tmp_path / "bin" / "slurmd"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken.parent}:{os.environ['PATH']}")
    with pytest.raises(StorageError, match="did not come up"):
        start(tmp_path / "slurm", _spec(1), timeout_s=1)
    with pytest.raises(InvalidInput, match="no Slurm of"):
        find(tmp_path / "slurm")
    left = [
        path
        for path in Path(tempfile.gettempdir()).glob("hubbub-slurm-*/owner")
        if str(tmp_path) in path.read_text()
    ]
    assert not left and not daemons.running(tmp_path / "slurm")
