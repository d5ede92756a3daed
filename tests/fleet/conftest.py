"""The same small hall on every engine: 3 nodes of 4 GPUs, 12 kW, xai before tesla, which is guaranteed 4."""

import shutil

import pytest

from hubbub.fleet.local.launcher import start_local
from hubbub.fleet.slurm.bring_up import PROGRAMS, start
from hubbub.fleet.spec import FleetSpec, Pool, Site, Tenant

HALL = FleetSpec(
    pools=(
        Pool(
            name="hall", num_nodes=3, site="hall", gpus_per_node=4, busy_kw_per_gpu=1.0, idle_kw_per_gpu=0.25
        ),
    ),
    tenants=(Tenant(name="xai", priority=20), Tenant(name="tesla", priority=10, guaranteed_gpus=4)),
    sites=(Site(name="hall", cap_kw=12.0),),
)


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    """A Slurm that all tests of the session share; each leaves it empty and as it was."""
    if not all(map(shutil.which, PROGRAMS)):
        pytest.skip("needs Debian's slurmctld, slurmd and slurm-client")
    started = start(tmp_path_factory.mktemp("slurm"), HALL)
    yield started
    started.stop()


@pytest.fixture(scope="session")
def local(tmp_path_factory):
    """A fleet of processes, as long."""
    started = start_local(tmp_path_factory.mktemp("local") / "fleet", HALL, grace_s=5.0)
    yield started
    started.stop()
