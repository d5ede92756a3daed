"""X's API v1.1: statuses, retweets and quotes with what they carry, and the stream's notices of deletion.

A line is a status, a list of them, `{"statuses": [...]}`, `{"status": {...}}`, or a
notice such as `{"delete": ...}`. Ids of 64 bits are read from `id_str`, since careless software rounds `id`.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from hubbub.errors import InvalidEvent
from hubbub.posts import AccountEvent, AccountStatus, Deletion, Event, Post
from hubbub.stream.decode.claimed_time import read_time_us, snowflake_time_us
from hubbub.stream.decode.outcome import EMPTY, Dropped, Outcome
from hubbub.stream.decode.x_ids import status_uri, status_url, unescape, unknown_user_uri, user_uri

_MAX_DEPTH = 2
"""A retweet of a quote carries two others; X nests no deeper."""

_USER_NOTICES: dict[str, AccountStatus] = {
    "user_delete": "removed",
    "user_undelete": "restored",
    "user_protect": "protected",
    "user_unprotect": "restored",
    "user_suspend": "suspended",
    "user_unsuspend": "restored",
}
_STAMP_DIGITS = 20
"""Of a time in milliseconds; Python refuses to read numbers of thousands of digits."""


class _User(msgspec.Struct):
    id_str: str | None = None
    id: int | float | None = None
    screen_name: str | None = None
    name: str | None = None
    protected: bool | None = None


class _Hashtag(msgspec.Struct):
    text: str = ""


class _Mention(msgspec.Struct):
    screen_name: str | None = None


class _Url(msgspec.Struct):
    expanded_url: str | None = None
    url: str | None = None


class _Media(msgspec.Struct):
    ext_alt_text: str | None = None


class _Entities(msgspec.Struct):
    hashtags: list[_Hashtag] = []
    user_mentions: list[_Mention] = []
    urls: list[_Url] = []
    media: list[_Media] = []


class _Extended(msgspec.Struct):
    full_text: str
    entities: _Entities | None = None
    extended_entities: _Entities | None = None


class _Status(msgspec.Struct):
    id_str: str | None = None
    id: int | float | None = None
    text: str | None = None
    full_text: str | None = None
    created_at: str | None = None
    user: _User | None = None
    lang: str | None = None
    in_reply_to_status_id_str: str | None = None
    in_reply_to_status_id: int | float | None = None
    quoted_status_id_str: str | None = None
    entities: _Entities | None = None
    extended_entities: _Entities | None = None
    extended_tweet: _Extended | None = None
    retweeted_status: _Status | None = None
    quoted_status: _Status | None = None


class _Deleted(msgspec.Struct):
    id_str: str | None = None
    id: int | float | None = None
    user_id_str: str | None = None
    user_id: int | float | None = None


class _Delete(msgspec.Struct):
    status: _Deleted
    timestamp_ms: str | int | None = None


class _UserNotice(msgspec.Struct):
    id: int | str


class _Line(_Status):
    delete: _Delete | None = None
    status: _Status | None = None
    statuses: list[_Status] | None = None


_line_decoder = msgspec.json.Decoder(_Line)
_list_decoder = msgspec.json.Decoder(list[_Status])
_notice_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_user_notice_decoder = msgspec.json.Decoder(_UserNotice)


def decode_x1(line: bytes, received_us: int | None = None) -> Outcome:
    """Decode one line of API v1.1; without `received_us` the time of the status counts.

    Raises:
        InvalidEvent: the line is not JSON, or nothing that v1.1 sends.
    """
    try:
        if line.lstrip()[:1] == b"[":
            return _read_all(_list_decoder.decode(line), received_us)
        found = _line_decoder.decode(line)
        if found.delete is not None:
            return (_read_delete(found.delete, received_us),)
        if found.statuses is not None:
            return _read_all(found.statuses, received_us)
        status = found.status or found
        if _number(status) is None:
            return _read_notice(line, received_us)
        return tuple(_read_status(status, received_us))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidEvent(f"not a v1.1 status: {error}") from None


def _read_all(statuses: list[_Status], received_us: int | None) -> Outcome:
    return [event for status in statuses for event in _read_status(status, received_us)] or EMPTY


def _read_delete(notice: _Delete, received_us: int | None) -> Deletion:
    status = notice.status
    who = _pick(status.user_id_str, status.user_id)
    if received_us is None:
        stamp = notice.timestamp_ms
        text = "" if stamp is None else str(stamp)
        received_us = read_time_us(int(text)) if text.isdecimal() and len(text) <= _STAMP_DIGITS else None
    return Deletion(
        id=status_uri(_pick(status.id_str, status.id) or ""),
        author=None if who is None else user_uri(who),
        received_us=received_us or 0,
    )


def _read_notice(line: bytes, received_us: int | None) -> Outcome:
    """Read what is not a status: notices about accounts count, those about the stream do not."""
    fields = _notice_decoder.decode(line)
    for name, raw in fields.items():
        if name in _USER_NOTICES:
            author = user_uri(_user_notice_decoder.decode(raw).id)
            return (AccountEvent(author=author, status=_USER_NOTICES[name], received_us=received_us or 0),)
    if "created_at" in fields or "text" in fields or not fields:
        raise InvalidEvent("not a v1.1 status: it has no id")
    return Dropped(f"notice {next(iter(fields))[:30]!a}")


def _number(status: _Status) -> str | None:
    return _pick(status.id_str, status.id)


def _pick(text: str | None, number: float | None) -> str | None:
    """Prefer the text; a number that was turned into a float on its way has lost its last digits."""
    return text or (str(number) if isinstance(number, int) else None)


def _read_status(status: _Status, received_us: int | None, depth: int = 0) -> Iterator[Event]:
    """Yield the statuses that this one carries, then itself; all were received at one time."""
    number = _number(status)
    if number is None:
        raise InvalidEvent("not a v1.1 status: it has no id")
    claimed_us = read_time_us(status.created_at)
    if claimed_us is None:
        claimed_us = snowflake_time_us(number)
    if received_us is None:
        received_us = claimed_us or 0
    for carried in (status.retweeted_status, status.quoted_status):
        if carried is not None and depth < _MAX_DEPTH:
            yield from _read_status(carried, received_us, depth + 1)
    yield _read_post(status, number, claimed_us, received_us)


def _read_post(status: _Status, number: str, claimed_us: int | None, received_us: int) -> Post:
    user = status.user or _User()
    who = _pick(user.id_str, user.id)
    extended = status.extended_tweet
    retweeted = status.retweeted_status and _number(status.retweeted_status)
    text = extended.full_text if extended else status.full_text or status.text or ""
    entities = (extended and extended.entities) or status.entities or _Entities()
    pictures = (extended and extended.extended_entities) or status.extended_entities or entities
    quoted = status.quoted_status_id_str or (status.quoted_status and _number(status.quoted_status))
    reply_to = _pick(status.in_reply_to_status_id_str, status.in_reply_to_status_id)
    return Post(
        id=status_uri(number),
        author=unknown_user_uri(number) if who is None else user_uri(who),
        # A retweet's own text is the other's, cut off; the other comes as a post of its own.
        text="" if retweeted else unescape(text),
        received_us=received_us,
        claimed_us=claimed_us,
        handle=user.screen_name,
        name=user.name and unescape(user.name),
        langs=(status.lang,) if status.lang and status.lang != "und" else (),
        reply_to=None if reply_to is None else status_uri(reply_to),
        quote_of=None if retweeted or not quoted else status_uri(quoted),
        repost_of=status_uri(retweeted) if retweeted else None,
        links=tuple(link for url in entities.urls if (link := url.expanded_url or url.url)),
        hashtags=tuple(hashtag.text for hashtag in entities.hashtags if hashtag.text),
        mentions=tuple(name for mention in entities.user_mentions if (name := mention.screen_name)),
        visibility="followers" if user.protected else "public",
        media=tuple(alt for picture in pictures.media if (alt := picture.ext_alt_text)),
        url=status_url(number, user.screen_name),
    )
