"""Jobs on a real Ray of three nodes on loopback; skipped where Ray is not installed."""

import importlib.util
import os
import sys

import msgspec
import pytest

from hubbub.errors import InUse, InvalidInput
from hubbub.fleet.launcher import bring_up, capped, open_launcher
from hubbub.fleet.spec import FleetSpec, Pool, Site, Tenant
from tests.fleet.watching import ended, runs, until

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None, reason="needs ray: pip install 'hubbub[ray]'"
    ),
    pytest.mark.filterwarnings("default"),
]
PYTHON = [sys.executable, "-S", "-c"]
NOTE = (
    "import os, time; e = os.environ\n"
    "open(e['TOLD'], 'a').write(e['HUBBUB_JOB'] + ' ' + e['HUBBUB_NODE'] + '\\n'); time.sleep({})"
)
FLEET = FleetSpec(
    pools=(Pool(name="unused", num_nodes=1),),
    tenants=(Tenant(name="xai", priority=20), Tenant(name="tesla", priority=10)),
)


@pytest.fixture(scope="module")
def cluster():
    """A head without GPUs and two nodes of 4."""
    os.environ |= {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_health_check_period_ms": "500", "RAY_health_check_failure_threshold": "3",
    }  # fmt: skip
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "node_ip_address": "127.0.0.1", "object_store_memory": 100 << 20}
    started = Cluster(True, head_node_args={**node, "num_gpus": 0, "include_dashboard": False})
    for _ in range(2):
        started.add_node(**node, num_gpus=4)
    yield started
    import ray

    ray.shutdown()
    started.shutdown()


@pytest.fixture(scope="module")
def fleet(cluster):
    url = f"ray://{cluster.address}"
    with pytest.raises(InvalidInput, match="no jobs are led"):
        open_launcher(url)
    led = bring_up(url, FLEET)
    with pytest.raises(InUse, match="led on .* already"):
        bring_up(url, FLEET)
    yield led
    led.stop()


@pytest.fixture(autouse=True)
def _told(fleet, tmp_path, monkeypatch):
    monkeypatch.setenv("TOLD", str(tmp_path / "told"))
    yield
    for job in fleet.look().state.claims:
        fleet.cancel(job)
    until(lambda: not fleet.look().state.claims)


def test_gangs_run_wholly_and_a_stronger_tenant_goes_first(fleet, tmp_path):
    assert [(p.name, p.num_nodes, p.gpus_per_node) for p in fleet.spec.pools] == [("gpu4", 2, 4)]
    words = ["$(touch a)", "a b", "'"]
    script = (
        "import os, sys; e = os.environ\n"
        "open('told', 'a').write(e['RANK'] + e['CUDA_VISIBLE_DEVICES'] + str(sys.argv[1:]) + '\\n')"
    )
    job = fleet.submit("tesla", 8, [*PYTHON, script, *words], directory=tmp_path)
    assert ended(fleet, job) == "is done"
    lines = sorted((tmp_path / "told").read_text().splitlines())
    assert lines == [f"{rank}0,1,2,3{words}" for rank in range(2)] and len(os.listdir(tmp_path)) == 1

    weak = fleet.submit("tesla", 8, ["sleep", "60"])
    until(lambda: runs(fleet, weak))
    strong = fleet.submit("xai", 4, [*PYTHON, NOTE.format(1)])
    until(lambda: runs(fleet, strong))
    assert not runs(fleet, weak) and fleet.look().state.claims[weak].num_preempted == 1
    assert ended(fleet, strong) == "is done"
    until(lambda: runs(fleet, weak))
    job = fleet.submit("xai", 1, ["no-such-command"])
    assert ended(fleet, job) == "could not be started: No such file or directory: no-such-command"


def test_power_is_kept_where_the_file_says_what_the_nodes_draw(fleet):
    before = fleet.spec
    pools = tuple(msgspec.structs.replace(pool, site="hall", busy_kw_per_gpu=1.0) for pool in before.pools)
    powered = msgspec.structs.replace(before, pools=pools, sites=(Site(name="hall", cap_kw=8.0),))
    fleet.change(powered)
    xai, tesla = (fleet.submit(tenant, 4, ["sleep", "60"]) for tenant in ("xai", "tesla"))
    until(lambda: runs(fleet, xai) and runs(fleet, tesla))
    fleet.change(capped(fleet.spec, "hall", 5.0))
    until(lambda: not runs(fleet, tesla))
    assert fleet.look().state.sites["hall"].drawn_kw == 4.0 and runs(fleet, xai)
    with pytest.raises(InvalidInput, match="its nodes stay as they are"):
        fleet.change(FLEET)
    fleet.change(before)
    until(lambda: runs(fleet, tesla))


def test_a_leader_that_dies_is_brought_back_and_knows_its_jobs(fleet, tmp_path):
    import ray

    job = fleet.submit("xai", 4, [*PYTHON, NOTE.format(3)])
    until(lambda: runs(fleet, job) and (tmp_path / "told").exists())
    ray.kill(ray.get_actor("hubbub-fleet", namespace="hubbub"), no_restart=False)
    other = fleet.submit("xai", 1, [*PYTHON, NOTE.format(0)])
    assert ended(fleet, job) == "is done" and ended(fleet, other) == "is done"
    assert sorted(line.split()[0] for line in (tmp_path / "told").read_text().splitlines()) == [job, other]


def test_a_job_whose_node_dies_is_finished_on_the_other(fleet, cluster, tmp_path):
    job = fleet.submit("xai", 2, [*PYTHON, NOTE.format(4)])
    until((tmp_path / "told").exists)
    claim = fleet.look().state.claims[job]
    import ray

    alive = [node for node in cluster.list_all_nodes() if not node.head]
    ids = ray.get(ray.get_actor("hubbub-fleet", namespace="hubbub").ask.remote("ids"))[1]
    (doomed,) = [node for node in alive if node.node_id == ids["gpu4"][claim.shares[0][0]]]
    cluster.remove_node(doomed, allow_graceful=False)
    assert ended(fleet, job) == "is done"
    first, second = (tmp_path / "told").read_text().splitlines()
    assert first != second, "on another node"
    assert list(fleet.look().out.values()) == ["down: Ray has lost it"]
