"""What part of the posts a caller's answer may rest on; it asks nothing itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypedDict

import msgspec

from hubbub.index.embedding import Vectors
from hubbub.index.query import Hit, Query
from hubbub.posts import AuthorId, Post, PostId

if TYPE_CHECKING:
    from hubbub.server.surface import Searchable


class _Options(TypedDict):
    within: Query
    is_readers: bool
    is_summary: bool


class Promptable:
    """An index without the posts whose authors refuse prompts."""

    def __init__(self, index: Searchable) -> None:
        self._index = index

    @property
    def embedder_id(self) -> str:
        """Which model `embed` uses."""
        return self._index.embedder_id

    @property
    def replies_since_us(self) -> int | None:
        """From when on replies are found."""
        return self._index.replies_since_us

    def resolve(self, query: Query) -> Query:
        """Return the query with the accounts behind the handles that it names."""
        return self._index.resolve(query)

    def near_words(self, word: str) -> list[str]:
        """Return what a word that hardly a post holds may be a slip for."""
        return self._index.near_words(word)

    def search(self, query: Query) -> list[Hit]:
        """Find posts that may be put in a prompt."""
        return self._index.search(msgspec.structs.replace(query, for_prompt=True))

    def fetch(self, ids: Iterable[PostId], for_prompt: bool = True) -> dict[PostId, Post]:
        """Return those of the posts that may be put in a prompt."""
        return self._index.fetch(ids, for_prompt=True)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one row a text."""
        return self._index.embed(texts)


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds beyond the question; authors by handle or id, times in microseconds since 1970 UTC."""

    authors: tuple[AuthorId, ...] = ()
    excluded_authors: tuple[AuthorId, ...] = ()
    from_us: int | None = None
    to_us: int | None = None
    """Exclusive."""
    for_prompt: bool = False
    """Whoever reads it may be a model, so that authors must allow that."""

    is_readers: bool = True
    """The question is the reader's own, so that an answer may repeat its words."""

    found_by: Query | None = None
    """A search whose finds are to be summed up; its own bounds hold, in place of those above."""

    def narrow(self, index: Searchable) -> Searchable:
        """Return what of an index may be read."""
        return Promptable(index) if self.for_prompt else index

    def options(self) -> _Options:
        """Return it as `hubbub.assistant.ask` takes it."""
        bounds = Query(
            authors=self.authors,
            excluded_authors=self.excluded_authors,
            from_us=self.from_us,
            to_us=self.to_us,
        )
        return {
            "within": self.found_by or bounds,
            "is_readers": self.is_readers,
            "is_summary": self.found_by is not None,
        }


EVERYTHING = Scope()
