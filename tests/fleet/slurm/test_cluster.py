import os
import shutil
import time

import pytest

from hubbub.errors import InUse, InvalidInput, StorageError
from hubbub.fleet.slurm.cluster import PROGRAMS, find, start
from hubbub.fleet.slurm.config import policy_lines
from hubbub.fleet.spec import FleetSpec, Pool, Site, Tenant

needs_slurm = pytest.mark.skipif(
    not all(map(shutil.which, PROGRAMS)), reason="needs Debian's slurmctld, slurmd and slurm-client"
)
TENANTS = (Tenant(name="xai", priority=20), Tenant(name="tesla", priority=10))


def _spec(num_nodes):
    pool = Pool(name="hall", num_nodes=num_nodes, site="hall", busy_kw_per_gpu=1.0)
    return FleetSpec(pools=(pool,), tenants=TENANTS, sites=(Site(name="hall", cap_kw=8.0 * num_nodes),))


def test_tenants_become_partitions_and_power_licences():
    rest = "GraceTime=0 MaxTime=INFINITE State=UP"
    assert policy_lines(_spec(4)) == [
        "Licenses=watt_hall:32000",
        f"PartitionName=xai Nodes=ALL PriorityTier=11 PreemptMode=OFF {rest}",
        f"PartitionName=tesla Nodes=ALL PriorityTier=1 PreemptMode=REQUEUE {rest} Default=YES",
    ]
    for name in ("a b", "x\nNodes=ALL", "../x", "", "1st"):
        with pytest.raises(InvalidInput, match="cannot be named so in Slurm|is named"):
            policy_lines(FleetSpec(pools=_spec(1).pools, sites=_spec(1).sites, tenants=(Tenant(name=name),)))


@needs_slurm
def test_x_goes_before_tesla_on_a_real_slurm(tmp_path):
    cluster = start(tmp_path / "slurm", _spec(2))
    try:
        with pytest.raises(InUse, match="runs already"):
            start(tmp_path / "slurm", _spec(2))
        script = tmp_path / "job.sh"
        script.write_text('#!/bin/sh\nexec "$@"\n')
        submit = ("sbatch", "--parsable", "--nodes=2", "--gres=gpu:8", "--chdir", str(tmp_path))
        tesla = cluster.run(*submit, "--partition=tesla", str(script), "sleep", "60").strip()
        _wait(cluster, tesla, "R", 10)
        xai = cluster.run(*submit, "--partition=xai", str(script), "sleep", "60").strip()
        assert _wait(cluster, xai, "R", 10) < 10
        assert _state(cluster, tesla) in ("PD", "CG")
        with pytest.raises(InvalidInput, match="sbatch refused"):
            cluster.run(*submit, "--partition=nobody", str(script))
        assert find(tmp_path / "slurm").spec == cluster.spec
    finally:
        cluster.stop()
    with pytest.raises(InvalidInput, match="no Slurm of"):
        find(tmp_path / "slurm")


@needs_slurm
def test_a_cluster_that_does_not_come_up_says_why_and_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "slurm").mkdir()
    (tmp_path / "slurm" / "state").write_text("in the way")
    with pytest.raises(StorageError, match="cannot write the cluster's files"):
        start(tmp_path / "slurm", _spec(1))
    (tmp_path / "slurm" / "state").unlink()
    broken = tmp_path / "bin" / "slurmd"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken.parent}:{os.environ['PATH']}")
    with pytest.raises(StorageError, match="did not come up"):
        start(tmp_path / "slurm", _spec(1), timeout_s=1)
    with pytest.raises(InvalidInput, match="no Slurm of"):
        find(tmp_path / "slurm")


def _state(cluster, job):
    return cluster.run("squeue", "--noheader", "--format=%t", f"--jobs={job}").strip()


def _wait(cluster, job, state, timeout_s):
    began_s = time.monotonic()
    while _state(cluster, job) != state:
        assert time.monotonic() - began_s < timeout_s, cluster.run("squeue")
        time.sleep(0.05)
    return time.monotonic() - began_s
