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

from hubbub.index.chunks import cut, digest, tags_of, term_ids
from hubbub.index.folding import fold
from hubbub.index.lexical import also_terms, weigh_ids
from hubbub.posts import Post, PostId

Key: TypeAlias = str
"""32 hex digits of the UUIDv5 of a post's URI: the engine's point id."""

# RFC 9562 namespace for URLs.
_NAMESPACE = bytes.fromhex("6ba7b8119dad11d180b400c04fd430c8")
_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))


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
    numbers, found_words, tags = cut(post.text, lang)
    also = also_terms(post, lang, tags)
    if also:
        numbers += term_ids(also)
        tags += tags_of(also)
    ids, weights = weigh_ids(numbers)
    return Document(
        key=key,
        seq=seq,
        received_us=post.received_us,
        post=encode_post(post),
        tokens=" ".join([*_key_tokens(post, lang, tags), *found_words]),
        term_ids=ids,
        weights=weights,
        vector=vector,
    )


def author_token(author: str) -> str:
    """Return the token of an author's id."""
    return "A" + digest(author)


def handle_token(handle: str) -> str:
    """Return the token of an author's readable name."""
    return "H" + digest(fold(handle))


def tag_token(tag: str) -> str:
    """Return the token of a hashtag (without #)."""
    return "T" + digest(fold(tag))


def reply_token(post_id: PostId) -> str:
    """Return the token of the replies to a post."""
    return "P" + digest(post_id)


def visibility_token(visibility: str) -> str:
    """Return the token of a visibility."""
    return "V" + visibility


@lru_cache(maxsize=1024)
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


def _key_tokens(post: Post, lang: str, tags: Sequence[str]) -> Iterable[str]:
    yield _author_tokens(post.author, post.handle)
    yield from dict.fromkeys(map(lang_token, post.langs or (lang,)))
    if tags:
        yield from dict.fromkeys("T" + digest(tag) for tag in tags)
    if post.reply_to is not None:
        yield reply_token(post.reply_to)
    elif post.repost_of is None:
        yield ROOT_TOKEN
    yield visibility_token(post.visibility)


@lru_cache(maxsize=65_536)
def _author_tokens(author: str, handle: str | None) -> str:
    return f"{author_token(author)} {handle_token(handle)}" if handle else author_token(author)


def _without_surrogates(value: object) -> object:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {key: _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_surrogates(item) for item in value]
    return value
