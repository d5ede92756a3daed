"""Lets programs in by their keys: who, what for, how often; the page of this machine is free.

Without any key everything is open, which is why a house without keys does not listen publicly.
"""

from __future__ import annotations

import math
import time
from collections import Counter

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection

from hubbub.errors import HubbubError
from hubbub.server.keys import Key, KeyRing, Scope
from hubbub.server.wire import Refusal, error_response

NOBODY = "-"
"""The tenant of requests without a key, where none is asked for."""

_NEEDS: tuple[tuple[str, Scope], ...] = (
    ("/v1/embeddings", "embed"),
    ("/v1/search", "search"),
    ("/v1/trends", "search"),
    ("/v1/models", "search"),
    ("/v1/", "ask"),
    ("/mcp", "ask"),
)
_OPERATORS = ("/metrics", "/api/deletions")
"""What tells of the house rather than of posts: open on this machine, by key where others can listen."""
_MINUTE_S = 60.0


class Door:
    """ASGI middleware; `scope["state"]["tenant"]` tells those behind it who asks."""

    def __init__(self, app: ASGIApp, ring: KeyRing | None, is_public: bool, usage: Usage) -> None:
        """Wrap an app; without a ring nobody needs a key."""
        self._app, self._ring, self._is_public, self._usage = app, ring, is_public, usage
        self._pace = Pace()

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Check, count, then pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        tenant = NOBODY
        try:
            needed = self._needed(scope["path"])
            key = self._identify(Headers(scope=scope)) if needed else None
            if key and needed:
                tenant = key.tenant
                self._admit(key, needed)
        except Refusal as refusal:
            self._usage.num_refused[tenant] += 1
            response = error_response(refusal)
            if refusal.status == 401:
                response.headers["WWW-Authenticate"] = "Bearer"
            await response(scope, receive, send)
            return
        except HubbubError as error:
            await error_response(Refusal(500, str(error), code="keys_unreadable"))(scope, receive, send)
            return
        scope.setdefault("state", {})["tenant"] = tenant
        self._usage.num_requests[tenant] += 1
        await self._app(scope, receive, send)

    def _needed(self, path: str) -> Scope | None:
        if self._ring is None or self._ring.is_empty:
            return None
        if path.startswith(_OPERATORS):
            return "operate" if self._is_public else None
        return next((scope for start, scope in _NEEDS if path.startswith(start)), None)

    def _identify(self, headers: Headers) -> Key:
        assert self._ring
        kind, _, secret = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not secret.strip():
            said = "a key is needed: Authorization: Bearer hub_...; `hubbub keys add NAME` makes one"
            raise Refusal(401, said, code="no_key")
        key = self._ring.find(secret.strip())
        if key is None:
            raise Refusal(401, "this key is unknown or revoked", code="invalid_api_key")
        return key

    def _admit(self, key: Key, needed: Scope) -> None:
        if needed not in key.scopes:
            said = f"this key may not {needed}; it may {', '.join(key.scopes)}"
            raise Refusal(403, said, code="not_in_scope")
        wait_s = self._pace.wait_s(key.id, key.per_minute)
        if wait_s:
            raise Refusal(
                429,
                f"{key.per_minute} requests a minute are taken with this key; wait {math.ceil(wait_s)} s",
                code="rate_limited",
                retry_after_s=math.ceil(wait_s),
            )


class Usage:
    """What each tenant has asked since the start."""

    def __init__(self) -> None:
        self.num_requests: Counter[str] = Counter()
        self.num_refused: Counter[str] = Counter()


class Pace:
    """A bucket of requests for each key, filled evenly and holding a minute's worth (a token bucket)."""

    def __init__(self) -> None:
        self._left: dict[str, tuple[float, float]] = {}

    def wait_s(self, name: str, per_minute: int, now_s: float | None = None) -> float:
        """Take one; return 0, or for how long to wait if none is left."""
        now_s = time.monotonic() if now_s is None else now_s
        left, at_s = self._left.get(name, (float(per_minute), now_s))
        left = min(per_minute, left + (now_s - at_s) * per_minute / _MINUTE_S)
        if left < 1:
            self._left[name] = left, now_s
            return (1 - left) * _MINUTE_S / per_minute if per_minute else _MINUTE_S
        self._left[name] = left - 1, now_s
        return 0.0
