"""Whose turn it is: priorities, fairness within them, the first one's reserve, and what is refused."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.server.admission import Gate, Turn
from hubbub.server.caller import HOUSE, Caller, acting_for
from hubbub.server.usage import Usage
from hubbub.web.wire import Refusal


def gate(num_places: int = 1, max_waiting: int = 1_000, max_wait_s: float = 600.0) -> Gate:
    return Gate("asks", num_places, max_waiting, max_wait_s, Usage())


class Rush:
    """Requests that come while one holds the only place, and the order in which they are served."""

    def __init__(self, the_gate: Gate) -> None:
        self.gate = the_gate
        self.served: list[str] = []
        self.refused: list[str] = []

    async def come(self, who: Caller, work_s: float = 0.0) -> None:
        with acting_for(who):
            try:
                async with self.gate.place():
                    self.served.append(who.tenant)
                    await anyio.sleep(work_s)
            except Refusal as refusal:
                assert refusal.status == 429 and refusal.retry_after_s and refusal.retry_after_s >= 1
                self.refused.append(who.tenant)

    def run(self, *coming: Caller, work_s: float = 0.0) -> list[str]:
        async def run() -> None:
            turn = await self.gate.enter()
            async with anyio.create_task_group() as group:
                for who in coming:
                    group.start_soon(self.come, who, work_s)
                    await anyio.sleep(0)  # so that they come in this order
                await anyio.wait_all_tasks_blocked()
                self.gate.leave(turn)

        anyio.run(run)
        assert self.gate.num_working == 0
        return self.served


def named(tenant: str, priority: int = 2) -> Caller:
    return Caller(tenant=tenant, priority=priority)


def test_a_higher_priority_goes_first_and_the_house_before_all() -> None:
    coming = [named("late", 3), named("usual"), named("first", 1), HOUSE, named("usual")]
    assert Rush(gate()).run(*coming) == ["-", "first", "usual", "usual", "late"]


def test_a_thousand_requests_of_one_do_not_delay_the_one_of_another() -> None:
    served = Rush(gate()).run(*[named("loud")] * 999, named("quiet"))
    assert len(served) == 1_000 and served.index("quiet") <= 1


def serve(*waves: list[tuple[str, float]]) -> list[str]:
    """Serve each wave of (tenant, seconds of work) by a clock that only work moves; give the last order."""
    now_s, order = 0.0, []
    the_gate = Gate("asks", 1, 1_000, 600.0, Usage(), lambda: now_s)

    async def come(tenant: str, work_s: float) -> None:
        nonlocal now_s
        with acting_for(named(tenant)):
            async with the_gate.place():
                await anyio.lowlevel.checkpoint()  # the others come
                order.append(tenant)
                now_s += work_s

    async def run() -> None:
        for wave in waves:
            order.clear()
            async with anyio.create_task_group() as group:
                for tenant, work_s in wave:
                    group.start_soon(come, tenant, work_s)

    anyio.run(run)
    return order


def test_within_a_priority_time_is_shared_not_requests() -> None:
    order = serve([("slow", 4.0), ("quick", 1.0)] * 40)
    assert len(order) == 80 and 3 <= order[:40].count("quick") / order[:40].count("slow") <= 5


def test_who_was_away_has_saved_nothing_up() -> None:
    order = serve([("loud", 1.0)] * 30, [("quiet", 1.0), ("loud", 1.0)] * 10)
    assert 4 <= order[:10].count("loud") <= 6


def test_what_a_tenant_has_not_begun_goes_before_the_rest_of_what_it_has() -> None:
    async def run() -> list[str]:
        the_gate, order = gate(), []

        async def come(tenant: str, is_rest: bool) -> None:
            with acting_for(named(tenant)):
                turn = await the_gate.enter(is_rest=is_rest)
                order.append(f"{tenant} {'rest' if is_rest else 'first'}")
                the_gate.leave(turn)

        turn = await the_gate.enter()
        async with anyio.create_task_group() as group:
            for tenant, is_rest in [("a", True), ("a", True), ("a", False), ("b", True)]:
                group.start_soon(come, tenant, is_rest)
                await anyio.wait_all_tasks_blocked()
            the_gate.leave(turn)
        return order

    order = anyio.run(run)
    assert order[0] == "a first" and order.index("b rest") <= 1  # and one tenant's rest not behind another's


def test_a_rest_that_has_waited_half_of_its_time_goes_before_what_came_later() -> None:
    async def run() -> list[str]:
        now_s, order = [0.0], []
        the_gate = Gate("asks", 1, 1_000, 30.0, Usage(), clock=lambda: now_s[0])

        async def come(name: str, is_rest: bool) -> None:
            with acting_for(named("a")):
                turn = await the_gate.enter(is_rest=is_rest)
                order.append(name)
                the_gate.leave(turn)

        turn = await the_gate.enter()
        async with anyio.create_task_group() as group:
            for name, at_s in [("old rest", 0.0), ("first", 1.0), ("young rest", 14.0), ("last", 15.0)]:
                now_s[0] = at_s
                group.start_soon(come, name, "rest" in name)
                await anyio.wait_all_tasks_blocked()
            the_gate.leave(turn)
        return order

    assert anyio.run(run) == ["old rest", "first", "last", "young rest"]


def test_the_first_keep_a_reserve_and_nobody_is_driven_out() -> None:
    async def run() -> None:
        the_gate = gate(num_places=4, max_wait_s=0.05)
        with acting_for(named("usual")):
            turns = [await the_gate.enter() for _ in range(3)]
            with pytest.raises(Refusal, match="too many asks"):
                await the_gate.enter()  # it waited in vain: the fourth place is not for it
        with acting_for(named("first", 1)):
            turns.append(await the_gate.enter())
            with pytest.raises(Refusal):
                await the_gate.enter()
        assert the_gate.num_working == 4
        for turn in turns:
            the_gate.leave(turn)
        assert the_gate.num_working == 0

    anyio.run(run)


def test_where_too_many_wait_the_newest_of_whoever_has_most_goes() -> None:
    rush = Rush(gate(max_waiting=4))
    served = rush.run(*[named("loud")] * 4, named("quiet"), named("first", 1), named("loud"))
    assert sorted(served) == ["first", "loud", "loud", "quiet"] and rush.refused == ["loud"] * 3
    assert rush.gate._usage.today("loud").num_refused == 3


def test_who_would_wait_too_long_is_told_at_once() -> None:
    rush = Rush(gate(max_wait_s=0.35))  # at 0.1 s each, before anything is known
    served = rush.run(*[named("loud")] * 6, named("quiet"), named("first", 1))
    assert rush.refused == ["loud"] * 3 and served.count("quiet") == 1


def test_what_was_let_in_is_not_refused_whatever_waits() -> None:
    rush = Rush(gate(max_waiting=1, max_wait_s=0.01))
    let_in = Caller(tenant="x", priority=2, is_let_in=True)
    assert Rush.run(rush, named("loud"), let_in, let_in, let_in).count("x") == 3


def test_who_leaves_while_waiting_takes_no_place() -> None:
    async def run() -> None:
        the_gate = gate()
        turn = await the_gate.enter()
        with anyio.move_on_after(0.01), acting_for(named("gone")):
            await the_gate.enter()
        assert the_gate.num_waiting_of("gone") == 0
        the_gate.leave(turn)
        the_gate.leave(turn)
        assert the_gate.num_working == 0

    anyio.run(run)


@settings(max_examples=60)
@given(
    num_places=st.integers(1, 5),
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("come"), st.sampled_from("abc"), st.integers(1, 3)),
            st.tuples(st.just("done"), st.integers(0, 9), st.just(0)),
            st.tuples(st.just("left"), st.integers(0, 9), st.just(0)),
        ),
        max_size=40,
    ),
)
def test_no_place_is_lost_doubled_or_left_empty(
    num_places: int, steps: list[tuple[str, str | int, int]]
) -> None:
    """Whatever comes, ends and gives up: places are kept to, and nobody waits for one that is free."""

    async def run() -> None:
        the_gate = gate(num_places, max_waiting=6)
        waiting: list[tuple[Caller, anyio.CancelScope]] = []
        working: list[tuple[Caller, Turn]] = []

        async def come(who: Caller) -> None:
            scope = anyio.CancelScope()
            waiting.append((who, scope))
            with acting_for(who), scope:
                try:
                    turn = await the_gate.enter()
                    working.append((who, turn))
                except Refusal:
                    pass
            waiting.remove((who, scope))

        async with anyio.create_task_group() as group:
            for kind, which, priority in steps:
                if kind == "come":
                    group.start_soon(come, named(str(which), priority))
                elif kind == "done" and working:
                    the_gate.leave(working.pop(int(which) % len(working))[1])
                elif kind == "left" and waiting:
                    waiting[int(which) % len(waiting)][1].cancel()
                await anyio.wait_all_tasks_blocked()
                num_shared = sum(who.priority > 1 for who, _ in working)
                assert the_gate.num_working == len(working) <= num_places
                assert num_shared <= num_places - num_places // 4
                free = num_places - len(working)
                assert not free or not any(who.priority == 1 for who, _ in waiting)
                assert not waiting or not free or num_shared == num_places - num_places // 4
            for _, scope in waiting:
                scope.cancel()

    anyio.run(run)
