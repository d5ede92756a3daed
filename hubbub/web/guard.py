"""What every request passes and every response carries: Host, Origin, size, safe headers; no routes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hubbub.web.wire import Refusal, error_response

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""Names under which a house on this machine is asked. Any other means DNS rebinding: a foreign page that
points its own name at 127.0.0.1 to read the answers."""

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'none'",
        # No string can become markup, not even by a mistake of ours: browsers refuse innerHTML and its like.
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), browsing-topics=()",
}

FOR_PROGRAMS = ("/api/", "/mcp", "/v1/")
"""Paths that another site's page may not even link to; the page itself it may."""


class Guard:
    """ASGI middleware that turns away what another site's page could send, and hardens what goes out."""

    def __init__(
        self,
        app: ASGIApp,
        hosts: Collection[str] | None,
        max_body_bytes: int = 4_096,
        max_post_bytes: int = 0,
    ) -> None:
        """Wrap an app; `hosts` None accepts every Host, for a page meant to be read from elsewhere.

        A POST may carry `max_post_bytes`, announced or in chunks; `max_body_bytes` of any other are ignored.
        """
        self._app = app
        self._hosts = hosts
        self._max_body_bytes = max_body_bytes
        self._max_post_bytes = max_post_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, then pass on with our headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self.headers(scope))
            await send(message)

        is_post = scope["method"] == "POST"
        try:
            self._check(scope["path"], Headers(scope=scope), is_post)
        except Refusal as refusal:
            await error_response(refusal)(scope, receive, send_hardened)
            return
        await self._app(scope, self._limit(receive) if is_post else receive, send_hardened)

    def headers(self, scope: Scope) -> Mapping[str, str]:
        """Return what every response to this request carries."""
        return HEADERS

    def _limit(self, receive: Receive) -> Receive:
        """Count a body as it is read: one in chunks has no announced length.

        The Refusal rises in whoever reads, and the app answers it as any other.
        """
        num_bytes = 0

        async def receive_limited() -> Message:
            nonlocal num_bytes
            message = await receive()
            num_bytes += len(message.get("body", b""))
            if num_bytes > self._max_post_bytes:
                raise _too_large("more", self._max_post_bytes)
            return message

        return receive_limited

    def _check(self, path: str, headers: Headers, is_post: bool) -> None:
        host = headers.get("host", "")
        if self._hosts is not None and _strip_port(host) not in self._hosts:
            raise Refusal(
                403,
                f"Host {host[:100]!r} is not this page's; open it as http://localhost or http://127.0.0.1",
                code="foreign_host",
                param="Host",
            )
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            raise Refusal(
                403, f"Origin {origin[:100]!r} may not ask this house", code="foreign_origin", param="Origin"
            )
        if path.startswith(FOR_PROGRAMS) and headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            raise Refusal(
                403, "another site may not ask this house", code="foreign_origin", param="Sec-Fetch-Site"
            )
        self._check_size(headers, is_post)

    def _check_size(self, headers: Headers, is_post: bool) -> None:
        length = headers.get("content-length", "0")
        max_bytes = self._max_post_bytes if is_post else self._max_body_bytes
        is_unannounced = "transfer-encoding" in headers and not is_post
        if is_unannounced or not length.isdecimal() or int(length) > max_bytes:
            raise _too_large(length[:20], max_bytes)


def _too_large(size: str, max_bytes: int) -> Refusal:
    return Refusal(
        413, f"a request body of {size} bytes; at most {max_bytes:,} are taken here", code="body_too_large"
    )


def _strip_port(host: str) -> str:
    name = host.lower()
    if name.startswith("["):
        return name[: name.find("]") + 1]
    return name.rpartition(":")[0] or name
