"""What the policy does beyond starting and preempting: each action by hand, then all of them at random."""

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.errors import InvalidInput
from hubbub.fleet.actions import Cap, Grow, Lend, Preempt, Shrink, Start, SwapDelivery, TakeBack
from hubbub.fleet.deliveries import Delay, Orders, Readiness, Shipment
from hubbub.fleet.jobs import Job
from hubbub.fleet.policy import ORDERS, Policy
from hubbub.fleet.simulator import simulate
from hubbub.fleet.spec import FleetSpec, GridEvent, Pool, Site, Tenant

PRIORITIES = {"xai": 2, "tesla": 1, "lab": 0}
TENANTS = tuple(Tenant(name=name, priority=priority) for name, priority in PRIORITIES.items())


def _job(name, tenant, gpus, submit_s, run_s, **options):
    return Job(
        id=name,
        tenant=tenant,
        gpus=gpus,
        submit_s=submit_s,
        run_s=run_s,
        priority=PRIORITIES[tenant],
        **options,
    )


def _run(spec, *jobs, **options):
    told = []
    result = simulate(spec, jobs, watch=lambda state, action: told.append((state.now_s, action)), **options)
    return {claim.job.id: claim for claim in result.finished}, told, result


def _of(told, kind):
    return [(at_s, action) for at_s, action in told if isinstance(action, kind)]


def test_an_elastic_job_gives_up_a_part_and_grows_back():
    spec = FleetSpec(pools=(Pool(name="own", num_nodes=2),), tenants=TENANTS)
    ended, told, result = _run(
        spec,
        _job("wide", "lab", 16, 0, 100, min_gpus=8, restart_s=2),
        _job("grok", "xai", 8, 10, 20),
    )
    assert [(at_s, action.gpus, action.for_job) for at_s, action in _of(told, Shrink)] == [(10, 8, "grok")]
    assert [(at_s, action.gpus) for at_s, action in _of(told, Grow)] == [(30, 16)]
    assert result.num_preemptions == 0 and ended["grok"].waited_s == 0
    # 10 s of work, 2 s restart and 18 s at half speed, 2 s restart, and what is left of 100 at full speed
    assert ended["wide"].finished_s == 30 + 2 + (100 - 10 - 18 / 2)


def test_an_elastic_job_starts_on_what_is_free():
    spec = FleetSpec(pools=(Pool(name="own", num_nodes=3),), tenants=TENANTS)
    ended, told, _ = _run(spec, _job("a", "lab", 12, 0, 100), _job("b", "lab", 16, 0, 40, min_gpus=8))
    assert [(action.job, len(action.shares)) for _, action in _of(told, Start)] == [("a", 2), ("b", 2)]
    assert ended["b"].finished_s == pytest.approx(40 * 16 / 12)


def _hall(min_clock, **event):
    pool = Pool(
        name="own", num_nodes=4, site="m", busy_kw_per_gpu=1.0, idle_kw_per_gpu=0.2, min_clock=min_clock
    )
    grid = GridEvent(site="m", start_s=100, duration_s=50, cut=0.1, **event)
    return FleetSpec(pools=(pool,), tenants=TENANTS, sites=(Site(name="m", cap_kw=32),), grid_events=(grid,))


def test_clocks_fall_before_jobs_leave_and_rise_again():
    jobs = [_job("top", "xai", 16, 0, 200), _job("low", "lab", 16, 0, 200)]
    ended, told, result = _run(_hall(0.75), *jobs)
    (fell, rose) = _of(told, Cap)
    assert (fell[0], fell[1].job, rose[0], rose[1].job) == (100, "low", 150, "low")
    assert fell[1].kw_per_gpu == pytest.approx(1.0 - 3.2 / 16) and rose[1].kw_per_gpu == 1.0
    assert result.num_preemptions == 0 and result.over_cap_kw == 0 and ended["top"].finished_s == 200
    slow = ((0.8 - 0.451) / 0.549) ** 0.5  # plan's law: .549 of the power goes with the square of the clock
    assert ended["low"].finished_s == pytest.approx(150 + (200 - 100 - 50 * slow))
    # where clocks may not fall so far, the weaker one leaves
    ended, told, result = _run(_hall(1.0), *jobs)
    assert [action.job for _, action in _of(told, Preempt)] == ["low"] and not _of(told, Cap)


def test_with_notice_jobs_have_left_when_a_grid_event_starts():
    _, told, result = _run(
        _hall(1.0, notice_s=30), _job("top", "xai", 16, 0, 200), _job("low", "lab", 16, 0, 9e3)
    )
    assert [(at_s, action.job) for at_s, action in _of(told, Preempt)] == [(70, "low")]
    assert [at_s for at_s, action in _of(told, Start) if action.job == "low"] == [0, 150]


def test_a_gang_goes_on_at_once_on_a_hot_spare():
    job = _job("gang", "xai", 16, 0, 4e5, checkpoint_s=600, restart_s=60)
    pool = Pool(name="own", num_nodes=3, num_spares=1, mttf_node_days=1.0, repair_s=600)
    ended, told, result = _run(FleetSpec(pools=(pool,), tenants=TENANTS), job)
    assert result.num_failures > 3
    spared = [action for _, action in _of(told, Start) if "spare" in action.reason]
    assert len(spared) >= result.num_failures - 1 and ended["gang"].waited_s < 600
    without = _run(FleetSpec(pools=(Pool(name="own", num_nodes=2, mttf_node_days=1.0, repair_s=600),)), job)[
        0
    ]
    assert without["gang"].waited_s > 1_000


def test_what_is_lent_and_taken_back_is_told():
    tenants = (Tenant(name="xai", priority=2), Tenant(name="tesla", priority=1, guaranteed_gpus=16))
    spec = FleetSpec(pools=(Pool(name="own", num_nodes=2),), tenants=tenants)
    _, told, _ = _run(spec, _job("grok", "xai", 16, 0, 100), _job("fsd", "tesla", 16, 5, 10))
    (lent, again), (back,) = _of(told, Lend), _of(told, TakeBack)
    assert (lent[0], lent[1].tenant, lent[1].to, lent[1].gpus) == (0, "tesla", "xai", 16) and again[0] == 15
    assert (back[0], back[1].lent_to, back[1].gpus, back[1].for_job) == (5, "xai", 16, "fsd")


DAY0 = dt.date(2024, 1, 1)


def _awaited(**options):
    orders = Orders(
        shipments=(
            Shipment(id="t", tenant="tesla", gpus=16, arrives=DAY0 + dt.timedelta(1)),
            Shipment(id="x", tenant="xai", gpus=16, arrives=DAY0 + dt.timedelta(4)),
        ),
        readiness=(
            Readiness(tenant="xai", gpus=16, ready=DAY0),
            Readiness(tenant="tesla", gpus=16, ready=DAY0 + dt.timedelta(4)),
        ),
        **options,
    )
    return FleetSpec(pools=(Pool(name="own", num_nodes=1),), tenants=TENANTS, deliveries=orders, begins=DAY0)


def test_deliveries_are_swapped_and_join_on_their_day():
    day_s = 86_400
    jobs = [_job("grok", "xai", 24, 0, 100), _job("fsd", "tesla", 40, 0, 100)]
    ended, told, _ = _run(_awaited(), *jobs)
    assert {(a.shipment, a.goes_to, a.gpus) for _, a in _of(told, SwapDelivery)} == {
        ("t", "xai", 16), ("x", "tesla", 16)
    }  # fmt: skip
    assert ended["grok"].waited_s == day_s and ended["fsd"].waited_s == 4 * day_s
    # on day 2 it is told that the second comes on day 9; and on day 0, that the first does
    late = Delay(shipment="x", told=DAY0 + dt.timedelta(2), arrives=DAY0 + dt.timedelta(9))
    ended, _, _ = _run(_awaited(delays=(late,)), *jobs)
    assert ended["grok"].waited_s == day_s and ended["fsd"].waited_s == 9 * day_s
    late = Delay(shipment="t", told=DAY0, arrives=DAY0 + dt.timedelta(9))
    ended, told, _ = _run(_awaited(delays=(late,)), *jobs)
    assert ended["grok"].waited_s == 4 * day_s and ended["fsd"].waited_s == 9 * day_s


def test_a_quota_is_never_passed():
    tenants = (Tenant(name="lab", max_gpus=8),)
    spec = FleetSpec(pools=(Pool(name="own", num_nodes=4),), tenants=tenants)
    ended, _, _ = _run(spec, *[_job(str(n), "lab", 8, 0, 10) for n in range(3)])
    assert sorted(claim.finished_s for claim in ended.values()) == [10, 20, 30]


def test_srtf_and_las_take_from_equals_and_goodput_from_whom_it_costs_least():
    spec = FleetSpec(pools=(Pool(name="own", num_nodes=2),), tenants=TENANTS)
    long, short = _job("long", "lab", 16, 0, 100), _job("short", "lab", 16, 10, 5)
    for order, waited_s in (("srtf", 0), ("fifo", 90), ("sjf", 90)):
        ended, _, _ = _run(spec, long, short, policy=Policy(order=order))
        assert ended["short"].waited_s == waited_s
    ended, _, _ = _run(spec, long, short, policy=Policy(order="las", quantum_s=5))
    assert ended["short"].waited_s == 0 and ended["long"].finished_s == 105
    dear = _job("dear", "lab", 8, 0, 100, restart_s=600)
    cheap = _job("cheap", "lab", 8, 0, 100, restart_s=6)
    for order, gone in (("goodput", "cheap"), ("fifo", "dear")):
        _, told, _ = _run(spec, cheap, dear, _job("grok", "xai", 8, 5, 10), policy=Policy(order=order))
        assert [action.job for _, action in _of(told, Preempt)] == [gone]


def test_las_lets_nobody_starve_behind_a_stream_of_new_jobs():
    spec = FleetSpec(pools=(Pool(name="own", num_nodes=1),), tenants=TENANTS)
    stream = [_job(str(n), "lab", 8, 3_600 * n + 1, 3_590) for n in range(120)]
    ended, _, _ = _run(spec, _job("long", "lab", 8, 0, 36_000), *stream, policy=Policy(order="las"))
    long = ended["long"]
    assert long.finished_s < ended["119"].finished_s - 3_600 and long.num_preempted <= 4


def test_fair_share_over_time_looks_back_a_half_life():
    pools = (Pool(name="own", num_nodes=1),)
    spec = FleetSpec(pools=pools, tenants=TENANTS, half_life_days=1 / 24)
    jobs = [_job("used", "lab", 8, 0, 3_600), _job("again", "lab", 8, 10, 60)]
    fresh = Job(id="fresh", tenant="new", gpus=8, submit_s=20, run_s=60)
    ended, _, _ = _run(spec, *jobs, fresh, policy=Policy(order="fairshare"))
    assert ended["fresh"].waited_s == 3_580 and ended["again"].finished_s == 3_720
    ended, _, _ = _run(spec, *jobs, fresh, policy=Policy(order="fifo"))
    assert ended["again"].finished_s == 3_660


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"tenants": (Tenant(name="a", guaranteed_gpus=17),)}, "guaranteed 17 GPUs, and the fleet owns 16"),
        ({"pools": (Pool(name="own", num_nodes=2, num_spares=2),)}, "num_spares 2 must be below"),
        ({"deliveries": Orders(shipments=(Shipment(id="s", tenant="a", gpus=8, arrives=DAY0),))}, "begins"),
    ],
)
def test_what_cannot_be_is_refused(change, told):
    with pytest.raises(InvalidInput, match=told):
        FleetSpec(**({"pools": (Pool(name="own", num_nodes=2),)} | change))


_rows = st.lists(
    st.tuples(
        st.sampled_from(sorted(PRIORITIES)), st.integers(1, 30), st.integers(0, 60), st.integers(1, 60),
        st.booleans(), st.sampled_from([0, 1, 2]), st.sampled_from([0, 3]),
    ),
    min_size=1,
    max_size=18,
)  # fmt: skip


@settings(max_examples=40)
@given(
    rows=_rows,
    order=st.sampled_from(ORDERS),
    cut=st.sampled_from([0.1, 0.3]),
    min_clock=st.sampled_from([1.0, 0.75]),
    spares=st.sampled_from([0, 1]),
)
def test_nothing_is_lost_doubled_or_above_the_cap_with_all_actions(rows, order, cut, min_clock, spares):
    pool = Pool(
        name="own", num_nodes=5, site="m", busy_kw_per_gpu=1.0, idle_kw_per_gpu=0.2,
        min_clock=min_clock, num_spares=spares, mttf_node_days=0.01, repair_s=40,
    )  # fmt: skip
    event = GridEvent(site="m", start_s=20, duration_s=30, cut=cut, notice_s=5)
    site = Site(name="m", cap_kw=45 if min_clock == 1 else 38)
    spec = FleetSpec(pools=(pool,), tenants=TENANTS, sites=(site,), grid_events=(event,))
    jobs = [
        _job(str(n), tenant, gpus, submit_s, run_s, is_preemptible=leaves, restart_s=restart_s,
             checkpoint_s=5, min_gpus=[0, 1, gpus][elastic])
        for n, (tenant, gpus, submit_s, run_s, leaves, elastic, restart_s) in enumerate(rows)
    ]  # fmt: skip

    def look(state, action):
        own = state.pools["own"]
        used, drawn_kw = [0] * 5, 40 * 0.2
        for node, claims in own.on_node.items():
            used[node] = sum(gpus for claim in claims for at, gpus in claim.shares if at == node)
        assert used == [8 - free for free in own.nodes.free] and max(used) <= 8
        for claim in state.claims.values():
            if claim.pool is not None:
                assert claim.gpus == sum(gpus for _, gpus in claim.shares)
                assert (claim.job.min_gpus or claim.job.gpus) <= claim.gpus <= claim.job.gpus
                drawn_kw += claim.kw
        assert abs(drawn_kw - state.sites["m"].drawn_kw) < 1e-6

    result = simulate(spec, jobs, Policy(order=order, quantum_s=10), watch=look)
    assert not result.unfinished and len(result.finished) == len(jobs)
    assert result.over_cap_kw == 0
    for claim in result.finished:
        assert claim.done_s == claim.job.run_s and claim.lost_s >= 0
        assert claim.finished_s >= claim.job.submit_s + claim.waited_s + claim.job.run_s - 1e-6
