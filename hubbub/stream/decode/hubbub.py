"""hubbub's own line format: one event as JSON a line; and simple post lines, since that is what people have.

An event line carries `type` (post, edit, deletion, account, consent) and the fields of `hubbub/posts.py`:

    {"type": "post", "id": "at://...", "author": "did:...", "text": "...", "received_us": 1764900000123456}
    {"type": "deletion", "id": "at://...", "received_us": 1764900000123456}

A line without `type` is a post; only `id` and `text` are needed:

    {"id": "17", "created_at": "2011-01-28T18:00:00Z", "author": "noor", "text": "...", "lang": "en",
     "author_id", "reply_to", "root", "repost_of", "quote_of", "hashtags", "mentions", "urls", "name", "url",
     "received_us"}

There, an id without a colon becomes `ndjson:ID`; an author's is `ndjson:@` + author_id or author, and a post
without either gets an author of its own, `ndjson:unknown/ID`, so that strangers do not count as one voice.
A `received_us` in the line always counts; else the time given by the caller; else `created_at`, which is what
a replay wants.
"""

from __future__ import annotations

import msgspec

from hubbub.errors import InvalidEvent
from hubbub.posts import Event, Post, Visibility
from hubbub.stream.decode.claimed_time import read_time_us, snowflake_time_us
from hubbub.stream.decode.outcome import Outcome


class _Line(msgspec.Struct):
    id: str | int
    text: str | None = None
    created_at: str | int | float | None = None
    received_us: int | None = None
    author: str | None = None
    author_id: str | int | None = None
    handle: str | None = None
    name: str | None = None
    lang: str | None = None
    langs: list[str] | None = None
    reply_to: str | int | None = None
    root: str | int | None = None
    quote_of: str | int | None = None
    repost_of: str | int | None = None
    hashtags: list[str] | None = None
    mentions: list[str] | None = None
    urls: list[str] | None = None
    media: list[str] | None = None
    visibility: Visibility = "public"
    is_bot: bool = False
    url: str | None = None


_event_decoder = msgspec.json.Decoder(Event)
_line_decoder = msgspec.json.Decoder(_Line)
_dict_decoder = msgspec.json.Decoder(dict[str, object])


def decode_hubbub(line: bytes, received_us: int | None = None) -> Outcome:
    """Decode a line of hubbub's own format.

    Raises:
        InvalidEvent: the line is not JSON, or its fields are not those of an event.
    """
    try:
        event: Event = _event_decoder.decode(line)
        return (event,)
    except msgspec.ValidationError as error:
        reason = str(error)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidEvent(f"not JSON: {error}") from None
    try:
        if reason == "Object missing required field `type`":
            return (_read_line(_line_decoder.decode(line), received_us),)
        if reason.startswith("Object missing required field `received_us`"):
            return (_stamp(line, received_us),)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = str(error)
    raise InvalidEvent(f"not an event: {reason}")


def _stamp(line: bytes, received_us: int | None) -> Event:
    """Complete a typed event that does not say when it was received."""
    fields = _dict_decoder.decode(line)
    inner = fields.get("post") if fields.get("type") == "edit" else fields
    if isinstance(inner, dict):
        claimed_us = inner.get("claimed_us")
        recorded_us = claimed_us if isinstance(claimed_us, int) else 0
        inner["received_us"] = recorded_us if received_us is None else received_us
        if inner is not fields:
            inner.setdefault("type", "post")
    event: Event = msgspec.convert(fields, Event)
    return event


def _read_line(line: _Line, received_us: int | None) -> Post:
    own_id = str(line.id)
    claimed_us = read_time_us(line.created_at)
    if line.received_us is not None:
        received_us = line.received_us
    elif received_us is None:
        recorded_us = claimed_us if claimed_us is not None else snowflake_time_us(own_id)
        received_us = recorded_us or 0
    who = line.author_id if line.author_id not in (None, "") else line.author
    return Post(
        id=_uri(own_id),
        author=_uri(str(who), "@") if who else f"ndjson:unknown/{own_id}",
        text=line.text or "",
        received_us=received_us,
        claimed_us=claimed_us,
        handle=line.handle or line.author,
        name=line.name,
        langs=tuple(line.langs or ()) or ((line.lang,) if line.lang and line.lang != "und" else ()),
        reply_to=_reference(line.reply_to),
        root=_root(line),
        quote_of=_reference(line.quote_of),
        repost_of=_reference(line.repost_of),
        links=tuple(line.urls or ()),
        hashtags=tuple(line.hashtags or ()),
        mentions=tuple(line.mentions or ()),
        visibility=line.visibility,
        is_bot=line.is_bot,
        media=tuple(line.media or ()),
        url=line.url,
    )


def _root(line: _Line) -> str | None:
    """Return the thread's root; a post that names itself as its root is one, and has none."""
    return None if line.root == line.id else _reference(line.root)


def _reference(identity: str | int | None) -> str | None:
    return None if identity in (None, "") else _uri(str(identity))


def _uri(identity: str, mark: str = "") -> str:
    return identity if ":" in identity or not identity else f"ndjson:{mark}{identity}"
