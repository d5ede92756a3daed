"""Values as the API writes them: JSON, server-sent events, and the one shape of errors; no routes."""

from __future__ import annotations

import json

import msgspec
from starlette.responses import Response

JSON = "application/json; charset=utf-8"


class Refusal(Exception):
    """A request that is answered with an error; raised anywhere below a route."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str,
        param: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        """Keep what `error_response` writes; `status` is the HTTP status."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param
        self.retry_after_s = retry_after_s


def encode_json(value: object) -> bytes:
    """Encode a value as JSON; a lone surrogate, which UTF-8 cannot hold, is escaped."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value), ensure_ascii=True, separators=(",", ":")).encode(
            "ascii"
        )


def encode_event(name: str, value: object, event_id: str = "") -> bytes:
    """Encode one server-sent event; JSON holds no raw line break, so one data line is enough.

    A reader that comes again names the last `event_id` that it has seen.
    """
    head = f"id: {event_id}\n" if event_id else ""
    return b"%sevent: %s\ndata: %s\n\n" % (head.encode("ascii"), name.encode("ascii"), encode_json(value))


KEEP_ALIVE = b": still here\n\n"
KEEP_ALIVE_S = 15.0
"""Proxies and browsers give a silent connection up after 30 to 60 seconds."""

LEFT = 499
"""nginx's number for a caller who has gone; nobody reads it."""


def json_response(value: object, status: int = 200) -> Response:
    """Answer with JSON that nobody may keep: a deletion must reach every copy."""
    return Response(encode_json(value), status, media_type=JSON, headers={"Cache-Control": "no-store"})


def write_error(refusal: Refusal) -> dict[str, dict[str, str | None]]:
    """Give a refusal the one shape that every error of this API has."""
    error = {
        "message": str(refusal),
        "type": refusal.code if refusal.code == "insufficient_quota" else _name_kind(refusal.status),
        "param": refusal.param,
        "code": refusal.code,
    }
    return {"error": error}


def error_response(refusal: Refusal) -> Response:
    """Answer with an error."""
    response = json_response(write_error(refusal), refusal.status)
    if refusal.retry_after_s is not None:
        response.headers["Retry-After"] = str(refusal.retry_after_s)
    return response


def _name_kind(status: int) -> str:
    kinds = {403: "permission_error", 404: "not_found_error", 410: "not_found_error", 429: "rate_limit_error"}
    return kinds.get(status, "server_error" if status >= 500 else "invalid_request_error")
