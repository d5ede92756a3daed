"""How X's numbers become ids and addresses, and X's escaped text becomes text; of no API version."""

from __future__ import annotations

from hubbub.errors import InvalidEvent
from hubbub.posts import AuthorId, PostId

UNKNOWN_USER = "x://user/unknown/"


def status_uri(number: str | int) -> PostId:
    """Name a post. Raises InvalidEvent: that is no number."""
    return f"x://status/{_check(number)}"


def user_uri(number: str | int) -> AuthorId:
    """Name an account; InvalidEvent if that is no number."""
    return f"x://user/{_check(number)}"


def unknown_user_uri(status: str | int) -> AuthorId:
    """Name the unknown author of a post: one for each, so that strangers do not count as one voice."""
    return f"{UNKNOWN_USER}{_check(status)}"


def status_url(number: str | int, handle: str | None) -> str:
    """Tell where a person can open a post."""
    is_plain = handle is not None and handle.isascii() and handle.replace("_", "").isalnum()
    return f"https://x.com/{handle if is_plain else 'i'}/status/{_check(number)}"


def unescape(text: str) -> str:
    """Undo X's escaping: exactly these three are escaped, so that a typed `&copy;` stays as typed."""
    if "&" not in text:
        return text
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _check(number: str | int) -> str:
    text = str(number)
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise InvalidEvent(f"id {text[:40]!a} is not one of X's numbers")
    return text
