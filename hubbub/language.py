"""Which language a post is in: what its platform declared, else what its words look like."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from hubbub.posts import Post

_LINK_OR_NAME, _NAME = re.compile(r"https?://\S+|[@#]\S+"), re.compile(r"[@#]\S+")
_HASHTAG = re.compile(r"#\S+")
_MIN_LETTERS = 12  # shorter texts are a coin toss (reference/models.md, section 5)
_SURE_LENGTH = 60  # code points: longer texts are not counted, which takes longer than detecting
_MAX_TEXT = 1000


def post_language(post: Post) -> str:
    """Return the first declared language, else the detected one; 'und' for a text that is too short."""
    return post.langs[0] if post.langs else text_language(post.text)


def text_language(text: str) -> str:
    """Return the ISO 639-1 code of a text's language, or 'und'; links and names do not count."""
    plain = text[:_MAX_TEXT]
    if "://" in plain:
        plain = _LINK_OR_NAME.sub(" ", plain)
    elif "@" in plain:
        plain = _NAME.sub(" ", plain)
    elif "#" in plain:
        plain = _HASHTAG.sub(" ", plain)  # the engine skips to a single letter
    if len(plain) < _SURE_LENGTH and not any(
        sum(map(str.isalpha, part)) >= _MIN_LETTERS for part in (plain[: 2 * _MIN_LETTERS], plain)
    ):
        return "und"
    if not plain.isascii():
        plain = plain.encode("utf-8", "replace").decode()
    return str(_detector().detect(plain))


@cache
def _detector() -> Any:
    import eldc

    eldc.init()
    return eldc
