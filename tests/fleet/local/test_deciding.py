import random

import msgspec

from hubbub.fleet.actions import Preempt, Start
from hubbub.fleet.local.deciding import actions_now
from hubbub.fleet.local.gpus import are_real, numbers_for
from hubbub.fleet.local.journal import Book, Change, Row
from hubbub.fleet.local.leading import look_once
from hubbub.fleet.local.ranks import RankState
from hubbub.fleet.local.settling import leave
from hubbub.fleet.local.truth import truth_of
from hubbub.fleet.policy import Policy
from hubbub.fleet.spec import FleetSpec, GridEvent, Pool, Site, Tenant

POOL = Pool(name="hall", num_nodes=3, site="hall", gpus_per_node=4, busy_kw_per_gpu=1.0)
SPEC = FleetSpec(
    pools=(POOL,),
    tenants=(Tenant(name="xai", priority=20), Tenant(name="tesla", priority=10, guaranteed_gpus=4)),
    sites=(Site(name="hall", cap_kw=10.0),),
    grid_events=(GridEvent(site="hall", start_s=500.0, duration_s=100.0, cut=0.5),),
)


def _book(*rows):
    book = Book()
    book.take_in(Change(fleet=SPEC, rows=list(rows)))
    return book


def _row(number, tenant, gpus, **fields):
    return Row(
        id=str(number), tenant=tenant, gpus=gpus, name="job", submitted_s=float(number),
        waiting_since_s=float(number), **fields,
    )  # fmt: skip


def _seated(row, shares):
    numbers = numbers_for(SPEC, POOL, shares, [], is_real=False)
    return msgspec.structs.replace(
        row,
        phase="running",
        pool="hall",
        shares=tuple(shares),
        gpu_numbers=numbers,
        started_s=row.submitted_s,
    )


def test_a_pause_lasts_no_longer_when_the_clock_is_set_back():
    book = _book(_row(1, "xai", 4, not_before_s=5_008.0))
    assert actions_now(book, 5_000.0, Policy()) == []
    for now_s in (5_009.0, 1_000.0):
        assert [type(action) for action in actions_now(book, now_s, Policy())] == [Start]
        assert not truth_of(book, now_s).held


def test_what_was_freed_for_a_job_is_given_to_it_when_the_other_has_left():
    tesla = _seated(_row(1, "tesla", 8), [(0, 4), (1, 4)])
    book = _book(tesla, _row(2, "xai", 8))
    (action,) = actions_now(book, 10.0, Policy())
    assert isinstance(action, Preempt) and action.job == "1"
    book.rows["1"] = leave(tesla, "preempted", action.reason)
    assert actions_now(book, 10.0, Policy()) == [], "its GPUs are not free yet, and nobody else is sent away"
    assert truth_of(book, 10.0).state.tenants["tesla"].held_gpus == 8
    book.rows["1"] = _row(1, "tesla", 8)
    (action,) = actions_now(book, 10.0, Policy())
    assert isinstance(action, Start) and action.job == "2"
    book.rows["2"] = _row(2, "xai", 8, not_before_s=11.0, reason="it failed")
    assert actions_now(book, 10.0, Policy()) == [], "a pause keeps its place"
    assert truth_of(book, 10.0).held == {"2": "it failed"}


def test_a_grid_event_takes_the_weakest_off():
    jobs = [_seated(_row(1, "xai", 4), [(0, 4)]), _seated(_row(2, "tesla", 4), [(1, 4)])]
    book = _book(*jobs)
    assert actions_now(book, 499.0, Policy()) == []
    assert [action.job for action in actions_now(book, 500.0, Policy())] == ["1"], "tesla is within its right"


def test_no_gpu_is_given_twice_and_no_cap_is_passed():
    draw, book, now_s = random.Random(1), _book(), 0.0
    for number in range(1, 120):
        now_s += draw.random() * 20
        book.take_in(
            Change(rows=[_row(number, draw.choice(["xai", "tesla"]), draw.choice([1, 2, 4, 8, 10]))])
        )
        actions = actions_now(book, now_s, Policy())
        for action in actions:
            row = book.rows[action.job]
            if isinstance(action, Preempt):
                book.rows[row.id] = leave(row, "preempted", action.reason)
            else:
                numbers = numbers_for(SPEC, POOL, action.shares, book.open_rows(), is_real=False)
                assert [len(each) for each in numbers] == [gpus for _, gpus in action.shares]
                book.rows[row.id] = msgspec.structs.replace(
                    row, phase="running", pool="hall", shares=action.shares, gpu_numbers=numbers,
                    started_s=now_s,
                )  # fmt: skip
        held = [row for row in book.open_rows() if row.shares]
        taken = [
            (node, number)
            for row in held
            for (node, _), numbers in zip(row.shares, row.gpu_numbers, strict=True)
            for number in numbers
        ]
        assert len(taken) == len(set(taken)) == sum(row.gpus for row in held)
        site = truth_of(book, now_s).state.sites["hall"]
        assert site.drawn_kw == len(taken) and site.cap_kw in (5.0, 10.0)
        assert site.drawn_kw <= site.cap_kw or not any(isinstance(action, Start) for action in actions)
        for row in held:
            if row.phase == "leaving" and draw.random() < 0.7:
                book.rows[row.id] = _row(int(row.id), row.tenant, row.gpus)
            elif draw.random() < 0.2:
                book.rows[row.id] = msgspec.structs.replace(row, phase="ended", shares=())
    assert sum(row.phase == "ended" for row in book.rows.values()) > 20


def test_real_gpus_are_numbered_as_nvidia_smi_does():
    assert are_real(SPEC, 12) and not are_real(SPEC, 11)
    other = Pool(name="other", num_nodes=1, gpus_per_node=2)
    spec = FleetSpec(pools=(other, POOL), sites=SPEC.sites)
    assert numbers_for(spec, POOL, [(0, 1), (2, 2)], [], is_real=True) == ((2,), (10, 11))
    held = _seated(_row(1, "xai", 1), [(0, 1)])
    held = msgspec.structs.replace(held, gpu_numbers=((2,),))
    assert numbers_for(spec, POOL, [(0, 2)], [held], is_real=True) == ((3, 4),)


def test_a_node_on_which_job_after_job_fails_is_drained_where_nodes_are_different_things():
    def failing(row):
        return [RankState(phase="ended", code=1) for _ in row.shares]

    for judges in (False, True):
        owners = {"1": "xai", "2": "tesla", "3": "x"}
        book = _book(*[_row(number, owner, 4) for number, owner in owners.items()])
        for now_s in range(10, 80, 10):
            change = Change()
            look_once(book, change, failing, now_s, Policy(), judges=judges)
            book.take_in(change)
            # Each fails once on the first node; the others are not there yet.
            for row in book.open_rows():
                if row.num_failures:
                    book.rows[row.id] = msgspec.structs.replace(row, phase="ended")
                elif row.phase == "running" and row.shares[0][0] != 0:
                    book.rows[row.id] = _row(int(row.id), row.tenant, 4)
        assert list(book.out) == (["hall-1"] if judges else []), book.seen
    assert "3 different jobs in a row failed on it" in book.out["hall-1"]
    assert truth_of(book, 50.0).state.pools["hall"].nodes.is_out(0)


def test_an_elastic_job_goes_on_with_fewer_gpus_and_with_more_when_they_are_free_again():
    tesla = _seated(_row(1, "tesla", 8, min_gpus=4), [(0, 4), (1, 4)])
    book = _book(tesla, _row(2, "xai", 4, expected_s=50.0))
    book.fleet = msgspec.structs.replace(SPEC, sites=(Site(name="hall", cap_kw=8.0),), grid_events=())
    (shrink,) = actions_now(book, 10.0, Policy())
    assert isinstance(shrink, Preempt) and shrink.reason.startswith("goes on with 4 GPUs: ")
    book.rows["1"] = leave(tesla, "preempted", shrink.reason)
    assert actions_now(book, 10.0, Policy()) == []
    book.rows["1"] = _row(1, "tesla", 8, min_gpus=4)
    told = {
        action.job: sum(gpus for _, gpus in action.shares) for action in actions_now(book, 11.0, Policy())
    }
    assert told == {"1": 4, "2": 4}
    book.rows["1"] = _seated(_row(1, "tesla", 8, min_gpus=4), [(0, 4)])
    book.rows["2"] = _row(2, "xai", 4, phase="ended")
    assert actions_now(book, 12.0, Policy()) == [], "it has only just started"
    (grow,) = actions_now(book, 60.0, Policy())
    assert isinstance(grow, Preempt) and grow.reason.startswith("goes on with 8 GPUs: ")
