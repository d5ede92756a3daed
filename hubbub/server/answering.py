"""`GET /api/ask`: streams an answer as it is verified, then tells which of its quotes died; writes none."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import TypeAlias

import anyio
import msgspec
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from hubbub.assistant.answer import Answer, AnswerEvent, Done, Found, Retraction, Shown
from hubbub.errors import InvalidInput, ModelError
from hubbub.server.admission import Turn
from hubbub.server.caller import HOUSE, acting_for, caller
from hubbub.server.desk import Desk, desk_of, read_param, read_time_us
from hubbub.server.feed import Change, Listener
from hubbub.server.scope import EVERYTHING, Scope
from hubbub.server.usage import count_tokens
from hubbub.server.watch import Gone, Watch
from hubbub.units import parse_time_us
from hubbub.web.streams import Emit
from hubbub.web.wire import KEEP_ALIVE, KEEP_ALIVE_S, Refusal, encode_event, write_error

Tell: TypeAlias = Callable[[str, object], Awaitable[None]]
"""Takes the name of an event and the event."""

MIN_CLOCK_US = parse_time_us("0001-01-01")
MAX_CLOCK_US = parse_time_us("9999-12-31")
"""The years that a calendar can print."""

log = logging.getLogger("hubbub.server")


async def ask(request: Request) -> Response:
    """Answer `q` as of `clock`: ISO 8601 or microseconds since 1970; the house's own time if not given."""
    desk = desk_of(request)
    desk.check_working()
    question = read_param(request, "q", desk.limits.max_question_chars)
    if not question:
        raise Refusal(400, "q is empty; ask something, as q=what is happening?", code="empty", param="q")
    clock_us = _read_clock_us(request)
    answering = Answering(desk, question, clock_us)

    async def write(emit: Emit) -> None:
        async def tell(name: str, event: object) -> None:
            await emit(encode_event(name, event))

        await answering.run(tell, desk.limits.watch_s)

    return answering.stream(write)


class Finished(Done, frozen=True, kw_only=True, tag="done"):
    """The answer is complete."""

    house_rules: int | None
    """The version of its tenant's rules of tone that it was written by."""


class Answering:
    """One answer on its way to one reader: `found`, `sentence`, `retraction`, `gone`, `done`, `error`."""

    def __init__(
        self,
        desk: Desk,
        question: str,
        clock_us: int | None = None,
        scope: Scope = EVERYTHING,
        *,
        num_tokens_in: int | None = None,
        is_shared: bool = False,
    ) -> None:
        """Keep what is asked; `is_shared` is what others will be shown, too: no tenant's rules shape it."""
        self.who = caller()
        self.rules = None if is_shared else self.who.rules
        self.num_tokens_in = count_tokens(question) if num_tokens_in is None else num_tokens_in
        self.num_tokens_out = 0
        self._desk = desk
        self._question = question
        self._clock_us = clock_us
        self._scope = scope
        self._watch = Watch(scope.narrow(desk.house.index))
        # A sentence is checked and sent, or a change looked at and told, never both at once:
        # else a reader could hear of a retraction before the sentence.
        self._telling = anyio.Lock()
        self._turn: Turn | None = None
        self._is_counted = True
        self._waiting = anyio.CancelScope()
        self._is_stopped = anyio.Event()
        self._emit: Emit | None = None
        self.failure: Refusal | None = None
        """Why the answer could not be written."""

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """Wait for its turn, and hold it within the block until the answer is written; raises as `enter`."""
        try:
            await self.enter()
            yield
        finally:
            self.end()

    async def enter(self) -> None:
        """Wait until this answer may be written; then `end` must follow.

        Raises:
            Refusal: it may not, or would wait too long.
        """
        tenants = self._desk.tenants
        tenants.check(self.who, is_answer=True)
        tenants.check_tokens(self.who)
        self._desk.answers.add(self)
        with self._waiting:
            self._turn = await self._desk.asks.enter()
        if self.failure:
            raise self.failure
        self._is_counted = False

    def release(self) -> None:
        """Let the next question be written, and count what was; safe to call twice."""
        self._give_back()
        if not self._is_counted:
            self._is_counted = True
            self._desk.tenants.usage.note(
                self.who.tenant,
                num_answers=1,
                num_tokens_in=self.num_tokens_in,
                num_tokens_out=self.num_tokens_out,
            )

    def _give_back(self) -> None:
        if self._turn is not None:
            self._desk.asks.leave(self._turn)
            self._turn = None

    def end(self) -> None:
        """Release it, and hear of no stop any more; safe to call twice."""
        self.release()
        self._desk.answers.discard(self)

    def stop(self, refusal: Refusal) -> None:
        """End it soon, wherever it is; its reader is told."""
        self.failure = refusal
        self._waiting.cancel()
        self._is_stopped.set()

    def stream(self, write: Callable[[Emit], Awaitable[None]]) -> Response:
        """Make a response of events; `write` runs this answer and says how its events look.

        Raises:
            Refusal: too many streams are open.
        """

        async def produce(emit: Emit) -> None:
            self._emit = emit
            async with anyio.create_task_group() as group:
                group.start_soon(_keep_alive, emit)
                await write(emit)
                group.cancel_scope.cancel()

        return self._desk.streams.response(produce, on_end=self.end, prepare=self.enter)

    async def whole(self) -> Answer:
        """Wait for the finished answer, whose posts all live when it is handed over.

        Raises:
            Refusal: it could not be written.
        """
        answers: list[Answer] = []

        async def tell(name: str, event: object) -> None:
            if isinstance(event, Done):
                answers.append(event.answer)

        async with self.admitted():
            await self.run(tell)
        if self.failure:
            raise self.failure
        return answers[0]

    async def run(self, tell: Tell, watch_s: float = 0.0) -> None:
        """Tell the answer as it is verified, then for so long which of its quotes died."""
        let_in = msgspec.structs.replace(self.who, is_let_in=True)
        with acting_for(let_in), self._desk.feed.listen() as listener:
            async with anyio.create_task_group() as group:
                group.start_soon(self._await_stop, tell, group.cancel_scope)
                with acting_for(HOUSE):
                    group.start_soon(self._tell_changes, listener, tell)
                is_answered = await self._write(tell)
                self.release()
                if is_answered:
                    await anyio.sleep(watch_s)
                group.cancel_scope.cancel()

    async def _await_stop(self, tell: Tell, scope: anyio.CancelScope) -> None:
        await self._is_stopped.wait()
        assert self.failure
        async with self._telling:  # and the end at once; the thread that writes may take a while to end
            await tell("error", write_error(self.failure))
            if self._emit:
                await self._emit(b"")
            scope.cancel()

    async def _write(self, tell: Tell) -> bool:
        try:
            async with aclosing(self._events()) as events:
                async for event in events:
                    async with self._telling:
                        if isinstance(event, Done):  # what fell that the feed has not told of yet
                            await self._tell_fallen(tell, [], has_lost_some=True)
                        checked = await self._desk.look_up(self._check, event)
                        if checked is not None:
                            self._count(checked[1])
                            await tell(*checked)
        except Exception as error:  # the head of the response may be out: the reader must be told
            self.failure = _refuse(error)
            await tell("error", write_error(self.failure))
            return False
        return True

    def _count(self, event: AnswerEvent) -> None:
        if isinstance(event, Shown):
            self.num_tokens_out += count_tokens(event.sentence.text)

    async def _events(self) -> AsyncGenerator[AnswerEvent, None]:
        """Pull one event after the other out of threads.

        A thread that pushes would call back into a request that may just have ended: anyio 4.16 then leaves
        a task that spins, and its thread, for ever.
        """
        house, threads, is_first = self._desk.house, self._desk.ask_threads, True
        events = await to_thread.run_sync(
            house.ask, self._question, self._clock_us, self._scope, self.rules, limiter=threads
        )
        try:
            while (event := await to_thread.run_sync(next, events, None, limiter=threads)) is not None:
                yield event
                if is_first:  # what was found is cheap, and shown; with the rest others wait for theirs
                    is_first = False
                    self._give_back()
                    self._turn = await self._desk.asks.enter(is_rest=True)
        finally:
            close = getattr(events, "close", None)
            if close is not None:
                with anyio.CancelScope(shield=True):
                    await to_thread.run_sync(close, limiter=threads)

    def _check(self, event: AnswerEvent) -> tuple[str, AnswerEvent] | None:
        if isinstance(event, Found):
            return "found", self._watch.pass_found(event)
        if isinstance(event, Shown):
            shown = self._watch.pass_sentence(event)
            return None if shown is None else ("sentence", shown)
        if isinstance(event, Retraction):
            self._watch.note_retraction(event)
            return "retraction", event
        version = self.rules.version if self.rules else None
        return "done", Finished(answer=self._watch.pass_done(event).answer, house_rules=version)

    async def _tell_changes(self, listener: Listener, tell: Tell) -> None:
        while True:
            changes, has_lost_some = await listener.get()
            async with self._telling:
                await self._tell_fallen(tell, changes, has_lost_some)

    async def _tell_fallen(self, tell: Tell, changes: list[Change], has_lost_some: bool) -> None:
        authors = self._watch.authors()
        fallen = await self._desk.look_up(self._watch.change, changes, has_lost_some)
        for event in fallen:
            await tell("gone" if isinstance(event, Gone) else "retraction", event)
        if fallen and self._desk.stamps:
            self._desk.stamps.note_retracted(changes, [(e.post, authors.get(e.post)) for e in fallen])


async def _keep_alive(emit: Emit) -> None:
    while True:
        await anyio.sleep(KEEP_ALIVE_S)
        await emit(KEEP_ALIVE)


def _refuse(error: Exception) -> Refusal:
    if isinstance(error, Refusal):
        return error
    if isinstance(error, InvalidInput):
        return Refusal(400, str(error), code="invalid_question", param="q")
    if isinstance(error, ModelError):
        return Refusal(502, str(error), code="model_failed")
    log.error("answering failed", exc_info=error)
    return Refusal(500, "the house could not answer; its log says why", code="failed")


def _read_clock_us(request: Request) -> int | None:
    text = read_param(request, "clock", 40)
    clock_us = int(text) if text.lstrip("-").isdecimal() else read_time_us(request, "clock")
    if clock_us is not None and not MIN_CLOCK_US <= clock_us <= MAX_CLOCK_US:
        raise Refusal(
            400, f"clock {text} lies outside the years 1 to 9999", code="invalid_time", param="clock"
        )
    return clock_us
