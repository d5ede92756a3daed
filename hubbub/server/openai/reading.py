"""Reads what clients send: of a thread one question, of search tools its bounds; it answers nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import TypeVar

import msgspec
from starlette.requests import Request

from hubbub.assistant.followup import resolve
from hubbub.errors import InvalidInput
from hubbub.server.desk import check_length, is_for_prompt
from hubbub.server.scope import Scope
from hubbub.units import parse_time_us
from hubbub.web.wire import Refusal

T = TypeVar("T")

_SEARCHES = frozenset({"x_search", "web_search", "web_search_preview"})
_MAX_HANDLES = 100
_DATE_CHARS = 10


class Part(msgspec.Struct):
    """One part of a message; only text is read."""

    type: str
    text: str = ""


class Message(msgspec.Struct):
    """One message of a thread; other kinds of items have no role."""

    role: str = ""
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        """All text of it."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.text)
        return self.content or ""


class Bounds(msgspec.Struct):
    """What xAI's `x_search` tool, and a source of its older `search_parameters`, may say."""

    type: str = ""
    allowed_x_handles: list[str] | None = None
    included_x_handles: list[str] | None = None
    excluded_x_handles: list[str] | None = None
    from_date: str | None = None
    to_date: str | None = None


class LiveSearch(msgspec.Struct):
    """xAI's older `search_parameters`."""

    sources: list[Bounds] | None = None
    from_date: str | None = None
    to_date: str | None = None


class Wanted(msgspec.Struct):
    """What both APIs share; what is not named here is ignored, as other servers do."""

    model: str = "hubbub"
    stream: bool | None = None
    tools: list[Bounds] | None = None
    search_parameters: LiveSearch | None = None


async def read_body(request: Request, kind: type[T]) -> T:
    """Read a JSON body.

    Raises:
        Refusal: it is no JSON, or not of this shape.
    """
    body = await request.body()
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _, is_shape, path = str(error).partition(" - at `$")
        raise Refusal(
            400,
            f"the body cannot be read: {error}",
            code="invalid_request",
            param=path.strip("`.") if is_shape else None,
        ) from None


def read_question(asked: Sequence[str], max_chars: int, param: str) -> str:
    """Return the last of what a user asked so that it stands alone.

    Raises:
        Refusal: nothing is asked, or at too great a length.
    """
    question = asked[-1].strip() if asked else ""
    if not question:
        raise Refusal(400, f"{param} holds no question of a user; end it with one", code="empty", param=param)
    return resolve(check_length(question, param, max_chars), asked[:-1])


def user_texts(messages: Iterable[Message]) -> list[str]:
    """Return what the user said, in order."""
    return [message.text for message in messages if message.role == "user" and message.text.strip()]


def read_scope(request: Request, wanted: Wanted) -> Scope:
    """Return the bounds of all searches that a request allows.

    Raises:
        Refusal: handles are both allowed and excluded, there are too many, or a date or use is none.
    """
    tools = [tool for tool in wanted.tools or () if tool.type in _SEARCHES]
    live = wanted.search_parameters
    if live:
        tools += [*(live.sources or ()), Bounds(from_date=live.from_date, to_date=live.to_date)]
    allowed = _handles([*(tool.allowed_x_handles or ()), *(tool.included_x_handles or ())] for tool in tools)
    excluded = _handles(tool.excluded_x_handles or () for tool in tools)
    if allowed and excluded:
        raise Refusal(
            400,
            "allowed_x_handles and excluded_x_handles cannot be given together; choose one",
            code="invalid_request",
            param="tools",
        )
    starts = [_time(tool.from_date, "from_date", 0) for tool in tools if tool.from_date]
    ends = [_time(tool.to_date, "to_date", 1) for tool in tools if tool.to_date]
    return Scope(
        authors=allowed,
        excluded_authors=excluded,
        from_us=max(starts, default=None),
        to_us=min(ends, default=None),
        for_prompt=is_for_prompt(request),
    )


def _handles(given: Iterable[Sequence[str]]) -> tuple[str, ...]:
    found = dict.fromkeys(handle.lstrip("@") for handles in given for handle in handles)
    if len(found) > _MAX_HANDLES:
        raise Refusal(
            400,
            f"{len(found)} handles are given; at most {_MAX_HANDLES} are taken",
            code="too_many",
            param="tools",
        )
    return tuple(found)


def _time(text: str, param: str, num_days: int) -> int:
    """Read a date or a time; the end of a range is the end of its day."""
    try:
        if len(text) == _DATE_CHARS:
            text = (date.fromisoformat(text) + timedelta(days=num_days)).isoformat()
        return parse_time_us(text)
    except (InvalidInput, ValueError, OverflowError):
        raise Refusal(
            400, f"{param} {text[:40]!r} is no date; write 2026-03-14", code="invalid_time", param=param
        ) from None
