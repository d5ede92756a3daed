"""A query turned into what every backend executes: filter clauses, weighed terms, a vector.

Backends return raw leg scores; fusing them is written once, above the backends (decision 022).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from hubbub.index.chunks import word_tokens
from hubbub.index.document import (
    ROOT_TOKEN,
    author_token,
    handle_token,
    lang_token,
    reply_token,
    tag_token,
    visibility_token,
)
from hubbub.index.query import Query
from hubbub.posts import Visibility

# Times are compared as 64-bit floats in the engine: exact up to 2**53 us, the year 2255.
MAX_TIME_US = 2**53


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One search as a backend sees it; every filter acts inside the engine."""

    must: tuple[tuple[str, ...], ...] = ()
    """Of each group at least one must occur; a string of several tokens is a phrase."""
    must_not: tuple[str, ...] = ()
    from_us: int | None = None
    to_us: int | None = None
    for_prompt: bool = False
    term_ids: tuple[int, ...] = ()
    term_weights: tuple[float, ...] = ()
    vector: tuple[float, ...] | None = None
    recent_us: int | None = None
    """Received since then: gets a lexical leg of its own, so that new matches are always candidates."""
    depth: int = 40
    """Candidates each leg returns."""

    @property
    def is_void(self) -> bool:
        """Whether no post can ever match."""
        return any(not group for group in self.must) or (
            self.from_us is not None and self.to_us is not None and self.from_us >= self.to_us
        )


def plan_filters(query: Query, indexed: Collection[Visibility]) -> Plan:
    """Turn the filters of a query into clauses; `indexed` are the visibilities that the index holds."""
    must = [_author_tokens(query.authors)] if query.authors else []
    if query.langs:
        must.append(tuple(dict.fromkeys(map(lang_token, query.langs))))
    must += [(tag_token(tag.lstrip("#")),) for tag in query.hashtags]
    must += [(tokens,) for tokens in map(word_tokens, query.phrases) if tokens]
    if query.reply_to:
        must.append(tuple(map(reply_token, query.reply_to)))
    if query.only_roots:
        must.append((ROOT_TOKEN,))
    if not set(indexed) <= set(query.visibility):
        wanted = [v for v in query.visibility if v in indexed]
        must.append(tuple(map(visibility_token, wanted)))
    barred = [tokens for tokens in map(word_tokens, query.excluded) if tokens]
    return Plan(
        must=tuple(must),
        must_not=(*barred, *_author_tokens(query.excluded_authors)),
        from_us=_clamp(query.from_us),
        to_us=_clamp(query.to_us) if (query.to_us or 0) <= MAX_TIME_US else None,
        for_prompt=query.for_prompt,
    )


def _author_tokens(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(token for name in names for token in (author_token(name), handle_token(name.lstrip("@"))))


def _clamp(time_us: int | None) -> int | None:
    return None if time_us is None else max(-MAX_TIME_US, min(MAX_TIME_US, time_us))
