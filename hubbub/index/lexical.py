"""What lexical search sees of a post, and how much each term weighs; `term_counts.py` adds idf."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from hubbub.index.folding import fold
from hubbub.index.tokenize import MAX_TEXT, term_id, terms
from hubbub.posts import Post

# Okapi BM25 for posts: in a post a repeated word says little and length says nothing bad, so both are damped
# far below the usual 1.2 / 0.75; tuned on TREC Microblog 2011, flat from .4 / .2 to .6 / .4 (decision 030).
BM25_K1 = 0.5
BM25_B = 0.3
BM25_MEAN_TERMS = 14.0

MAX_LINKS = 4
MAX_SLUG_WORDS = 24
_SLUG_WORD = re.compile(r"[^\W\d_]{2,20}")
_FILE_ENDINGS = frozenset(("html", "htm", "php", "aspx", "jsp", "shtml"))


def post_terms(post: Post, lang: str | None) -> list[str]:
    """Return the terms that find a post: its text, media descriptions, hashtags, author and headline links.

    People ask for a post by who wrote it ("what did the mayor say"), and a news link spells out its headline:
    together +9 points R@5 on TweetQA and +3 points MAP on TREC Microblog (decision 030).
    """
    found = terms(post.text, lang)
    return found + also_terms(post, lang, [term[1:] for term in found if term[0] == "#"])


def also_terms(post: Post, lang: str | None, tags: Sequence[str]) -> list[str]:
    """Return the terms of a post that are not in its text; `tags` are its text's hashtags, folded."""
    found: list[str] = []
    if post.hashtags:
        found += terms("", lang, [tag for tag in post.hashtags if fold(tag) not in tags])
    for description in post.media:
        found += terms(description[:MAX_TEXT], lang)
    found += author_terms(post.handle, post.name)
    for link in post.links[:MAX_LINKS]:
        found += terms(slug(link), lang)
    return found


def embedded_text(post: Post) -> str:
    """Return what the vector of a post stands for: who says what, and what its pictures show."""
    said = f"{post.name[:100]}: {post.text}" if post.name else post.text
    return "\n".join((said[:MAX_TEXT], *post.media)) if post.media else said


@lru_cache(maxsize=65_536)
def author_terms(handle: str | None, name: str | None) -> tuple[str, ...]:
    """Return the terms of an author's names, each once; names have no language, so English rules apply."""
    found = terms("@" + handle[:100]) if handle else []
    return tuple(dict.fromkeys(found + terms((name or "")[:100].replace("#", " "))))


def slug(link: str) -> str:
    """Return the words of a link's path segments of three or more words (a headline), or nothing."""
    path = re.split(r"[?#]", link[:500].partition("://")[2])[0].partition("/")[2]
    found: list[str] = []
    for segment in path.split("/"):
        spelled = [word for word in _SLUG_WORD.findall(segment) if word.lower() not in _FILE_ENDINGS]
        if len(spelled) >= 3:
            found += spelled
    return " ".join(found[:MAX_SLUG_WORDS])


def weigh_terms(found: Sequence[str]) -> tuple[list[int], list[float]]:
    """Return term ids and their BM25 weights."""
    return weigh_ids([term_id(term) for term in found])


def weigh_ids(numbers: Sequence[int]) -> tuple[list[int], list[float]]:
    """Return each id once and its BM25 weight: tf (k1 + 1) / (tf + k1 (1 - b + b length / mean))."""
    damping = BM25_K1 * (1 - BM25_B + BM25_B * len(numbers) / BM25_MEAN_TERMS)
    once = (BM25_K1 + 1) / (1 + damping)
    ids = list(dict.fromkeys(numbers))
    if len(ids) == len(numbers):
        return ids, [once] * len(ids)
    counts = Counter(numbers)
    return ids, [once if (tf := counts[i]) == 1 else tf * (BM25_K1 + 1) / (tf + damping) for i in ids]


@lru_cache(maxsize=262_144)
def cached_id(term: str) -> int:
    """Return `term_id(term)`, remembered: a lookup is five times cheaper than encoding and hashing."""
    return term_id(term)
