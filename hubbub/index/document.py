"""A post as every backend stores it: key, filter tokens, weighed terms, vector, and the post itself; no I/O.

All filters on words, authors, languages and hashtags act on one string of tokens, since each payload field
costs 8 microseconds a post in the engine's Python binding (decision 021). Words are lower case, keys of other
kinds start with a capital letter, so that no post can fake another's key.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TypeAlias

import msgspec

from hubbub.index.folding import fold
from hubbub.index.lexical import post_terms, weigh_terms
from hubbub.index.tokenize import MAX_TEXT, words
from hubbub.posts import Post, PostId

Key: TypeAlias = str
"""32 hex digits of the UUIDv5 of a post's URI: the engine's point id."""

# RFC 9562 namespace for URLs.
_NAMESPACE = bytes.fromhex("6ba7b8119dad11d180b400c04fd430c8")
_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))

_PLAIN_ENDS = '.,!?:;()"'
_MAX_CACHED = 64  # code points: longer runs without a space are rare and must not fill the cache


class Document(msgspec.Struct, kw_only=True):
    """What one post becomes in an index."""

    key: Key
    seq: int
    """Sequence number of the event that wrote this version."""
    received_us: int
    post: str
    """The post as JSON."""
    tokens: str
    """Filter tokens and words, parted by single spaces, in order of the text."""
    term_ids: list[int]
    weights: list[float]
    """BM25 weight of each term, without the inverse document frequency."""
    vector: list[float] | None
    """Unit length; None while it is not computed, or where nothing is known."""
    is_hidden: bool = False
    is_unpromptable: bool = False


def post_key(post_id: PostId) -> Key:
    """Return the UUIDv5 of a post's URI in 32 hex digits (uuid.uuid5 takes 10 us, this 3)."""
    name = _NAMESPACE + post_id.encode("utf-8", "surrogatepass")
    digits = hashlib.sha1(name, usedforsecurity=False).hexdigest()
    return f"{digits[:12]}5{digits[13:16]}{_VARIANT[digits[16]]}{digits[17:32]}"


def make_document(key: Key, seq: int, post: Post, lang: str, vector: list[float] | None) -> Document:
    """Build the stored form of a post; `lang` is the language it is stemmed in ('und' if unknown)."""
    found = post_terms(post, lang)
    term_ids, weights = weigh_terms(found)
    keys = " ".join(_key_tokens(post, lang, found))
    return Document(
        key=key,
        seq=seq,
        received_us=post.received_us,
        post=encode_post(post),
        tokens=f"{keys} {word_tokens(post.text)}",
        term_ids=term_ids,
        weights=weights,
        vector=vector,
    )


def word_tokens(text: str) -> str:
    """Return the words of a text as tokens, in order, parted by spaces."""
    chunks = text[:MAX_TEXT].split()
    return " ".join(
        filter(None, [_chunk_tokens(c) if len(c) <= _MAX_CACHED else _cut_chunk(c) for c in chunks])
    )


def author_token(author: str) -> str:
    """Return the token of an author's id."""
    return "A" + _digest(author)


def handle_token(handle: str) -> str:
    """Return the token of an author's readable name."""
    return "H" + _digest(fold(handle))


def tag_token(tag: str) -> str:
    """Return the token of a hashtag (without #)."""
    return "T" + _digest(fold(tag))


def visibility_token(visibility: str) -> str:
    """Return the token of a visibility."""
    return "V" + visibility


def lang_token(lang: str) -> str:
    """Return the token of a language; of BCP 47 tags only the first part counts."""
    return "L" + "".join(filter(str.isalnum, lang.partition("-")[0].lower()))


ROOT_TOKEN = "R"


def encode_post(post: Post) -> str:
    """Write a post as JSON; a lone surrogate becomes U+FFFD, one code point for one, so offsets stay."""
    try:
        return msgspec.json.encode(post).decode()
    except UnicodeEncodeError:
        return msgspec.json.encode(_without_surrogates(msgspec.to_builtins(post))).decode()


_SURROGATE = re.compile("[\ud800-\udfff]")
_decoder = msgspec.json.Decoder(Post)


def decode_post(text: str | bytes) -> Post:
    """Read what `encode_post` wrote."""
    return _decoder.decode(text)


def _key_tokens(post: Post, lang: str, found: Sequence[str]) -> Iterable[str]:
    yield author_token(post.author)
    if post.handle:
        yield handle_token(post.handle)
    yield from dict.fromkeys(map(lang_token, post.langs or (lang,)))
    yield from dict.fromkeys("T" + _digest(term[1:]) for term in found if term[0] == "#" and len(term) > 1)
    if post.reply_to is None and post.repost_of is None:
        yield ROOT_TOKEN
    yield visibility_token(post.visibility)


def _digest(name: str) -> str:
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


@lru_cache(maxsize=131_072)
def _chunk_tokens(chunk: str) -> str:
    return _cut_chunk(chunk)


def _cut_chunk(chunk: str) -> str:
    # What nine of ten chunks are: one plain word, perhaps with # or @ before it and a full stop behind.
    bare = chunk.strip(_PLAIN_ENDS)
    bare = bare[1:] if bare[:1] in ("#", "@") else bare
    if bare.isascii() and bare.isalnum():
        return fold(bare)
    # Words with signs that engines' tokenizers cut at (underscores, Indic vowel signs, emoji) go by digest.
    return " ".join(word if word.isalnum() else "Z" + _digest(word) for word in words(chunk))


def _without_surrogates(value: object) -> object:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {key: _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_surrogates(item) for item in value]
    return value
