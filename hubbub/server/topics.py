"""The terms of a post that can rise: hashtags, words and pairs of neighbouring words; for `hubbub.trends`."""

from __future__ import annotations

import re
from functools import lru_cache

from hubbub.index.stopwords import ASKING_WORDS, STOP_WORDS
from hubbub.index.tokenize import words
from hubbub.posts import Post

MAX_TEXT = 2_000
"""Code points of a post that are read: what it is about stands at its beginning."""
_UNSAID = re.compile(r"(?<!\w)@\w[\w.-]*(?:@\w[\w.-]*)?|(?:[a-z]{2,9}://|www\.)\S+", re.IGNORECASE)
_EMPTY = frozenset().union(*STOP_WORDS.values(), *ASKING_WORDS.values())


def topic_terms(post: Post) -> tuple[list[str], list[str]]:
    """Return the folded words of a post in order, and the terms that can rise.

    Neither @names nor links rise. A hashtag is the same term as its word. Scripts without spaces come as
    single letters, whose neighbours are joined to one term and which are none themselves.
    """
    plain = [word for chunk in post.text[:MAX_TEXT].split() for word in _said(chunk)]
    said = [word for word in plain if word not in _EMPTY]
    terms = [word for word in said if len(word) > 1 and not word.isdecimal()]
    for left, right in zip(said, said[1:], strict=False):
        if len(left) > 1 and len(right) > 1:
            terms.append(f"{left} {right}")
        elif len(left) == len(right) == 1 and not (left.isascii() or right.isascii()):
            terms.append(left + right)
    terms += ["".join(words(tag)) for tag in post.hashtags]
    return plain, [term for term in terms if term]


@lru_cache(maxsize=65_536)
def _said(chunk: str) -> tuple[str, ...]:
    """Return the words of a text without spaces; most come again, and cutting them is most of the cost."""
    return tuple(words(_UNSAID.sub(" ", chunk)))
