import json
import math
import time

import pytest

from hubbub.errors import Corruption, InvalidInput
from hubbub.fleet.explain import starts_of
from hubbub.fleet.policy import Policy
from hubbub.fleet.slurm.truth import expand, read_truth
from hubbub.fleet.spec import FleetSpec, Pool, Tenant

SPEC = FleetSpec(pools=(Pool(name="hall", num_nodes=3),), tenants=(Tenant(name="xai", priority=2),))


def _told(jobs, nodes):
    return lambda name, _: json.dumps({"jobs": jobs} if name == "squeue" else {"nodes": nodes})


def _job(number, **fields):
    return {
        "job_id": number, "name": "a", "partition": "xai", "job_state": "PENDING", "submit_time": 5,
        "requeue": True, "start_time": 9, "time_limit": 2, "tres_per_node": "gres:gpu:8",
        "node_count": 2, **fields,
    }  # fmt: skip


def test_both_forms_of_slurms_json_say_the_same():
    old = _job(
        7, job_state="RUNNING", nodes="hall-[1,3]", gres_detail=["gpu:h100:8(IDX:0-7)", "gpu:h100:8(IDX:0-7)"]
    )
    number = {"set": True, "infinite": False}
    new = {
        **old,
        "job_state": ["RUNNING"],
        "submit_time": {**number, "number": 5},
        "start_time": {**number, "number": 9},
        "time_limit": {**number, "number": 2},
        "node_count": {**number, "number": 2},
    }
    node = {"name": "hall-2", "state": "idle"}
    for job, state in ((old, "idle"), (new, ["IDLE"])):
        truth = read_truth(_told([job], [{**node, "state": state}]), SPEC)
        claim = truth.state.claims["7"]
        assert (claim.job.gpus, claim.job.run_s, claim.job.priority, claim.started_s) == (16, 120, 2, 9)
        assert claim.shares == [(0, 8), (2, 8)] and truth.state.pools["hall"].nodes.free == [0, 8, 0]


def test_who_is_requeued_waits_while_its_processes_leave():
    leaving = [_job(1, job_state="COMPLETING", end_time=2e12), _job(2, job_state="COMPLETING", end_time=9)]
    assert list(read_truth(_told(leaving, []), SPEC).waiting) == ["1"]


def test_who_leaves_holds_its_gpus_until_its_processes_are_gone():
    gone = _job(1, job_state="COMPLETING", end_time=9, nodes="hall-[1-2]", gres_detail=[])
    again = _job(2, job_state="COMPLETING", end_time=2e12, nodes="hall-3", gres_detail=[], node_count=1)
    shown, soon = (
        read_truth(_told([gone, again], []), SPEC, are_gone=are_gone) for are_gone in (False, True)
    )
    assert shown.state.pools["hall"].nodes.free == [0, 0, 0] and not shown.waiting
    assert soon.state.pools["hall"].nodes.free == [8, 8, 8] and list(soon.waiting) == ["2"]
    dead = [{"name": "hall-3", "state": "down"}]
    assert list(read_truth(_told([again], dead), SPEC).waiting) == ["2"], "a dead node draws nothing"


def test_who_waits_is_taken_in_with_slurms_own_reason():
    jobs = [
        _job(1, state_reason="Licenses", comment="hubbub:expected_s=30", start_time=1e12),
        _job(
            2,
            tres_per_node="",
            tres_per_job="gres/gpu:3",
            time_limit={"set": False, "infinite": True, "number": 0},
        ),
        _job(3, tres_per_node="cpu:2"),
        _job(4, job_state="COMPLETED"),
    ]
    truth = read_truth(_told(jobs, []), SPEC)
    assert sorted(truth.state.claims) == ["1", "2"]
    assert truth.state.claims["1"].planned_s == 1e12 and math.isinf(truth.state.claims["2"].planned_s)
    assert truth.waiting["1"].reason == "Licenses" and truth.state.claims["1"].job.expected_s == 30
    assert truth.state.claims["2"].job.gpus == 3 and truth.state.claims["2"].job.run_s > 1e8


def test_who_slurm_lets_pass_is_expected_when_slurm_plans_it():
    soon_s = time.time() + 60
    on_all = {"job_state": "RUNNING", "nodes": "hall-[1-3]", "gres_detail": 3 * ["gpu:h100:8(IDX:0-7)"]}
    jobs = [
        _job(1, **on_all, start_time=time.time(), time_limit=100),
        _job(2, node_count=3, state_reason="Resources", start_time=soon_s + 9e3),
        _job(3, node_count=1, state_reason="Priority", start_time=soon_s),
        _job(4, node_count=1, state_reason="BeginTime", start_time=soon_s),
    ]
    starts = starts_of(read_truth(_told(jobs, []), SPEC).state, Policy())
    assert starts["3"] == soon_s, "a job that fits into a gap"
    assert soon_s + 5_000 < starts["2"] < soon_s + 6_000 < starts["4"], "ours, where it is earlier or alone"


@pytest.mark.parametrize(
    "state", ["down", "drained", ["IDLE", "DRAIN"], "unknown", ["DOWN", "NOT_RESPONDING"]]
)
def test_a_node_that_is_not_well_is_out(state):
    truth = read_truth(_told([], [{"name": "hall-2", "state": state}]), SPEC)
    assert truth.state.pools["hall"].nodes.num_free == 16


def test_lists_of_nodes_and_what_is_foreign():
    assert expand("hall-[1-3,7],b-2") == ["hall-1", "hall-2", "hall-3", "hall-7", "b-2"]
    assert expand("n[08-11]") == ["n08", "n09", "n10", "n11"] and expand("") == []
    with pytest.raises(InvalidInput, match="node 'other-1' belongs to no pool"):
        read_truth(_told([], [{"name": "other-1", "state": "idle"}]), SPEC)
    with pytest.raises(Corruption, match="Slurm's JSON of jobs"):
        read_truth(lambda *_: "slurm_load_jobs error", SPEC)
