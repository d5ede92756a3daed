"""Makes any decoded event safe to keep: no NUL, no lone surrogates, no giant texts, no absurd times."""

from __future__ import annotations

import re

import msgspec

from hubbub.errors import InvalidEvent
from hubbub.posts import Deletion, Edit, Event, Post

MAX_TEXT_CHARS = 100_000
"""Longer texts are clipped: four times what X allows its paying users."""
MAX_NAME_CHARS = 1_000
"""Longer ids, names and links are not what they claim to be."""
MAX_ITEMS = 100
"""So many links, hashtags, mentions, languages or picture descriptions of one post are kept."""
MAX_MENDED_BYTES = 4 << 20
"""Longer lines are not mended: a second's work."""
_ITEM_CHARS = {"langs": 100, "hashtags": MAX_NAME_CHARS, "mentions": MAX_NAME_CHARS, "media": 10_000}
_HALF = r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
# What is no half of a pair: plain text, other escapes (a backslash too), whole pairs; then one that is.
_UP_TO_HALF = re.compile(
    rf"((?:[^\\]++|\\u[dD][89abAB][0-9a-fA-F]{{2}}\\u[dD][c-fC-F][0-9a-fA-F]{{2}}|(?!{_HALF})\\.)*+)({_HALF}|)",
    re.DOTALL,
)
MAX_TIME_US = 253_402_300_799_000_000
"""The end of the year 9999."""


def clean_text(text: str) -> str:
    """Drop NUL, replace lone surrogates and clip to `MAX_TEXT_CHARS` code points."""
    if len(text) > MAX_TEXT_CHARS:
        text = text[:MAX_TEXT_CHARS]
    if "\0" in text:
        text = text.replace("\0", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return text


def mend_line(line: bytes) -> bytes:
    """Take away a byte order mark, replace what is no UTF-8 and escaped halves of surrogate pairs."""
    if len(line) > MAX_MENDED_BYTES:
        return line
    text = line.decode("utf-8-sig", "replace")
    parts: list[str] = []
    at = 0
    while at < len(text) and (found := _UP_TO_HALF.match(text, at)) and found.end() > at:
        parts += (found[1], "\\ufffd" if found[2] else "")
        at = found.end()
    return "".join((*parts, text[at:])).encode()


def is_web_link(url: str) -> bool:
    """Whether it is an http(s) address without white space or control characters, of a sane length."""
    return (
        (url.startswith(("https://", "http://")) or url[:8].lower().startswith(("https://", "http://")))
        and len(url) <= 2 * MAX_NAME_CHARS
        and url.isprintable()
        and " " not in url
    )


def cleanse(event: Event) -> Event:
    """Return the event, changed only where it must be. Raises InvalidEvent: an id or a time cannot be."""
    if not 0 <= event.received_us <= MAX_TIME_US:
        raise InvalidEvent(f"received_us {event.received_us} is not a time; give microseconds since 1970")
    if isinstance(event, Post):
        return _cleanse_post(event)
    if isinstance(event, Edit):
        _check_id(event.replaces)
        post = _cleanse_post(event.post)
        return event if post is event.post else msgspec.structs.replace(event, post=post)
    if isinstance(event, Deletion):
        return _cleanse_deletion(event)
    _check_id(event.author)
    return event


def _cleanse_deletion(event: Deletion) -> Deletion:
    _check_id(event.id)
    if event.author:
        _check_id(event.author)
    reason = clean_text(event.reason[:MAX_NAME_CHARS])
    return event if reason == event.reason else msgspec.structs.replace(event, reason=reason)


def _cleanse_post(post: Post) -> Post:
    changes: dict[str, object] = {}
    if not _is_short_and_plain(post):
        _check_id(post.id)
        _check_id(post.author)
        _clean_names(post, changes)
    text = clean_text(post.text)
    if text is not post.text:
        changes["text"] = text
    if post.claimed_us is not None and not 0 <= post.claimed_us <= post.received_us:
        # An author may claim any time; one that lies ahead of our receiving the post is shown as that.
        changes["claimed_us"] = min(max(post.claimed_us, 0), post.received_us)
    if post.url is not None and not is_web_link(post.url):
        changes["url"] = None
    if post.links and not (len(post.links) <= MAX_ITEMS and all(map(is_web_link, post.links))):
        changes["links"] = tuple(filter(is_web_link, post.links))[:MAX_ITEMS]
    return msgspec.structs.replace(post, **changes) if changes else post


def _is_short_and_plain(post: Post) -> bool:
    """Whether all names together are short and clean: one look at nearly every post instead of twelve."""
    if not post.id or not post.author:
        return False
    references = (post.reply_to or "", post.root or "", post.quote_of or "", post.repost_of or "")
    names = (post.id, post.author, post.handle or "", post.name or "", *references)
    joined = " ".join((*names, *post.langs, *post.hashtags, *post.mentions, *post.media))
    return len(joined) <= MAX_NAME_CHARS and joined.count(" ") < MAX_ITEMS and _is_plain(joined)


def _clean_names(post: Post, changes: dict[str, object]) -> None:
    for field in ("handle", "name", "reply_to", "root", "quote_of", "repost_of"):
        value = getattr(post, field)
        if value is not None and (len(value) > MAX_NAME_CHARS or not _is_plain(value)):
            changes[field] = clean_text(value[:MAX_NAME_CHARS])
    for field, limit in _ITEM_CHARS.items():
        values = getattr(post, field)
        if values and (len(values) > MAX_ITEMS or not all(len(v) <= limit and _is_plain(v) for v in values)):
            changes[field] = tuple(clean_text(value[:limit]) for value in values[:MAX_ITEMS])


def _check_id(identity: str) -> None:
    if not identity or len(identity) > MAX_NAME_CHARS or not _is_plain(identity):
        raise InvalidEvent(f"id {identity[:80]!a} cannot be: empty, too long or with control characters")


def _is_plain(value: str) -> bool:
    return value.isascii() and "\0" not in value or clean_text(value) is value
