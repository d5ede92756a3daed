import json
import os
import shutil
import time

import pytest

from hubbub.cli.main import run
from hubbub.errors import InvalidInput
from hubbub.fleet.slurm.cluster import PROGRAMS, start
from hubbub.fleet.slurm.submit import submit
from hubbub.fleet.spec import FleetSpec, Pool, Site, Tenant

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, PROGRAMS)), reason="needs Debian's slurmctld, slurmd and slurm-client"
)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    pool = Pool(
        name="hall", num_nodes=3, site="hall", busy_kw_per_gpu=1.0, idle_kw_per_gpu=0.25, gpus_per_node=4
    )
    spec = FleetSpec(
        pools=(pool,),
        tenants=(
            Tenant(name="xai", priority=20),
            Tenant(name="tesla", priority=10, guaranteed_gpus=4),
        ),
        sites=(Site(name="hall", cap_kw=12.0),),
    )
    started = start(tmp_path_factory.mktemp("slurm"), spec)
    yield started
    started.stop()


@pytest.fixture(autouse=True)
def _empty(cluster):
    yield
    cluster.run("scancel", "--full", *_jobs(cluster)) if _jobs(cluster) else None
    _until(lambda: not _jobs(cluster))
    run(["fleet", "power", "--on", f"slurm:{cluster.directory}", "--cap-kw", "12"])


def _jobs(cluster):
    return cluster.run("squeue", "--noheader", "--format=%i").split()


def _state(cluster, job):
    return cluster.run("squeue", "--noheader", "--format=%t", f"--jobs={job}").strip()


def _until(holds, timeout_s=20.0):
    end_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.05)


def _fleet(cluster, capsys, *words):
    capsys.readouterr()
    assert run(["fleet", *words, "--on", f"slurm:{cluster.directory}", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_lower_cap_takes_the_lower_tenant_off_until_the_hall_is_under_it(cluster, capsys):
    tesla = submit(cluster, "tesla", 4, ["sleep", "60"], name="fsd", expected_s=60)
    xai = submit(cluster, "xai", 4, ["sleep", "60"], name="grok", expected_s=60)
    _until(lambda: {_state(cluster, tesla), _state(cluster, xai)} == {"R"})
    (site,) = _fleet(cluster, capsys, "power")
    assert site == {"site": "hall", "cap_kw": 12.0, "drawn_kw": 9.0, "headroom_kw": 3.0}
    # By right, tesla stays; what xai borrows goes first.
    assert _fleet(cluster, capsys, "power", "--cap-kw", "6")[0]["headroom_kw"] == -3.0
    assert run(["fleet", "steer", "--once", "--on", f"slurm:{cluster.directory}"]) == 0
    assert capsys.readouterr().out == f"{xai} preempted: hall may draw 6 kW\n"
    _until(lambda: _state(cluster, xai) == "PD")
    assert _fleet(cluster, capsys, "power")[0]["drawn_kw"] == 6.0
    told = _fleet(cluster, capsys, "why", xai)
    assert told["kind"] == "power" and "3 kW lack" in told["text"]
    row = next(row for row in _fleet(cluster, capsys, "queue") if row["job"] == xai)
    assert (row["name"], row["runs"]) == ("grok", False) and 40 <= row["starts_in_s"] <= 60


def test_idle_gpus_of_a_sister_are_lent_and_taken_back_at_once(cluster, capsys):
    jobs = [submit(cluster, "xai", 4, ["sleep", "60"], expected_s=60) for _ in range(3)]
    _until(lambda: all(_state(cluster, job) == "R" for job in jobs))
    top = {row["tenant"]: row for row in _fleet(cluster, capsys, "top")["tenants"]}
    assert (top["xai"]["held"], top["xai"]["borrowed"]) == (12, 12)
    tesla = submit(cluster, "tesla", 4, ["sleep", "60"], expected_s=60)
    _until(lambda: _state(cluster, tesla) == "PD")
    assert run(["fleet", "steer", "--once", "--on", f"slurm:{cluster.directory}"]) == 0
    assert "gives way to " + tesla in capsys.readouterr().out
    _until(lambda: _state(cluster, tesla) == "R")
    assert sorted(_state(cluster, job) for job in jobs) == ["PD", "R", "R"]
    nodes = _fleet(cluster, capsys, "nodes")
    assert [row["free"] for row in nodes] == [0, 0, 0] and tesla in " ".join(row["jobs"] for row in nodes)


def test_a_node_that_is_put_down_loses_its_job_to_a_spare(cluster, capsys):
    job = submit(cluster, "tesla", 8, ["sleep", "60"], expected_s=60)
    _until(lambda: _state(cluster, job) == "R")
    node = next(row["node"] for row in _fleet(cluster, capsys, "nodes") if row["jobs"])
    cluster.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
    rows = {row["node"]: row for row in _fleet(cluster, capsys, "nodes")}
    assert rows[node]["state"] == "out"
    _until(lambda: _state(cluster, job) == "R", 40)
    assert node not in [row["node"] for row in _fleet(cluster, capsys, "nodes") if row["jobs"]]
    cluster.run("scontrol", "update", f"NodeName={node}", "State=RESUME")


def test_nothing_of_a_command_or_name_reaches_a_shell(cluster, tmp_path):
    words = ["$(touch a)", "; touch b", "`touch c`", "a b", "*", "'", '"', "--wrap=touch d"]
    script = "import sys,json; open('told','w').write(json.dumps(sys.argv[1:]))"
    submit(cluster, "xai", 4, ["python3", "-c", script, *words], directory=tmp_path)
    _until(lambda: (tmp_path / "told").exists() and not _jobs(cluster))
    assert json.loads((tmp_path / "told").read_text()) == words
    assert os.listdir(tmp_path) == ["told"]
    for name in ("a;b", "$(x)", "", "a\nb", "x" * 65):
        with pytest.raises(InvalidInput, match="job name"):
            submit(cluster, "xai", 4, ["true"], name=name)
    with pytest.raises(InvalidInput, match="tenant 'x; y' is not known"):
        submit(cluster, "x; y", 4, ["true"])
    with pytest.raises(InvalidInput, match="13 GPUs: ask for 1 to 12"):
        submit(cluster, "xai", 13, ["true"])
    with pytest.raises(InvalidInput, match="do not spread evenly"):
        submit(cluster, "xai", 7, ["true"])
