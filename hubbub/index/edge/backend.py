"""The slices of an embedded index as one backend: where each write goes, and how answers merge."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from hubbub.index.backend import BackendStats, Legs
from hubbub.index.document import Document, Key
from hubbub.index.edge.shard import Shard
from hubbub.index.plan import Plan


class EdgeBackend:
    """Writes go to the hot slice, deletions to every slice that holds the key, searches to those in range."""

    def __init__(self, directory: Path, dim: int) -> None:
        self._directory = directory
        path = directory / "hot"
        self._hot = Shard.load(path) if path.exists() else Shard.create(path, dim)
        self._shards = [self._hot]

    def versions(self, keys: Sequence[Key]) -> dict[Key, int]:
        """Return the sequence number of each stored document among `keys`."""
        return {key: seq for shard in self._shards for key, seq in shard.versions(keys).items()}

    def owned(self, author: str) -> dict[Key, int]:
        """Return key and sequence number of every document of an author token."""
        return {key: seq for shard in self._shards for key, seq in shard.owned(author).items()}

    def put(self, documents: Sequence[Document]) -> None:
        """Store documents in the hot slice; older versions elsewhere go."""
        keys = [document.key for document in documents]
        for shard in self._shards:
            if shard is not self._hot:
                shard.delete(keys)
        self._hot.put(documents)

    def set_vectors(self, vectors: Mapping[Key, list[float]]) -> None:
        """Give stored documents their vectors."""
        for shard in self._shards:
            shard.set_vectors(vectors)

    def delete(self, keys: Collection[Key]) -> None:
        """Remove documents from every slice."""
        for shard in self._shards:
            shard.delete(keys)

    def flag(self, author: str, is_hidden: bool, is_unpromptable: bool) -> None:
        """Set the flags of every document of an author token."""
        for shard in self._shards:
            shard.flag(author, is_hidden, is_unpromptable)

    def search(self, plan: Plan) -> Legs:
        """Run the legs in every slice in range and keep the best of each leg."""
        legs = Legs()
        for shard in self._in_range(plan):
            legs = legs.merge(shard.search(plan), plan.depth)
        return legs

    def newest(self, plan: Plan) -> list[tuple[Key, int]]:
        """Return the newest matches of all slices."""
        found = [match for shard in self._in_range(plan) for match in shard.newest(plan)]
        return sorted(found, key=lambda match: (-match[1], match[0]))[: plan.depth]

    def fetch(self, keys: Sequence[Key]) -> dict[Key, str]:
        """Return the stored posts as JSON."""
        return {key: post for shard in self._shards for key, post in shard.fetch(keys).items()}

    def vectors(self, keys: Sequence[Key]) -> dict[Key, list[float]]:
        """Return the stored vectors."""
        return {key: row for shard in self._shards for key, row in shard.vectors(keys).items()}

    def flush(self) -> None:
        """Return once everything stored so far survives power loss."""
        for shard in self._shards:
            shard.flush()

    def stats(self) -> BackendStats:
        """Count what is stored."""
        return BackendStats(num_posts=sum(map(len, self._shards)), num_shards=len(self._shards))

    def close(self) -> None:
        """Flush and release everything."""
        for shard in self._shards:
            shard.close()

    def _in_range(self, plan: Plan) -> list[Shard]:
        return [shard for shard in self._shards if shard.overlaps(plan.from_us, plan.to_us)]
