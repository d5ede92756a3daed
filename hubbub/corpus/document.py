"""What a corpus is made of: documents of cleaned posts, on their way from the fold to the shards."""

from __future__ import annotations

import msgspec


class Piece(msgspec.Struct, frozen=True, gc=False):
    """One post as a model will see it: private data masked, mentions under pseudonyms.

    In a document of several pieces `text` begins with its author's pseudonym, as `@a: ` (`threads.py`).
    """

    post_id: str
    author: str
    received_us: int
    lang: str
    text: str
    former_ids: tuple[str, ...] = ()
    """Earlier ids of the post: edits gave it a new one, and a deletion may still name the old."""
    key: int = 0
    """Of the post (`shards.key_of`), where it is known."""


class Document(msgspec.Struct, frozen=True, gc=False):
    """A post or a thread, in order; held out when newer than the time cut: for evaluation, never training."""

    pieces: tuple[Piece, ...]
    is_held_out: bool
