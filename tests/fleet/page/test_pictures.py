from __future__ import annotations

import pytest

from hubbub.fleet.actions import Drain
from hubbub.fleet.page.past import IDLE, History
from hubbub.fleet.page.recorder import Recorder
from hubbub.fleet.pictures import (
    ABSENT,
    DOWN,
    DRAINED,
    FIRST_TENANT,
    FREE,
    Moment,
    Roll,
    frame_of,
    node_map,
    waiters_of,
)
from hubbub.fleet.policy import Policy
from hubbub.fleet.simulator import simulate
from hubbub.fleet.spec import FleetSpec, Pool, Site, Tenant
from tests.fleet.page.halls import job, settled

SPEC = FleetSpec(
    pools=(
        Pool(name="own", num_nodes=5, site="hall", busy_kw_per_gpu=1.0),
        Pool(name="rented", num_nodes=3, is_rented=True, usd_per_gpu_hour=2.0, lead_s=60.0),
    ),
    tenants=(Tenant(name="xai", priority=20, max_usd_per_gpu_hour=3.0), Tenant(name="tesla", priority=10)),
    sites=(Site(name="hall", cap_kw=50.0),),
)


def test_a_node_map_tells_what_every_node_is() -> None:
    state = settled(SPEC, [job("a", "xai", 8, priority=20), job("b", "tesla", 4, priority=10)])
    own = state.pools["own"]
    own.nodes.remove(3)
    own.nodes.remove(4)
    roll = Roll(state)
    numbers = roll.learn(state)
    told = node_map(own, numbers, {("own", 3): "drained: ECC errors", ("own", 4): "down"})
    xai, tesla = FIRST_TENANT, FIRST_TENANT + 2
    assert told == [xai, 1, tesla + 1, 1, FREE, 1, DRAINED, 1, DOWN, 1]
    assert node_map(state.pools["rented"], numbers, {}) == [ABSENT, 3]
    assert frame_of(state, roll, []).moment.num_out == 2


def test_who_waits_is_told_why_and_who_is_behind_by_how_many() -> None:
    jobs = [job("big", "tesla", 40, priority=10)]
    jobs += [job(f"w{n}", "tesla", 40, priority=10, submit_s=n) for n in range(1_001, 1_003)]
    state = settled(SPEC, jobs)
    told = waiters_of(state, Policy(), names={"w1001": "second"}, starts={"w1001": 7.0}, max_rows=2)
    assert [(each.job, each.name, each.start_s) for each in told] == [
        ("w1001", "second", 7.0),
        ("w1002", "", None),
    ]
    assert "40 GPUs" in told[0].why and told[1].why == "1 of tesla's own is before it"
    held = waiters_of(state, Policy(), held={"w1001": "its owner holds it"}, max_rows=1)
    assert held[0].why == "its owner holds it"


def test_money_by_tenant_and_day_adds_up_to_what_was_spent() -> None:
    recorder = Recorder(Policy())
    jobs = [
        job(f"j{n}", ("xai", "tesla")[n % 2], 8 * (1 + n % 4), submit_s=3_000.0 * n, run_s=20_000.0,
            priority=(20, 10)[n % 2]) for n in range(60)
    ]  # fmt: skip
    result = simulate(SPEC, jobs, look=recorder.look, watch=recorder.watch, look_every_s=500.0)
    days = recorder.bill.days
    assert result.spent_usd > 0 and len(days) > 1
    assert sum(sum(day.rented.values()) for day in days) == pytest.approx(result.spent_usd, rel=1e-9)
    assert all(not day.own for day in days)
    assert {name for day in days for name in day.rented} <= {"xai", "tesla", IDLE}


def test_a_frame_knows_when_who_waited_started() -> None:
    recorder = Recorder(Policy())
    jobs = [job(f"j{n}", "tesla", 40, submit_s=0.0, run_s=1_000.0, priority=10) for n in range(3)]
    simulate(SPEC, jobs, look=recorder.look, watch=recorder.watch, look_every_s=100.0)
    assert [(each.job, each.start_s) for each in recorder.frames[0].queue] == [
        ("j1", 1_000.0),
        ("j2", 2_000.0),
    ]


def test_a_frame_of_a_replay_tells_which_node_is_a_lemon() -> None:
    recorder, state = Recorder(Policy()), settled(SPEC, [])
    recorder.watch(state, Drain("own", 3, "a lemon: 9 failures in 28 days"))
    state.pools["own"].nodes.remove(3)
    recorder.look(state)
    frame = recorder.frames[0]
    assert frame.nodes["own"] == [FREE, 3, DRAINED, 1, FREE, 1]
    assert [(each.node, each.why) for each in frame.lemons] == [("own-4", "9 failures in 28 days")]
    state.pools["own"].nodes.restore(3)
    recorder.look(state)
    assert recorder.frames[1].lemons == [] == recorder.frames[1].out


def test_a_long_replay_keeps_only_so_many_frames() -> None:
    recorder = Recorder(Policy())
    jobs = [job(f"j{n}", "tesla", 8, submit_s=900.0 * n, run_s=2_000.0) for n in range(1_200)]
    simulate(SPEC, jobs, look=recorder.look, look_every_s=60.0)
    assert 200 < len(recorder.frames) < 480 and len(recorder.history.moments) <= 1_200
    gaps = [b.moment.at_s - a.moment.at_s for a, b in zip(recorder.frames, recorder.frames[1:], strict=False)]
    assert min(gaps[:-1]) > 0


def moment(at_s: float, drawn_kw: float = 1.0) -> Moment:
    return Moment(at_s=at_s, held={}, rented={}, drawn_kw={"hall": drawn_kw}, cap_kw={"hall": 9.0},
                  num_waiting=0, num_gpus=8, num_owned=8, num_out=0)  # fmt: skip


def test_a_history_keeps_a_day_and_its_peaks_in_so_many_moments() -> None:
    history = History(max_moments=100, keep_s=86_400.0)
    for n in range(50_000):
        history.add(moment(2.0 * n, drawn_kw=8.5 if n == 30_000 else 1.0))
    kept = history.moments
    assert (
        len(kept) <= 100 and kept[-1].at_s - kept[0].at_s > 80_000 and kept[0].at_s >= kept[-1].at_s - 86_400
    )
    assert max(each.drawn_kw["hall"] for each in kept) == 8.5
