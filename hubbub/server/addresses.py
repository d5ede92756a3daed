"""Which post a person means by an address they paste; nothing is fetched, neither page nor post."""

from __future__ import annotations

import re

from hubbub.posts import PostId

_FORMS = (
    (
        re.compile(r"https?://(?:www\.|mobile\.)?(?:x|twitter)\.com/\w+/status/(\d{1,20})\b.*"),
        r"x://status/\1",
    ),
    (
        re.compile(r"https?://bsky\.app/profile/(did:[a-z]+:[\w.:%-]+)/post/([\w.~:-]+).*"),
        r"at://\1/app.bsky.feed.post/\2",
    ),
    # Mastodon: a post's id is its ActivityPub address, which differs from that of its page.
    (re.compile(r"(https://[\w.:-]+)/@(\w+)/(\d+)\b.*"), r"\1/users/\2/statuses/\3"),
)
"""Addresses of pages, and the id that the decoder of that platform gives the post."""


def candidate_ids(text: str) -> tuple[PostId, ...]:
    """Return the ids that a post named so may have, itself first; a Bluesky page must name the DID."""
    text = text.strip()
    rewritten = (form.sub(name, text) for form, name in _FORMS if form.fullmatch(text))
    return tuple(dict.fromkeys((text, *rewritten)))
