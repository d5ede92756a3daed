"""A trend as it is shown: a span of a living post quoted to the letter, and the ids of others."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from hubbub.posts import AuthorId, Post, PostId
from hubbub.trends.burst import MIN_VOICES
from hubbub.trends.trend import Trend

MAX_QUOTE = 240
"""Code points of a headline."""
NUM_MORE = 5
_ECHO = re.compile(r"\s*(?:rt\b|@)", re.IGNORECASE)
_LINK = re.compile(r"(?:[a-z]{2,9}://|www\.)\S+", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?\u2026\u3002\uff01\uff1f](?=\s|$)|\n")


class Headline(msgspec.Struct, frozen=True, kw_only=True):
    """A span of one living post, as a citation of an answer: `quote == post.text[start:end]`."""

    post: PostId
    author: AuthorId
    handle: str | None
    name: str | None
    time_us: int
    claimed_us: int | None
    quote: str
    start: int
    end: int
    url: str | None


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """A trend that was checked against the living posts just before it was shown."""

    label: str
    terms: tuple[str, ...]
    score: float
    num_voices: int
    num_posts: int
    first_seen_us: int
    peak_us: int
    curve: tuple[int, ...]
    headline: Headline
    more: tuple[PostId, ...]
    """Other living posts about it."""


def quote(trend: Trend, living: Mapping[PostId, Post], min_voices: int = MIN_VOICES) -> Story | None:
    """Give a trend its headline from those of its posts that live; None where too few authors are left."""
    posts = [living[post] for post in trend.posts if post in living]
    if len({post.author for post in posts}) < min(min_voices, len(trend.posts)) or not posts:
        return None
    best = min(posts, key=lambda post: (_is_echo(post), posts.index(post)))
    start, end = _cut(best.text)
    if start == end:
        return None
    return Story(
        label=", ".join(trend.terms[:3]),
        terms=trend.terms,
        score=trend.score,
        num_voices=trend.num_voices,
        num_posts=trend.num_posts,
        first_seen_us=trend.first_seen_us,
        peak_us=trend.peak_us,
        curve=trend.curve,
        headline=Headline(
            post=best.id,
            author=best.author,
            handle=best.handle,
            name=best.name,
            time_us=best.received_us,
            claimed_us=best.claimed_us,
            quote=best.text[start:end],
            start=start,
            end=end,
            url=best.url,
        ),
        more=tuple(post.id for post in posts if post.id != best.id)[:NUM_MORE],
    )


def _is_echo(post: Post) -> bool:
    """Tell whether a text repeats or addresses somebody, or is mostly a link."""
    return bool(_ECHO.match(post.text)) or len(_LINK.sub("", post.text).split()) < 4


def _cut(text: str) -> tuple[int, int]:
    """Return the first sentences that fit in a headline; a longer sentence ends at a word."""
    start = len(text) - len(text.lstrip())
    end = len(text.rstrip())
    if end - start <= MAX_QUOTE:
        return start, max(start, end)
    last = start + MAX_QUOTE
    ends = [match.end() for match in _SENTENCE_END.finditer(text, start, last)]
    if not ends:
        space = max(text.rfind(" ", start, last), text.rfind("\n", start, last))
        ends = [space if space > start else last]
    return start, start + len(text[start : ends[-1]].rstrip())
