"""Which words of the posts a misspelt word may mean: those one letter apart; it answers for none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from string import ascii_lowercase
from typing import Protocol

import msgspec

from hubbub.index.folding import fold
from hubbub.index.query import Hit, Query
from hubbub.index.tokenize import chunk_terms, stems, term_id
from hubbub.posts import AuthorId

LANGS = ("en", "de")
"""Whose stems a word is counted under, beside itself; a name has the same in most."""
_SHORTEST, _LONGEST = 5, 24
"""Of four letters every third word is one letter from another."""
_COMMON = 3
"""Posts that hold a word that another may be meant for, at least: it is no slip itself."""
_RARE, _TIMES = 5, 50
"""Posts that may hold a slip; so many times as many hold what was meant."""
_TRIED, _READ, _MAX_WORDS, _MAX_READ = 2, 10, 4, 32
_WORD = re.compile(r"[^\W\d_]+")


class Searched(Protocol):
    """What spelling needs of an index."""

    def search(self, query: Query) -> list[Hit]:
        """Return the posts that match."""
        ...

    def near_words(self, word: str) -> Sequence[str]:
        """Return what a word that hardly a post holds may mean."""
        ...


def respell(index: Searched, text: str, within: Query) -> str:
    """Return a text with its unknown words replaced by near ones; empty where there are none.

    A word stands in living posts of two authors, at least, that the filters of `within` let through, and is
    written as most of them write it. Of the first 32 words four unknown ones, at most, are looked at.
    """
    return _replaced([text], [text], index, within)


def respell_query(index: Searched, text: str, query: Query) -> str:
    """Return a search as typed (`text`, read as `query`) with its plain words so replaced; else empty."""
    bounds = Query(to_us=query.to_us, for_prompt=query.for_prompt)
    return _replaced(text.split(), query.text.split(), index, bounds)


def _replaced(pieces: Sequence[str], plain: Sequence[str], index: Searched, within: Query) -> str:
    """Join the pieces by blanks, with the words of those that are plain replaced; empty if none is."""
    said = list(dict.fromkeys(word for piece in plain for word in _WORD.findall(piece)))[:_MAX_READ]
    unknown = islice(((word, near) for word in said if (near := index.near_words(word))), _MAX_WORDS)
    meant = {
        word: next((spelt for each in near[:_TRIED] if (spelt := _spelt(index, each, within))), word)
        for word, near in unknown
    }
    if all(word == spelt for word, spelt in meant.items()):
        return ""
    known = frozenset(plain)
    put = [
        _WORD.sub(lambda match: meant.get(match[0], match[0]), each) if each in known else each
        for each in pieces
    ]
    return " ".join(put)


def _spelt(index: Searched, word: str, within: Query) -> str | None:
    query = msgspec.structs.replace(within, text="", phrases=(word,), sort="time", limit=_READ)
    said: dict[AuthorId, set[str]] = {}
    for post in (hit.post for hit in index.search(query)):
        if found := {each for each in _WORD.findall(post.text) if fold(each) == word}:
            said.setdefault(post.author, set()).update(found)
    if len(said) < 2:
        return None
    spelt = Counter(sorted(each for some in said.values() for each in some))
    return max(spelt, key=lambda each: spelt[each])


def near_words(word: str, count: Callable[[Sequence[int]], Sequence[int]]) -> list[str]:
    """Return the words one letter apart (put in, left out, another, two swapped), one of each stem.

    The most used come first. `count` tells of term ids how many posts hold each. There are none for a word
    that posts hold, unless a near one is in fifty times as many, nor for a stop word, one of under five
    letters, or of other letters than a to z.
    """
    word = fold(word)
    if not (_SHORTEST <= len(word) <= _LONGEST and word.isascii() and word.isalpha()):
        return []
    own = _held([word], count)[0]
    if own > _RARE or not all(chunk_terms(word, lang) for lang in LANGS):  # stop words are in no count
        return []
    variants = list(dict.fromkeys(_variants(word)))
    least = max(_COMMON, _TIMES * own)
    used = [pair for pair in zip(_held(variants, count), variants, strict=True) if pair[0] >= least]
    near = [each for _, each in sorted(used, key=lambda pair: (-pair[0], len(pair[1]), pair[1]))]
    firsts: dict[str, str] = {}
    for stem, each in zip(stems(near, LANGS[0]), near, strict=True):
        firsts.setdefault(stem, each)
    return list(firsts.values())


def _held(some: Sequence[str], count: Callable[[Sequence[int]], Sequence[int]]) -> list[int]:
    forms = (some, *(stems(some, lang) for lang in LANGS))
    return [*map(max, *(count([*map(term_id, form)]) for form in forms))]


def _variants(word: str) -> Iterator[str]:
    for place in range(len(word) + 1):
        head, tail = word[:place], word[place:]
        if tail:
            yield head + tail[1:]
            yield from (head + letter + tail[1:] for letter in ascii_lowercase if letter != tail[0])
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
        yield from (head + letter + tail for letter in ascii_lowercase)
