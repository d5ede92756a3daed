"""A post among others: what it replies to, up to the root, what it quotes, and the replies below it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hubbub.index.query import Query
from hubbub.posts import Post, PostId
from hubbub.server.surface import Searchable

MAX_ABOVE = 25
"""Posts looked up towards the root; each is a fetch of its own."""
MAX_BELOW = 50
MAX_LEVELS = 6
"""Of replies to replies; each is a search of its own."""


class Thread(msgspec.Struct, frozen=True, kw_only=True):
    """One post, its way to the root and the replies below it; only living, visible posts."""

    post: Post
    above: tuple[Post, ...]
    """From the root down."""
    quoted: Post | None = None
    num_missing: int = 0
    """Posts above it that are not here (deleted, hidden, refused, never received), untold which."""
    below: tuple[Post, ...] = ()
    """Each reply followed by those to itself (`reply_to` says to whom), the oldest first. Who replied to a
    post that is gone is in nobody's thread."""
    has_more_below: bool = False
    """There are more; of those to one post the newest were read."""
    is_below_unsure: bool = False
    """An older hubbub indexed posts of that time, whose replies are not found: `hubbub index rebuild`."""


def read_thread(index: Searchable, post: Post, for_prompt: bool = False) -> Thread | None:
    """Read the posts around one (that may be put in a prompt, if asked); None if that one died meanwhile.

    Blocks for at most `MAX_ABOVE` fetches and `MAX_LEVELS` searches.
    """
    quoted = [post.quote_of] if post.quote_of else []
    above = _read_above(index, post, for_prompt)
    replies, has_more = _read_below(index, post.id, for_prompt)
    # Looked up once more, all at one time: what died on the way is not told.
    living = index.fetch([post.id, *above, *quoted, *(reply.id for reply in replies)], for_prompt)
    if post.id not in living:
        return None
    since_us = index.replies_since_us
    return Thread(
        post=living[post.id],
        above=tuple(living[one] for one in reversed(above) if one in living),
        quoted=living.get(quoted[0]) if quoted else None,
        num_missing=sum(one not in living for one in {*above, *quoted}),
        below=_in_order(post.id, [living[reply.id] for reply in replies if reply.id in living]),
        has_more_below=has_more,
        is_below_unsure=since_us is not None and post.received_us <= since_us,
    )


def _read_above(index: Searchable, post: Post, for_prompt: bool) -> list[PostId]:
    above: list[PostId] = []
    current: Post | None = post
    while current and current.reply_to and current.reply_to not in {post.id, *above}:
        above.append(current.reply_to)
        current = index.fetch([above[-1]], for_prompt).get(above[-1]) if len(above) <= MAX_ABOVE else None
    if post.root and post.root not in {post.id, *above}:
        above.append(post.root)
    return above


def _read_below(index: Searchable, post: PostId, for_prompt: bool) -> tuple[list[Post], bool]:
    """Return the replies level by level, and whether there are more."""
    found: dict[PostId, Post] = {}
    asked: Sequence[PostId] = [post]
    for _ in range(MAX_LEVELS):
        limit = MAX_BELOW - len(found) + 1
        query = Query(reply_to=tuple(asked), sort="time", limit=limit, for_prompt=for_prompt)
        hits = index.search(query)
        new = [hit.post for hit in hits if hit.post.id not in found and hit.post.id != post]
        found |= {reply.id: reply for reply in new[: limit - 1]}
        if len(hits) == limit:
            return list(found.values()), True
        if not new:
            return list(found.values()), False
        asked = [reply.id for reply in new]
    deeper = Query(reply_to=tuple(asked), sort="time", limit=1, for_prompt=for_prompt)
    return list(found.values()), bool(index.search(deeper))


def _in_order(root: PostId, replies: Sequence[Post]) -> tuple[Post, ...]:
    """Put each reply behind what it answers; an edit may have changed that, or made a circle, since."""
    by_parent: dict[PostId | None, list[Post]] = {}
    for reply in sorted(replies, key=lambda reply: (-reply.received_us, reply.id)):
        by_parent.setdefault(reply.reply_to, []).append(reply)
    ordered: list[Post] = []
    waiting = by_parent.pop(root, [])
    while waiting:
        ordered.append(waiting.pop())
        waiting += by_parent.pop(ordered[-1].id, [])
    return tuple(ordered)
