"""`/mcp`: hands requests to the `mcp` package, which is loaded by the first of them; knows no tool."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from hubbub.server.caller import caller
from hubbub.server.desk import Desk
from hubbub.server.explain import Cards
from hubbub.server.mcp.protocol import make_manager, name_owner
from hubbub.web.wire import Refusal

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

log = logging.getLogger("hubbub.server")


class Endpoint:
    """An ASGI app of one route. Its requests count as open streams: they end when the server is stopped."""

    def __init__(self, desk: Desk, cards: Cards) -> None:
        self._desk = desk
        self._cards = cards
        self._manager: StreamableHTTPSessionManager | None = None
        self._is_missing = False
        self._is_wanted = anyio.Event()
        self._is_ready = anyio.Event()

    async def run(self) -> None:
        """Keep the sessions alive, from the first request until cancelled; a failure ends only them."""
        await self._is_wanted.wait()
        try:
            # In a thread: it takes a second, during which everybody else is served.
            manager = await anyio.to_thread.run_sync(make_manager, self._desk, self._cards)
            async with manager.run():
                self._manager = manager
                self._is_ready.set()
                await anyio.sleep_forever()
        except ImportError:
            self._is_missing = True
        except Exception:
            log.exception("the MCP server has failed")
        self._manager = None
        self._is_ready.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            Refusal: the package is missing or has failed, or the server is full or leaving.
        """
        self._desk.streams.check_room()
        self._is_wanted.set()
        await self._is_ready.wait()
        if self._is_missing:
            message = "the MCP server needs the package mcp; run: pip install 'hubbub[mcp]'"
            raise Refusal(501, message, code="missing_extra")
        if self._manager is None:
            raise Refusal(503, "the MCP server has failed; the log says why", code="mcp_failed")
        reply = _Reply(send, self._desk.limits.send_timeout_s)
        scope = {**scope, "user": name_owner(caller().tenant)}
        self._desk.streams.enter(reply.scope)
        try:
            with reply.scope:
                await self._manager.asgi_app(scope, receive, reply.send)
        finally:
            self._desk.streams.leave(reply.scope)
        self._desk.streams.num_slow_dropped += reply.is_slow
        if reply.scope.cancelled_caught:
            await reply.end()


class _Reply:
    """What goes out: kept by nobody, and dropped where its reader takes nothing."""

    def __init__(self, send: Send, timeout_s: float) -> None:
        self.scope = anyio.CancelScope()
        self.is_slow = False
        self._send = send
        self._timeout_s = timeout_s
        self._is_begun = False
        self._is_over = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["Cache-Control"] = "no-store"  # a deletion must reach every copy
            self._is_begun = True
        with anyio.move_on_after(self._timeout_s) as patience:
            await self._send(message)
            self._is_over = message["type"] == "http.response.body" and not message.get("more_body", False)
        if patience.cancelled_caught:
            self.is_slow = True
            self.scope.cancel()
            await anyio.lowlevel.checkpoint()

    async def end(self) -> None:
        """End a reply that was cut off; a slow reader's connection is left to be closed."""
        if not self._is_begun:
            raise Refusal(503, "this server is leaving", code="leaving")
        if not self._is_over and not self.is_slow:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
