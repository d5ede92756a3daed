"""The protocol of a backend: it stores documents and executes plans; it knows no events and no ranking."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from hubbub.index.document import Document, Key
from hubbub.index.plan import Plan


class Legs(msgspec.Struct, kw_only=True):
    """Candidates of one search, each leg with its own scores."""

    lexical: dict[Key, float] = {}
    """BM25."""
    recent: dict[Key, float] = {}
    """BM25, among those received since `plan.recent_us`."""
    dense: dict[Key, float] = {}
    """Cosine."""


class BackendStats(msgspec.Struct, frozen=True, kw_only=True):
    """What a backend says about itself."""

    num_posts: int
    num_shards: int = 1
    num_sealed: int = 0
    num_loading: int = 0
    """Shards that a search does not see yet."""
    oldest_covered_us: int | None = None
    """While shards are loading: posts received before this may be missing from results."""
    rebuild_error: str = ""
    """Why the last rebuilding (sealing, erasing) failed; it is tried again every minute."""


class Backend(Protocol):
    """One store of documents; every call is made by one thread at a time."""

    applied_seq: int
    """The index sets it: what is deleted from here on is deleted by events behind this one."""

    def versions(self, keys: Sequence[Key]) -> dict[Key, int]:
        """Return the sequence number of each stored document among `keys`."""
        ...

    def owned(self, author: str) -> dict[Key, int]:
        """Return key and sequence number of every document that carries this author token."""
        ...

    def put(self, documents: Sequence[Document]) -> None:
        """Store documents, replacing those of the same keys; they are found when this returns."""
        ...

    def set_vectors(self, vectors: Mapping[Key, list[float]]) -> None:
        """Give stored documents their vectors; keys that are not stored are passed over."""
        ...

    def delete(self, keys: Collection[Key]) -> None:
        """Remove documents; they are not found any more when this returns."""
        ...

    def flag(self, author: str, is_hidden: bool, is_unpromptable: bool) -> None:
        """Set the flags of every document that carries this author token."""
        ...

    def search(self, plan: Plan) -> Legs:
        """Return the best `plan.depth` candidates of each leg."""
        ...

    def newest(self, plan: Plan) -> list[tuple[Key, int]]:
        """Return the `plan.depth` newest matches with their received times, newest first, then by key."""
        ...

    def fetch(self, keys: Sequence[Key]) -> dict[Key, str]:
        """Return the stored posts as JSON."""
        ...

    def vectors(self, keys: Sequence[Key]) -> dict[Key, list[float]]:
        """Return the stored vectors."""
        ...

    @property
    def owes_erasure(self) -> bool:
        """Whether deleted bytes wait for one of the next flushes to overwrite them."""
        ...

    @property
    def erased_seq(self) -> int | None:
        """Up to which event, at least, what it deleted has left the files; None if only the server knows."""
        ...

    def wait_ready(self) -> None:
        """Return once writes will not have to wait; called before each batch, searches go on meanwhile."""
        ...

    def flush(self) -> bool:
        """Make everything stored so far survive power loss; False: not possible now, ask again soon."""
        ...

    def stats(self) -> BackendStats:
        """Count what is stored."""
        ...

    def close(self) -> None:
        """Flush and release everything."""
        ...
