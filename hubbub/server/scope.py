"""What part of the posts a caller's answer may rest on; it asks nothing itself."""

from __future__ import annotations

from typing import TypedDict

import msgspec

from hubbub.posts import AuthorId


class _Options(TypedDict):
    authors: tuple[AuthorId, ...]
    excluded_authors: tuple[AuthorId, ...]
    not_before_us: int | None
    before_us: int | None


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds beyond the question; authors by handle or id, times in microseconds since 1970 UTC."""

    authors: tuple[AuthorId, ...] = ()
    excluded_authors: tuple[AuthorId, ...] = ()
    from_us: int | None = None
    to_us: int | None = None
    """Exclusive."""

    def options(self) -> _Options:
        """Return it as `hubbub.assistant.ask` takes it."""
        return {
            "authors": self.authors,
            "excluded_authors": self.excluded_authors,
            "not_before_us": self.from_us,
            "before_us": self.to_us,
        }


EVERYTHING = Scope()
