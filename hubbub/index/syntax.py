"""Read the search syntax that people know into a `Query`; what a backend does with it is not its business.

    from:NAME -from:NAME since:TIME until:TIME lang:en "a phrase" -word -"a phrase" #tag is:root sort:time

TIME is 2011-01-28, 2011-01-28T18:00:00Z, or a duration back from now (`since:2h`). Anything else, and
anything half written, is plain text.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from hubbub.errors import InvalidInput, InvalidQuery
from hubbub.index.query import Query
from hubbub.units import now_us, parse_duration_us, parse_time_us

MAX_TEXT = 100_000
"""Code points that are read; the rest of a longer query is ignored."""
MAX_PARTS = 64
"""Filters of each kind that count; further ones are ignored."""

_TOKEN = re.compile(
    r'(?P<minus>-?)"(?P<phrase>[^"]*)"'
    r"|(?P<not>-?)(?P<name>from|since|until|lang|is|sort):(?P<value>\S+)"
    r"|-(?P<word>[^\s\"-][^\s\"]*)"
    r"|(?P<text>\S+)",
    re.IGNORECASE,
)
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?")
_TAG = re.compile(r"[#\uff03](\w*[^\W\d]\w*)")


class _Parts(msgspec.Struct):
    words: list[str] = []
    phrases: list[str] = []
    excluded: list[str] = []
    hashtags: list[str] = []
    authors: list[str] = []
    excluded_authors: list[str] = []
    langs: list[str] = []
    from_us: int | None = None
    to_us: int | None = None
    only_roots: bool = False
    is_by_time: bool = False


def parse_query(text: str, *, now_us: int | None = None) -> Query:
    """Read a search query; `now_us` is the clock that durations (`since:2h`) count back from.

    Raises:
        InvalidQuery: a time of `since:` or `until:` cannot be read.
    """
    parts = _Parts()
    for match in _TOKEN.finditer(text[:MAX_TEXT]):
        _read(match, parts, now_us)
    return Query(
        text=" ".join(parts.words),
        phrases=tuple(parts.phrases[:MAX_PARTS]),
        excluded=tuple(parts.excluded[:MAX_PARTS]),
        hashtags=tuple(parts.hashtags[:MAX_PARTS]),
        authors=tuple(parts.authors[:MAX_PARTS]),
        excluded_authors=tuple(parts.excluded_authors[:MAX_PARTS]),
        langs=tuple(parts.langs[:MAX_PARTS]),
        from_us=parts.from_us,
        to_us=parts.to_us,
        only_roots=parts.only_roots,
        sort="time" if parts.is_by_time else "relevance",
        now_us=now_us,
    )


def _read(match: re.Match[str], parts: _Parts, clock_us: int | None) -> None:
    if match["phrase"] is not None:
        if match["phrase"].strip():
            (parts.excluded if match["minus"] else parts.phrases).append(match["phrase"].strip())
    elif match["word"]:
        parts.excluded.append(match["word"])
    elif match["name"] and _read_operator(match, parts, clock_us):
        pass
    elif tag := _TAG.fullmatch(match[0]):
        parts.hashtags.append(tag[1])
    else:
        parts.words.append(match[0].replace('"', " ").strip())


def _read_operator(match: re.Match[str], parts: _Parts, clock_us: int | None) -> bool:
    name, value = match["name"].lower(), match["value"].strip('"')
    if name == "from" and value.lstrip("@"):
        (parts.excluded_authors if match["not"] else parts.authors).append(value.lstrip("@"))
        return True
    if match["not"] or not value:
        return False
    if name == "since":
        parts.from_us = max(parts.from_us or -(2**62), _time_us(name, value, clock_us))
    elif name == "until":
        parts.to_us = min(parts.to_us or 2**62, _time_us(name, value, clock_us))
    elif name == "lang" and re.fullmatch(r"[A-Za-z]{2,3}(-\w+)*", value):
        parts.langs.append(value.lower())
    else:
        return _read_switch(f"{name}:{value}".lower(), parts)
    return True


def _read_switch(switch: str, parts: _Parts) -> bool:
    switches: dict[str, Callable[[], None]] = {
        "is:root": lambda: setattr(parts, "only_roots", True),
        "sort:time": lambda: setattr(parts, "is_by_time", True),
        "sort:relevance": lambda: setattr(parts, "is_by_time", False),
    }
    if switch not in switches:
        return False
    switches[switch]()
    return True


def _time_us(name: str, value: str, clock_us: int | None) -> int:
    try:
        if value[:1].isdigit() and value[-1:].isalpha() and "-" not in value:
            return (now_us() if clock_us is None else clock_us) - parse_duration_us(value.lower())
        if _DATE.fullmatch(value):
            year, month, day = map(int, value.split("-"))
            return parse_time_us(f"{year:04}-{month:02}-{day:02}")
        return parse_time_us(value.upper())
    except (InvalidInput, OverflowError):
        raise InvalidQuery(
            f"{name}:{value[:60]} is not a time; write {name}:2011-01-28, 2011-01-28T18:00:00Z or 2h"
        ) from None
