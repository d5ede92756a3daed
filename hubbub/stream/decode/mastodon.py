"""Mastodon's statuses and stream events, as one server tells them.

A line is a status, or a stream event `{"event": "update", "payload": "<status as a string>"}` (the WebSocket
form, `stream` beside it or not). A deletion names a status by the number that this server gave it, and
a reply names its parent so; posts are known by their `uri`. So a decoder remembers which number was which,
for as many posts as `_REMEMBERED`; a deletion of an older one is left out and counted.

Consent: `indexable: false`, `noindex: true` or #nobot in the profile refuse the index. It is said once
for each author, before their post, and again when it changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import msgspec

from hubbub.errors import InvalidEvent
from hubbub.posts import AuthorId, ConsentEvent, Deletion, Edit, Event, Post, PostId, Visibility
from hubbub.stream.decode.claimed_time import read_time_us
from hubbub.stream.decode.html_text import read_html
from hubbub.stream.decode.outcome import Dropped, Outcome
from hubbub.stream.decode.recent import Recent

_REMEMBERED = 500_000
"""Numbers of posts, some 200 bytes each; a large server's day."""

_VISIBILITIES: dict[str, Visibility] = {
    "public": "public",
    "unlisted": "unlisted",
    "private": "followers",
    "direct": "direct",
}


class _Account(msgspec.Struct):
    uri: str | None = None
    url: str | None = None
    acct: str | None = None
    display_name: str | None = None
    bot: bool | None = None
    indexable: bool | None = None
    noindex: bool | None = None
    note: str | None = None


class _Mention(msgspec.Struct):
    acct: str | None = None


class _Tag(msgspec.Struct):
    name: str = ""


class _Media(msgspec.Struct):
    description: str | None = None


class _Quote(msgspec.Struct):
    quoted_status: _Status | None = None


class _Status(msgspec.Struct):
    id: str | None = None
    uri: str | None = None
    url: str | None = None
    created_at: str | None = None
    edited_at: str | None = None
    account: _Account | None = None
    content: str | None = None
    spoiler_text: str | None = None
    visibility: str | None = None
    language: str | None = None
    in_reply_to_id: str | None = None
    reblog: _Status | None = None
    quote: _Quote | None = None
    tags: list[_Tag] = []
    mentions: list[_Mention] = []
    media_attachments: list[_Media] = []


class _Line(_Status):
    event: str | None = None
    payload: str | int | None = None


_line_decoder = msgspec.json.Decoder(_Line)
_status_decoder = msgspec.json.Decoder(_Status)


_NOT_OURS = Dropped("not public, or its author has not allowed indexing")


class Uris(Protocol):
    """Which status has which number on a server."""

    def get(self, key: str) -> PostId | None:
        """Return the name of a status, None if it is not known."""

    def put(self, key: str, value: PostId) -> None:
        """Remember a status."""


class MastodonDecoder:
    """Decodes the lines of one server, in order."""

    def __init__(self, uris: Uris | None = None, *, is_strict: bool = False) -> None:
        """`uris`: a memory that outlives this decoder; without it half a million numbers are remembered.

        `is_strict`: leave out posts that are not public, and of authors who have not said that they may be
        indexed; servers older than 4.2 say nothing of the kind.
        """
        self._uris: Uris = uris or Recent(_REMEMBERED)
        self._is_strict = is_strict
        self._refusals: Recent[AuthorId, bool] = Recent(_REMEMBERED)

    def __call__(self, line: bytes, received_us: int | None = None) -> Outcome:
        """Decode one line; without `received_us` the time of the status (or of its last edit) counts.

        Raises:
            InvalidEvent: the line is not JSON, or nothing that Mastodon sends.
        """
        try:
            found = _line_decoder.decode(line)
            if found.event is None:
                return tuple(self._read_status(found, received_us)) or _NOT_OURS
            return self._read_event(found.event, found.payload, received_us)
        except (msgspec.DecodeError, UnicodeDecodeError, UnicodeEncodeError, RecursionError) as error:
            raise InvalidEvent(f"not a Mastodon status: {error}") from None

    def _read_event(self, event: str, payload: str | int | None, received_us: int | None) -> Outcome:
        if event == "delete":
            uri = self._uris.get(str(payload))
            if uri is None:
                return Dropped("deletion of a status not seen here")
            return (Deletion(id=uri, received_us=received_us or 0),)
        if event in ("update", "status.update"):
            status = _status_decoder.decode(str(payload))
            return (
                tuple(self._read_status(status, received_us, is_edit=event == "status.update")) or _NOT_OURS
            )
        return Dropped(f"event {event[:30]!a}")

    def _read_status(
        self, status: _Status, received_us: int | None, *, is_edit: bool = False, depth: int = 0
    ) -> Iterator[Event]:
        """Yield the statuses that this one carries, its author's consent if it is news, and itself."""
        account = status.account or _Account()
        author = account.uri or account.url
        if not status.uri or not author:
            raise InvalidEvent("not a Mastodon status: it has no uri, or no account with one")
        claimed_us = read_time_us(status.created_at)
        if received_us is None:
            edited_us = read_time_us(status.edited_at)
            received_us = edited_us if edited_us is not None else claimed_us or 0
        for carried in (status.reblog, status.quote.quoted_status if status.quote else None):
            if carried is not None and depth < 2:
                yield from self._read_status(carried, received_us, depth=depth + 1)
        yield from self._read_consent(account, author, received_us)
        if self._is_strict and not (
            status.visibility == "public" and account.indexable and _may_index(account)
        ):
            return
        if status.id:
            self._uris.put(status.id, status.uri)
        post = self._read_post(status, account, author, claimed_us, received_us)
        is_edit = is_edit or status.edited_at is not None
        yield Edit(post=post, replaces=post.id) if is_edit else post

    def _read_consent(self, account: _Account, author: AuthorId, received_us: int) -> Iterator[Event]:
        is_refused = account.indexable is False or not _may_index(account)
        is_said = account.indexable is not None or account.noindex is not None
        if not is_said and not is_refused:  # silence lifts no refusal
            return
        if self._refusals.get(author) is not is_refused:
            self._refusals.put(author, is_refused)
            yield ConsentEvent(author=author, scope="index", allow=not is_refused, received_us=received_us)

    def _read_post(
        self, status: _Status, account: _Account, author: AuthorId, claimed_us: int | None, received_us: int
    ) -> Post:
        text, links = read_html(status.content or "")
        if status.spoiler_text:
            text = f"{status.spoiler_text}\n\n{text}".strip()
        quoted = status.quote.quoted_status if status.quote else None
        return Post(
            id=status.uri or "",
            author=author,
            # A boost repeats the other's content.
            text="" if status.reblog else text,
            received_us=received_us,
            claimed_us=claimed_us,
            handle=account.acct,
            name=account.display_name or None,
            langs=(status.language,) if status.language else (),
            reply_to=self._find_parent(status),
            quote_of=quoted.uri if quoted else None,
            repost_of=status.reblog.uri if status.reblog else None,
            links=() if status.reblog else tuple(dict.fromkeys(links)),
            hashtags=tuple(tag.name for tag in status.tags if tag.name),
            mentions=tuple(mention.acct for mention in status.mentions if mention.acct),
            visibility=_VISIBILITIES.get(status.visibility or "public", "direct"),
            is_bot=bool(account.bot),
            media=tuple(media.description for media in status.media_attachments if media.description),
            url=status.url,
        )

    def _find_parent(self, status: _Status) -> PostId | None:
        """Name the post replied to; one that was not seen here gets a name that no post has."""
        if not status.in_reply_to_id:
            return None
        return self._uris.get(status.in_reply_to_id) or f"mastodon:unseen/{status.in_reply_to_id}"


def _may_index(account: _Account) -> bool:
    return not account.noindex and "nobot" not in (account.note or "").lower()
