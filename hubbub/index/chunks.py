"""What one run of text between two spaces gives an index, remembered: most of a stream's were seen before.

One look-up a chunk gives term ids, filter tokens and hashtags together; three caches cost three cache misses.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterable
from itertools import chain
from operator import itemgetter
from typing import NamedTuple, cast

from hubbub.index.folding import fold
from hubbub.index.tokenize import MAX_TEXT, chunk_terms, words

_MAX_CHUNK = 64  # code points: longer runs without a space are rare and must not fill the memory
_MAX_KNOWN = 100_000  # entries a generation; two are kept, at most 50 MB a busy language
LINKS = ("http://", "https://")  # give nothing, and no two are alike
PLAIN_ENDS = '.,!?:;()"'
"""Signs around a chunk that change nothing of what it gives."""
_NAMED = re.compile(r"[@#]\w+", re.ASCII)


class Chunk(NamedTuple):
    """What one chunk gives."""

    term_ids: tuple[int, ...]
    words: str
    """Word tokens parted by spaces."""
    tags: tuple[str, ...]
    """Hashtags, folded, without #."""


_NOTHING = Chunk((), "", ())
_IDS, _WORDS, _TAGS = itemgetter(0), itemgetter(1), itemgetter(2)

_known: dict[str, tuple[dict[str, Chunk], dict[str, Chunk]]] = {}  # by language: young and old generation


def cut(text: str, lang: str) -> tuple[list[int], list[str], list[str]]:
    """Return term ids, words and hashtags of a text, in order; `lang` is the language it is stemmed in."""
    young, old = _known.setdefault(lang, ({}, {}))
    chunks = text[:MAX_TEXT].split()
    found = [*map(young.get, chunks)]
    while None in found:
        place = found.index(None)
        found[place] = _meet(chunks[place], lang, young, old)
    if len(young) > _MAX_KNOWN:
        _known[lang] = ({}, young)
    known = cast("list[Chunk]", found)
    return (
        [*chain.from_iterable(map(_IDS, known))],
        [*filter(None, map(_WORDS, known))],
        [*chain.from_iterable(map(_TAGS, known))],
    )


def term_ids(found: Iterable[str]) -> list[int]:
    """Return the ids of terms (as `tokenize.term_id`, inlined)."""
    return [zlib.crc32(term.encode("utf-8", "surrogatepass")) for term in found]


def tags_of(found: Iterable[str]) -> list[str]:
    """Return the hashtags among terms, without #."""
    return [term[1:] for term in found if len(term) > 1 and term[0] == "#"]


def word_tokens(text: str) -> str:
    """Return the words of a text as tokens, in order, parted by spaces."""
    return " ".join(filter(None, map(_chunk_words, text[:MAX_TEXT].split())))


def digest(name: str) -> str:
    """Return 16 hex digits that stand for a name."""
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _meet(chunk: str, lang: str, young: dict[str, Chunk], old: dict[str, Chunk]) -> Chunk:
    """Return what a chunk gives that the young generation does not know, and let it know."""
    if chunk.startswith(LINKS):
        return _NOTHING
    known = young.get(chunk) or old.get(chunk) or _learn(chunk, lang, young, old)
    if len(chunk) <= _MAX_CHUNK:
        young[chunk] = known
    return known


def _learn(chunk: str, lang: str, young: dict[str, Chunk], old: dict[str, Chunk]) -> Chunk:
    # "Flood," and "FLOOD" give what "flood" gives: a third of the chunks that are new are such forms.
    bare = chunk.strip(PLAIN_ENDS)
    if bare.isalnum():
        bare = bare.lower() if bare.isascii() else bare
    elif not _NAMED.fullmatch(bare):
        return _read(chunk, lang)
    known = young.get(bare) or old.get(bare) or _read(bare, lang)
    if len(bare) <= _MAX_CHUNK:
        young[bare] = known
    return known


def _read(chunk: str, lang: str) -> Chunk:
    found = chunk_terms(chunk, lang)
    if chunk.isascii() and chunk.isalpha():
        return Chunk(tuple(term_ids(found)), fold(chunk), ())
    return Chunk(tuple(term_ids(found)), _chunk_words(chunk), tuple(tags_of(found)))


def _chunk_words(chunk: str) -> str:
    # What nine of ten chunks are: one plain word, perhaps with # or @ before it and a full stop behind.
    bare = chunk.strip(PLAIN_ENDS)
    if bare.isascii() and bare.isalnum():
        return fold(bare)
    # Words with signs that engines' tokenizers cut at (underscores, Indic vowel signs, emoji) go by digest.
    found = [fold(bare[1:])] if _NAMED.fullmatch(bare) else words(chunk)
    return " ".join(word if word.isalnum() else "Z" + digest(word) for word in found)
