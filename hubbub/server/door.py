"""Lets programs in by their keys: who, what for, how often; the page of this machine is free.

Without any key everything is open, which is why a house without keys does not listen publicly.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection

from hubbub.errors import HubbubError
from hubbub.server.caller import Caller, acting_for
from hubbub.server.keys import Key, Scope
from hubbub.server.tenants import Tenants
from hubbub.web.wire import Refusal, error_response

_NEEDS: tuple[tuple[str, tuple[Scope, ...]], ...] = (
    ("/v1/embeddings", ("embed",)),
    ("/v1/search", ("search",)),
    ("/v1/trends", ("search",)),
    ("/v1/alerts", ("search",)),
    ("/v1/models", ("search", "ask", "embed")),
    ("/v1/", ("ask",)),
    ("/mcp", ("ask", "search")),  # each tool has its own
)
_OPERATORS = ("/metrics", "/api/deletions", "/api/sources", "/api/tenants")
"""What tells of the house rather than of posts: open on this machine, by key where others can listen."""
_COUNTED = ("/api/", "/v1/", "/mcp")
"""What quotas count and stops stop; not the page's own files, nor what an operator needs just then."""
_UNCOUNTED = (*_OPERATORS, "/api/status")


class Door:
    """ASGI middleware; `caller()` tells those behind it who asks."""

    def __init__(self, app: ASGIApp, tenants: Tenants, is_public: bool) -> None:
        """Wrap an app; while there are no keys nobody needs one."""
        self._app, self._tenants, self._is_public = app, tenants, is_public

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Check, count, then pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            who = self._admit(scope)
        except Refusal as refusal:
            response = error_response(refusal)
            if refusal.status == 401:
                response.headers["WWW-Authenticate"] = "Bearer"
            await response(scope, receive, send)
        except HubbubError as error:
            await error_response(Refusal(500, str(error), code="keys_unreadable"))(scope, receive, send)
        else:
            with acting_for(who):
                await self._app(scope, receive, send)

    def _admit(self, scope: Connection) -> Caller:
        path = scope["path"]
        needed = self._needed(path)
        key = self._identify(Headers(scope=scope)) if needed else None
        if key and not set(needed) & set(key.scopes):
            said = f"this key may not {needed[0]}; it may {', '.join(key.scopes)}"
            raise self._tenants.refused(Caller(tenant=key.tenant), Refusal(403, said, code="not_in_scope"))
        if path.startswith(_UNCOUNTED) or not path.startswith(_COUNTED):
            return Caller()
        return self._tenants.admit(key)

    def _needed(self, path: str) -> Sequence[Scope]:
        """Name the scopes of which a key needs one; none where nobody needs a key."""
        ring = self._tenants.ring
        if ring is None or ring.is_empty:
            return ()
        if path.startswith(_OPERATORS):
            return ("operate",) if self._is_public else ()
        return next((scopes for start, scopes in _NEEDS if path.startswith(start)), ())

    def _identify(self, headers: Headers) -> Key:
        ring = self._tenants.ring
        assert ring
        kind, _, secret = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not secret.strip():
            said = "a key is needed: Authorization: Bearer hub_...; `hubbub keys add NAME` makes one"
            raise self._tenants.refused(Caller(), Refusal(401, said, code="no_key"))
        key = ring.find(secret.strip())
        if key is None:
            refusal = Refusal(401, "this key is unknown or revoked", code="invalid_api_key")
            raise self._tenants.refused(Caller(), refusal)
        return key
