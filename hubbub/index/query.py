"""What can be asked of an index, and what it gives back; the syntax people type lives in `syntax.py`."""

from __future__ import annotations

from typing import Literal

import msgspec

from hubbub.posts import AuthorId, Post, PostId, Visibility


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """One search; every field narrows it inside the index, before anything is ranked."""

    text: str = ""
    """Free words; empty matches everything (use with `sort="time"`)."""
    phrases: tuple[str, ...] = ()
    """Each must occur, word for word after folding case and accents."""
    excluded: tuple[str, ...] = ()
    """Words or phrases that must not occur."""
    hashtags: tuple[str, ...] = ()
    """Each must be carried, without #."""
    authors: tuple[AuthorId, ...] = ()
    """Handles or author ids, any of them; without @."""
    excluded_authors: tuple[AuthorId, ...] = ()
    langs: tuple[str, ...] = ()
    from_us: int | None = None
    """Received at or after, microseconds since 1970 UTC."""
    to_us: int | None = None
    """Received before (exclusive)."""
    reply_to: tuple[PostId, ...] = ()
    """Replies to any of these posts."""
    only_roots: bool = False
    """Leave out replies and bare reposts."""
    visibility: tuple[Visibility, ...] = ("public",)
    for_prompt: bool = False
    """Only posts that may be put in front of a model."""
    limit: int = 20
    sort: Literal["relevance", "time"] = "relevance"
    now_us: int | None = None
    """The clock that recency counts from; None = the newest post in the index."""
    recency: float | None = None
    """Weight of recency in relevance; None = the index's default, 0 = none."""


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """One post that was found, with the score that ordered it (comparable within one result only)."""

    post: Post
    score: float
