"""Responses that stay open and push events, and the list of those open; what they push is not here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hubbub.web.wire import Refusal, encode_event, error_response, write_error

Emit = Callable[[bytes], Awaitable[None]]
"""Sends a frame; an empty one ends the response, and what comes after it goes nowhere."""
Produce = Callable[[Emit], Awaitable[None]]
Stop = Callable[[Refusal], None]


class Streams:
    """The open event streams of one server: how many, and how to end them."""

    def __init__(self, max_streams: int, send_timeout_s: float) -> None:
        self.num_slow_dropped = 0
        self.max_streams = max_streams
        self._send_timeout_s = send_timeout_s
        self._open: dict[anyio.CancelScope, Stop] = {}
        self._is_closed = False

    def response(
        self,
        produce: Produce,
        on_end: Callable[[], None] | None = None,
        prepare: Callable[[], Awaitable[object]] | None = None,
    ) -> EventStream:
        """Make a response whose events `produce` emits until it returns or the reader leaves.

        `prepare` is awaited before the head is sent; a Refusal of its is then the whole response. Who
        prepares also tells itself when it is switched off; else that is told here.

        Raises:
            Refusal: too many streams are open.
        """
        self.check_room()
        return EventStream(self, produce, self._send_timeout_s, on_end, prepare)

    def check_room(self, *, num_kept: int = 0) -> None:
        """Refuse one more stream where all but `num_kept` are open.

        Raises:
            Refusal: that is so, or the server is leaving.
        """
        if len(self._open) >= self.max_streams - num_kept or self._is_closed:
            raise Refusal(
                429,
                f"{len(self._open)} streams are open; close a tab or try again soon",
                code="too_many_streams",
                retry_after_s=5,
            )

    def close(self) -> None:
        """End every open stream now; the server is leaving."""
        self._is_closed = True
        for scope in list(self._open):
            scope.cancel()

    def enter(self, scope: anyio.CancelScope, stop: Stop | None = None) -> None:
        """Count a stream in; without `stop` its scope is cancelled where it is to end."""
        self._open[scope] = stop or (lambda refusal: scope.cancel())
        if self._is_closed:
            scope.cancel()

    def leave(self, scope: anyio.CancelScope) -> None:
        """Count a stream out."""
        self._open.pop(scope, None)

    @property
    def num_open(self) -> int:
        """Streams that are open now."""
        return len(self._open)


class EventStream(Response):
    """Server-sent events; ends when its producer returns, its reader leaves, or its reader stops reading."""

    media_type = "text/event-stream"

    def __init__(
        self,
        streams: Streams,
        produce: Produce,
        send_timeout_s: float,
        on_end: Callable[[], None] | None,
        prepare: Callable[[], Awaitable[object]] | None,
    ) -> None:
        """Keep what `__call__` needs; nothing runs yet."""
        self._streams = streams
        self._produce = produce
        self._send_timeout_s = send_timeout_s
        self._on_end = on_end
        self._prepare = prepare
        self._producing = anyio.CancelScope()
        self._is_begun = False
        self._is_slow = self._is_ended = False
        self._refusal: Refusal | None = None
        self.status_code = 200
        self.background = None
        # No body is set, so that no Content-Length is.
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for its turn, send the head, then events as they come."""
        try:
            async with anyio.create_task_group() as group:
                self._streams.enter(group.cancel_scope, self._stop)
                try:
                    group.start_soon(self._await_disconnect, receive, group.cancel_scope)
                    await self._push(send, group.cancel_scope)
                    group.cancel_scope.cancel()
                finally:
                    self._streams.leave(group.cancel_scope)
        finally:
            if self._on_end is not None:
                self._on_end()
        if not self._is_begun:
            refusal = self._refusal or Refusal(503, "this server is leaving", code="leaving")
            await error_response(refusal)(scope, receive, send)
        elif not (self._is_slow or self._is_ended):  # an orderly end would wait for a slow reader
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _push(self, send: Send, scope: anyio.CancelScope) -> None:
        try:
            if self._prepare is not None:
                await self._prepare()
        except Refusal as refusal:
            self._refusal = refusal
            return
        self._is_begun = True
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        emit = self._make_emit(send, scope)
        with self._producing:
            await self._produce(emit)
        if self._refusal:
            await emit(encode_event("error", write_error(self._refusal)))

    def _stop(self, refusal: Refusal) -> None:
        if self._prepare is None:
            self._refusal = refusal
            self._producing.cancel()

    def _make_emit(self, send: Send, scope: anyio.CancelScope) -> Emit:
        async def emit(frame: bytes) -> None:
            if self._is_ended:
                return
            self._is_ended = not frame
            with anyio.move_on_after(self._send_timeout_s) as patience:
                await send({"type": "http.response.body", "body": frame, "more_body": bool(frame)})
            if patience.cancelled_caught:
                self._is_slow = True
                self._streams.num_slow_dropped += 1
                scope.cancel()
                await anyio.lowlevel.checkpoint()

        return emit

    @staticmethod
    async def _await_disconnect(receive: Receive, scope: anyio.CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        scope.cancel()
