"""An answer whose reader goes away: nothing of it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio

from hubbub.assistant.answer import AnswerEvent
from hubbub.server.answering import Answering
from hubbub.server.desk import Desk
from hubbub.server.scope import EVERYTHING, Scope
from hubbub.server.surface import Limits
from tests.server.small_house import SmallHouse, flood


class LeftHouse(SmallHouse):
    """Its reader leaves in the moment in which an event is ready."""

    leave: Callable[[], object]
    num_closed = 0

    def ask(
        self, question: str, clock_us: int | None = None, scope: Scope = EVERYTHING, rules: object = None
    ) -> Iterator[AnswerEvent]:
        try:
            for event in super().ask(question, clock_us, scope):
                self.leave()
                yield event
        finally:
            self.num_closed += 1


def test_a_reader_that_leaves_as_an_event_is_ready_leaves_nothing_running(tmp_path: Path) -> None:
    house = LeftHouse(tmp_path)
    house.add(*flood())
    told: list[str] = []

    async def tell(name: str, event: object) -> None:
        told.append(name)

    async def leave_at_once() -> None:
        desk = Desk(house, Limits())
        answering = Answering(desk, "Has the Hollin dam broken?")
        loop = asyncio.get_running_loop()
        with anyio.CancelScope() as scope:
            async with answering.admitted():
                house.leave = lambda: loop.call_soon_threadsafe(scope.cancel)
                await answering.run(tell)
        assert scope.cancelled_caught and desk.num_asks == 0
        assert desk.ask_threads.borrowed_tokens == 0
        assert len(asyncio.all_tasks()) == 2

    async def run() -> None:
        for _ in range(20):
            await asyncio.wait_for(asyncio.create_task(leave_at_once()), 5)

    try:
        anyio.run(run)
    finally:
        house.close()
    assert not told and house.num_closed == 20
