import pytest

from hubbub.errors import InvalidInput
from hubbub.fleet.explain import forecast, what_if, why
from hubbub.fleet.jobs import Job
from hubbub.fleet.policy import Policy
from hubbub.fleet.simulator import simulate
from hubbub.fleet.spec import FleetSpec, Pool, Site, Tenant
from hubbub.fleet.state import FleetState

POLICY = Policy()
TENANTS = (Tenant(name="xai", priority=2), Tenant(name="lab", priority=1))


def _job(name, tenant, gpus, submit_s, run_s, **options):
    return Job(
        id=name, tenant=tenant, gpus=gpus, submit_s=submit_s, run_s=run_s,
        priority=2 if tenant == "xai" else 1, **options,
    )  # fmt: skip


def _at(until_s, *jobs, num_nodes=2, **options):
    spec = FleetSpec(pools=(Pool(name="own", num_nodes=num_nodes, **options),), tenants=TENANTS)
    return _of(spec, until_s, *jobs)


def _of(spec, until_s, *jobs):
    state = FleetState(spec)
    simulate(spec, jobs, POLICY, until_s=until_s, state=state)
    return state


def test_each_kind_of_wait_is_named():
    state = _at(5, _job("a", "xai", 16, 0, 100), _job("b", "lab", 8, 1, 10), _job("c", "lab", 1, 2, 10))
    assert why(state, POLICY, "a").kind == "runs"
    told = why(state, POLICY, "b")
    assert told.kind == "gpus"
    assert told.text == "it needs 8 GPUs, 0 are free in own; xai holds 16 (priority 2)"
    assert why(state, POLICY, "c").kind == "queue" and "b of its own tenant" in why(state, POLICY, "c").text
    with pytest.raises(InvalidInput, match="job 'z' is neither"):
        why(state, POLICY, "z")

    state = _at(5, _job("a", "xai", 5, 0, 100), _job("a2", "xai", 5, 0, 100), _job("b", "lab", 6, 1, 10))
    assert why(state, POLICY, "b").kind == "nodes"

    fixed = {"is_preemptible": False}
    state = _at(
        5,
        _job("old", "lab", 8, 0, 100, **fixed),
        _job("a", "xai", 16, 1, 9),
        _job("b", "lab", 8, 2, 9, **fixed),
    )
    assert why(state, POLICY, "b").kind == "rank" and "a (priority 2)" in why(state, POLICY, "b").text

    pool = Pool(name="own", num_nodes=2, site="hall", busy_kw_per_gpu=1.0)
    spec = FleetSpec(pools=(pool,), tenants=TENANTS, sites=(Site(name="hall", cap_kw=10),))
    state = _of(spec, 5, _job("a", "xai", 8, 0, 100), _job("b", "lab", 8, 1, 10))
    assert why(state, POLICY, "b").text == ("GPUs are free in own, but hall draws 8 of 10 kW, and 6 kW lack")
    told = {option.change: option.costs for option in what_if(state, POLICY, "b")}
    assert told["with 6 kW more at hall"] == "its cap of 10 kW would be 16" and "with 2 GPUs" in told

    state = _at(5, _job("a", "lab", 16, 0, 100, min_gpus=4), _job("b", "xai", 8, 1, 10))
    assert why(state, POLICY, "a").text == (
        "it runs on 8 GPUs of own (it asked for 16, and grows when they are free)"
    )


def test_a_forecast_is_what_then_happens():
    jobs = [
        _job("a", "xai", 16, 0, 100),
        _job("b", "lab", 16, 1, 50),
        _job("c", "lab", 8, 2, 10),
        _job("d", "xai", 8, 3, 10),
    ]
    state = _at(5, *jobs)
    spec = state.spec
    ended = {claim.job.id: claim for claim in simulate(spec, jobs, POLICY).finished}
    for name in ("b", "c", "d"):
        told = forecast(state, POLICY, name)
        assert told.start_s == ended[name].finished_s - ended[name].job.run_s
        assert told.low_s <= told.start_s <= told.high_s and told.low_s < told.high_s
    assert forecast(state, POLICY, "a").start_s == 0
    assert sorted(state.claims) == ["a", "b", "c", "d"], "asking changes nothing"


def test_who_runs_longer_than_expected_is_taken_to_need_half_as_long_again():
    state = _at(60, _job("a", "xai", 16, 0, 100, expected_s=10), _job("b", "lab", 16, 1, 50))
    assert forecast(state, POLICY, "b").start_s == 90


def test_what_would_start_it_now_with_the_cheapest_first():
    rented = Pool(name="cloud", num_nodes=4, is_rented=True, usd_per_gpu_hour=2, lead_s=60)
    spec = FleetSpec(pools=(Pool(name="own", num_nodes=2), rented), tenants=TENANTS)
    state = _of(spec, 5, _job("a", "xai", 12, 0, 100), _job("b", "lab", 16, 1, 10))
    told = what_if(state, POLICY, "b")
    assert [option.change for option in told] == [
        "with 4 GPUs", "rented from cloud at $2 a GPU-hour", "with priority 3"
    ]  # fmt: skip
    assert told[1].costs == "$32 an hour, there after 1 min"
    assert told[2].costs == "1 jobs leave: a"
    assert what_if(state, POLICY, "a") == []
