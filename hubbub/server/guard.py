"""Whom a house lets frame its answers, on top of what guards every page."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Scope

from hubbub.server.embed import FRAME, SCRIPT, frame_policy
from hubbub.web.guard import HEADERS, Guard

# The policy says who may frame it; an old X-Frame-Options would say nobody, and a sandbox and an opener
# policy do not go together.
_NOT_FRAMED = ("X-Frame-Options", "Cross-Origin-Opener-Policy")
FRAME_HEADERS = {name: value for name, value in HEADERS.items() if name not in _NOT_FRAMED}


class HouseGuard(Guard):
    """ASGI middleware: a guard that lets pages of the origins `embed` frame one answer."""

    def __init__(
        self,
        app: ASGIApp,
        hosts: Collection[str] | None,
        max_body_bytes: int,
        max_post_bytes: int,
        embed: Sequence[str] = (),
    ) -> None:
        super().__init__(app, hosts, max_body_bytes, max_post_bytes)
        self._embed = embed

    def headers(self, scope: Scope) -> Mapping[str, str]:
        """Return the headers of this path; that of the frame says who may frame it."""
        if scope["path"] == FRAME:
            policy = frame_policy(Headers(scope=scope).get("host", ""), self._embed)
            return FRAME_HEADERS | self._sharing | {"Content-Security-Policy": policy}
        return HEADERS | self._sharing if scope["path"] == SCRIPT else HEADERS

    @property
    def _sharing(self) -> dict[str, str]:
        return {"Cross-Origin-Resource-Policy": "cross-origin"} if self._embed else {}
