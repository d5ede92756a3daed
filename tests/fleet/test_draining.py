import pytest

from hubbub.errors import InvalidInput
from hubbub.fleet.jobs import Job
from hubbub.fleet.policy import Policy
from hubbub.fleet.simulator import simulate
from hubbub.fleet.spec import FleetSpec, Pool

DAY = 86_400.0


def _run(drains, *, lemon_factor=60.0, mend_s=1e9, seed=1):
    """Run on 60 of 64 nodes for 60 days; three of the nodes are lemons."""
    pool = Pool(
        name="own",
        num_nodes=64,
        mttf_node_days=200,
        lemon_share=0.05,
        lemon_factor=lemon_factor,
        mend_s=mend_s,
    )
    told = []
    job = Job(id="run", tenant="a", gpus=480, submit_s=0, run_s=60 * DAY, checkpoint_s=1_800, restart_s=600)
    result = simulate(
        FleetSpec(pools=(pool,)),
        [job],
        Policy(drains=drains),
        seed=seed,
        watch=lambda state, action: told.append(
            (type(action).__name__, state.now_s, getattr(action, "node", None))
        ),
    )
    (claim,) = result.finished
    return claim, [each for each in told if each[0] in ("Drain", "Avoid")]


def test_lemons_are_found_and_drained_and_the_run_ends_sooner():
    without, nothing = _run(drains=False)
    claim, told = _run(drains=True)
    assert not nothing
    drained = {node for name, _, node in told if name == "Drain"}
    assert len(drained) == 3 and {node for name, _, node in told if name == "Avoid"} <= drained
    assert claim.num_failures < without.num_failures / 2 and claim.finished_s < without.finished_s - 0.5 * DAY


def test_where_all_nodes_fail_alike_none_is_drained():
    claim, told = _run(drains=True, lemon_factor=1.0)
    assert claim.num_failures > 10 and not [each for each in told if each[0] == "Drain"]


def test_what_was_mended_is_back_and_no_lemon_any_more():
    claim, told = _run(drains=True, mend_s=5 * DAY)
    drained = [node for name, _, node in told if name == "Drain"]
    assert len(drained) == len(set(drained)) == 3


def test_a_share_of_lemons_that_cannot_be_is_refused():
    with pytest.raises(InvalidInput, match=r"pool 'own': lemon_share 2 must be 0 to 1"):
        FleetSpec(pools=(Pool(name="own", num_nodes=1, lemon_share=2),))
