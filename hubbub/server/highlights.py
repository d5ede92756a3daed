"""Finds where a post says what a search asked for: spans in code points, by stems; it ranks nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from hubbub.index.query import Query
from hubbub.index.tokenize import query_terms, terms, terms_by_chunk
from hubbub.language import post_language
from hubbub.posts import Post

_CHUNK = re.compile(r"\S+")
_MARKS = (
    "".join(chr(c) for c in range(33, 127) if not chr(c).isalnum()) + "\u2018\u2019\u201c\u201d\u201e\u2026"
)


class Span(msgspec.Struct, frozen=True):
    """`text[start:end]`, code points."""

    start: int
    end: int


class Highlighter:
    """Marks the words of one query."""

    def __init__(self, query: Query) -> None:
        words = [query.text, *query.phrases, *(f"#{tag}" for tag in query.hashtags)]
        self._text = " ".join(words)
        self._literals = sorted({word.casefold() for word in self._text.split()}, key=len, reverse=True)
        self._wanted: dict[str, frozenset[str]] = {}

    def is_said(self, post: Post) -> bool:
        """Tell whether `mark` would find any."""
        lang = post_language(post)
        return not self._wanted_in(lang).isdisjoint(terms(post.text, lang))

    def mark(self, post: Post) -> list[Span]:
        """Return the spans in order, neighbours joined."""
        lang = post_language(post)
        is_apart = self._wanted_in(lang).isdisjoint
        is_wanted = [not is_apart(found) for found in terms_by_chunk(post.text, lang)]
        if not any(is_wanted):
            return []
        spans = (
            self._narrow(chunk[0], chunk.start())
            for chunk, is_meant in zip(_CHUNK.finditer(post.text), is_wanted, strict=False)
            if is_meant
        )
        return _joined(span for span in spans if span.start < span.end)

    def _wanted_in(self, lang: str) -> frozenset[str]:
        if lang not in self._wanted:
            self._wanted[lang] = frozenset(query_terms(self._text, [lang]))
        return self._wanted[lang]

    def _narrow(self, chunk: str, at: int) -> Span:
        """Leave out marks around a word, and what is written without spaces around what was typed."""
        for literal in self._literals:
            place = chunk.casefold().find(literal) if len(chunk.casefold()) == len(chunk) else -1
            if place >= 0:
                return Span(at + place, at + place + len(literal))
        bare = chunk.rstrip(_MARKS).lstrip(_MARKS.replace("#", "").replace("@", ""))
        start = at + chunk.find(bare)
        return Span(start, start + len(bare))


def _joined(spans: Iterable[Span]) -> list[Span]:
    found: list[Span] = []
    for span in spans:
        if found and span.start - found[-1].end <= 1:
            found[-1] = Span(found[-1].start, max(span.end, found[-1].end))
        else:
            found.append(span)
    return found
