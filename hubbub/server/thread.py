"""The posts above a post: what it replies to, up to the root, and what it quotes; no replies below it.

The index finds posts by words and by id, not by what they reply to.
"""

from __future__ import annotations

import msgspec

from hubbub.posts import Post, PostId
from hubbub.server.surface import Searchable

MAX_ABOVE = 25
"""Posts looked up towards the root; each is a fetch of its own."""


class Thread(msgspec.Struct, frozen=True, kw_only=True):
    """One post and its way to the root; only living, visible posts."""

    post: Post
    above: tuple[Post, ...]
    """From the root down."""
    quoted: Post | None = None
    num_missing: int = 0
    """Posts that it needs and that are not here (deleted, hidden, refused, never received), untold which."""


def read_thread(index: Searchable, post: Post, for_prompt: bool = False) -> Thread | None:
    """Read the posts above one (that may be put in a prompt, if asked); None if that one died meanwhile.

    Blocks for at most `MAX_ABOVE` fetches.
    """
    quoted = [post.quote_of] if post.quote_of else []
    above: list[PostId] = []
    current: Post | None = post
    while current and current.reply_to and current.reply_to not in {post.id, *above}:
        above.append(current.reply_to)
        current = index.fetch([above[-1]], for_prompt).get(above[-1]) if len(above) <= MAX_ABOVE else None
    if post.root and post.root not in {post.id, *above}:
        above.append(post.root)
    # Looked up once more, all at one time: what died on the way is not told.
    living = index.fetch([post.id, *above, *quoted], for_prompt)
    if post.id not in living:
        return None
    return Thread(
        post=living[post.id],
        above=tuple(living[one] for one in reversed(above) if one in living),
        quoted=living.get(quoted[0]) if quoted else None,
        num_missing=sum(one not in living for one in {*above, *quoted}),
    )
