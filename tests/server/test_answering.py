"""An answer whose reader goes away, and one that dies as it is finished: nothing of it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import httpx2

from hubbub.assistant.answer import AnswerEvent, Done
from hubbub.posts import Deletion
from hubbub.server.answering import Answering
from hubbub.server.app import create_app
from hubbub.server.desk import Desk
from hubbub.server.scope import EVERYTHING, Scope
from hubbub.server.surface import Limits
from hubbub.web.run import serve_in_thread
from tests.server.mcp_client import call, given
from tests.server.reading import open_stream
from tests.server.small_house import SmallHouse, flood
from tests.server.test_ask import QUESTION, first_cited


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


class LateHouse(SmallHouse):
    """A post dies as its answer is finished, and nobody has been told of it yet."""

    doomed = ""

    def ask(
        self, question: str, clock_us: int | None = None, scope: Scope = EVERYTHING, rules: object = None
    ) -> Iterator[AnswerEvent]:
        for event in super().ask(question, clock_us, scope):
            if isinstance(event, Done) and self.doomed:
                self._seq = self.index.fold(
                    [(self._seq + 1, Deletion(id=self.doomed, received_us=self.clock_us))]
                )
            yield event


def test_what_dies_as_an_answer_is_finished_is_taken_back_before_the_end(tmp_path: Path) -> None:
    house = LateHouse(tmp_path)
    house.add(*flood())
    post, numbers = first_cited(house, QUESTION)
    house.doomed = post
    with serve_in_thread(create_app(house)) as url, open_stream(url, "/api/ask", q=QUESTION) as stream:
        events = stream.until("done")
    house.close()
    fallen = {data["sentence"] for name, data in events if name == "retraction"}
    assert fallen == set(numbers)
    assert [data["post"] for name, data in events if name == "gone"] == [post]
    assert not fallen & {sentence["id"] for sentence in events[-1][1]["answer"]["sentences"]}


def test_nor_is_it_in_an_answer_that_is_given_whole(tmp_path: Path) -> None:
    for name in ("chat", "mcp"):
        house = LateHouse(tmp_path / name)
        house.add(*flood())
        post, _ = first_cited(house, QUESTION)
        text = house.index.fetch([post])[post].text
        house.doomed = post
        with serve_in_thread(create_app(house)) as url:
            if name == "chat":
                body = {"messages": [{"role": "user", "content": QUESTION}]}
                whole = (
                    httpx2.post(f"{url}/v1/chat/completions", json=body, trust_env=False)
                    .raise_for_status()
                    .text
                )
            else:
                whole = str(given(call(url, "ask", question=QUESTION)))
        house.close()
        assert whole and text[:30] not in whole and post not in whole
