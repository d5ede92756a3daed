"""Makes text that strangers wrote safe to show: controls, bidi tricks and zalgo go; data stays untouched."""

from __future__ import annotations

import re
import unicodedata

_MAX_MARKS = 3
"""Combining marks kept on one letter: Vietnamese, Hebrew and Arabic need three, zalgo lives on dozens."""

# C0 and C1 controls but tab and newline, line and paragraph separators, bidi marks, embeddings, overrides and
# isolates, invisible operators, soft hyphen, byte order mark, interlinear marks, tags (UTS 51), surrogates,
# variation selectors beyond the emoji one, non-characters.
_HIDDEN = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff\ud800-\udfff\ufffe\uffff]"
)
_SPACES = re.compile(r"[ \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
_JOINER = re.compile("(?<![\u0600-\u0dff\u2600-\U0001faff\ufe0f])[\u200c\u200d]+|[\u200c\u200d]{2,}")
_MAX_URL = 2_000
# No @ before the first slash: it would name a user, and the host after it.
_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(?:[/?#][!#-&(-;=?-Z\[\]_a-z~]*)?")
_HANDLE = re.compile(r"[\w.+-]{1,100}(?:@[\w.-]{1,100})?")
# What a client could make a link, a picture, markup or a line of a conversation of.
_LIVE = re.compile(
    r"https?:|://|www\.|\]\s?[(:]|!\[|\[\[|<\s*[a-z!/]|&[#\w]+;|```|\b(?:javascript|data|system|assistant):",
    re.IGNORECASE,
)
_MAX_NAME = 80
_RIGHT_TO_LEFT = {"R", "AL"}
_FIRST_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"


def inert(text: str) -> str:
    """Return text without anything that moves the cursor, turns the direction or hides; idempotent.

    Line breaks become single spaces; visible letters of every script stay.
    """
    if text.isascii() and text.isprintable():
        return _SPACES.sub(" ", text)
    shown = _HIDDEN.sub(
        "", text.replace("\n", " ").replace("\r", " ").replace("\u2028", " ").replace("\u2029", " ")
    )
    shown = _JOINER.sub("", shown)
    return _SPACES.sub(" ", _without_zalgo(shown))


def isolated(text: str) -> str:
    """Make text inert and keep right-to-left letters in it from turning what stands around it."""
    shown = inert(text)
    if any(unicodedata.bidirectional(char) in _RIGHT_TO_LEFT for char in shown):
        return f"{_FIRST_ISOLATE}{shown}{_POP_ISOLATE}"
    return shown


def safe_url(url: str | None) -> str | None:
    """Return a link only if it is plain http(s): no blanks, markup, user name or letters beyond ASCII."""
    if url is None or len(url) > _MAX_URL or not _URL.fullmatch(url):
        return None
    return url


def is_live(text: str) -> bool:
    """Tell whether a client could make a link, a picture or markup of running text."""
    return _LIVE.search(text) is not None


def safe_handle(handle: str | None) -> str | None:
    """Return a handle only if it looks like one: letters, digits, `. _ + -`, and a host after @."""
    shown = inert(handle) if handle else None
    return shown if shown and _HANDLE.fullmatch(shown) else None


def safe_name(name: str | None) -> str | None:
    """Return a display name made inert; none where it is long or could act."""
    shown = inert(name).strip() if name else None
    return shown if shown and len(shown) <= _MAX_NAME and not is_live(shown) else None


def _without_zalgo(text: str) -> str:
    if text.isascii():
        return text
    kept: list[str] = []
    num_marks = 0
    for char in text:
        num_marks = num_marks + 1 if unicodedata.category(char) in {"Mn", "Me"} else 0
        if num_marks <= _MAX_MARKS:
            kept.append(char)
    return "".join(kept)
