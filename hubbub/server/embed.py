"""Which pages of other sites may frame an answer, and what the frame may do; it serves no file itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from hubbub.errors import InvalidInput

FRAME, SCRIPT = "/embed", "/widget.js"
PLACES = {"index.html": "/", "embed.html": FRAME, "widget.js": SCRIPT}
"""Files of the page with addresses that other sites write down."""
_ASKED = ("/api/ask", "/api/posts")
"""All that the framed page may ask; what is for the operator is out of its reach."""
_HOST = re.compile(r"[\w.-]+(:\d+)?")
"""A Host that can stand in a policy; a raw IPv6 address cannot."""


def check_origins(origins: Sequence[str]) -> tuple[str, ...]:
    """Return the origins as browsers write them.

    Raises:
        InvalidInput: one is no origin, as `https://forum.example` is.
    """
    return tuple(_check_origin(origin) for origin in origins)


def _check_origin(origin: str) -> str:
    try:
        parts = urlsplit(origin.lower().rstrip("/"))
        is_plain = parts.scheme in ("http", "https") and _HOST.fullmatch(parts.netloc) and parts.port != 0
    except ValueError:
        is_plain = False
    if not is_plain or parts.geturl() != f"{parts.scheme}://{parts.netloc}":
        raise InvalidInput(
            f"--embed {origin!r} is not the origin of a site; write it as https://forum.example, "
            "with its port if it has one"
        )
    return parts.geturl()


def frame_policy(host: str, origins: Sequence[str]) -> str:
    """Return the Content-Security-Policy of the framed page, for a request to `host`."""
    asked = " ".join(f"{host}{path}" for path in _ASKED) if _HOST.fullmatch(host) else "'self'"
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            f"connect-src {asked}",
            "base-uri 'none'",
            "frame-ancestors " + (" ".join(origins) or "'none'"),
            "form-action 'none'",
            # Links open new pages; the page around the frame cannot be led away, nor asked anything.
            "sandbox allow-scripts allow-same-origin allow-popups allow-popups-to-escape-sandbox",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )
