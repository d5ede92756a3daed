import pytest

from hubbub.errors import InvalidInput
from hubbub.fleet.goodput import effective_share
from hubbub.fleet.jobs import Job
from hubbub.fleet.simulator import simulate
from hubbub.fleet.spec import FleetSpec, Pool


def test_a_long_run_that_fails_comes_to_the_closed_form():
    nodes, days = 16, 400.0  # Llama 3's mean time to failure of 3.09 h; its 2,048 nodes would tell no more
    pool = Pool(name="own", num_nodes=nodes + 8, mttf_node_days=3.09 / 24 * nodes, repair_s=3_600)
    job = Job(
        id="llama",
        tenant="a",
        gpus=nodes * 8,
        submit_s=0,
        run_s=days * 86_400,
        checkpoint_s=600,
        restart_s=300,
    )
    (claim,) = simulate(FleetSpec(pools=(pool,)), [job]).finished
    share = claim.job.run_s / claim.finished_s
    assert claim.num_failures > 2_500
    assert share == pytest.approx(effective_share(600, 300, 3.09 * 3_600), abs=0.005)
    assert share > 0.90


def test_the_closed_form_at_its_ends():
    assert effective_share(1, 0, 1e9) == pytest.approx(1)
    assert effective_share(600, 300, 3.09 * 3_600) == pytest.approx(0.947, abs=5e-4)
    with pytest.raises(InvalidInput, match="interval_s 0"):
        effective_share(0, 1, 1)
