"""One slice of time: a qdrant-edge shard with the times and keys it holds; it knows no other slice."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import qdrant_edge as q

from hubbub.errors import Corruption, StorageError
from hubbub.index.document import Document, Key
from hubbub.index.edge.keys import KeySet, OpenKeys, read_keys
from hubbub.index.edge.layout import field_indexes, hot_config
from hubbub.index.edge.points import (
    key_of,
    make_point,
    make_queries,
    match_tokens,
    newest_query,
)
from hubbub.index.edge.room import DELETION_BYTES, RESERVE_BYTES, require_room
from hubbub.index.payload import clamp_us, make_state, read_post
from hubbub.index.plan import Plan

_PAGE = 10_000
_COPY_PAGE = 256
KEYS = "keys.npy"
"""Prefixes of the keys of a sealed slice, so that it need not be read to know them."""


class Shard:
    """Posts of one stretch of time; every call holds the interpreter lock for its whole length."""

    def __init__(self, path: Path, shard: q.EdgeShard, keys: KeySet, num_posts: int) -> None:
        self.path = path
        self._shard = shard
        self._keys = keys
        self._num_posts = num_posts
        self.min_us, self.max_us = self._bound(q.Direction.Asc), self._bound(q.Direction.Desc)
        self.has_state = bool(shard.info().payload_schema["state"].points)
        self.is_dirty = False

    @classmethod
    def create(cls, path: Path, dim: int) -> Shard:
        """Make an empty slice that takes writes.

        Raises:
            StorageError: the disk refused.
        """
        require_room(path.parent, RESERVE_BYTES)
        try:
            path.mkdir(parents=True)
            shard = q.EdgeShard.create(str(path), hot_config(dim))
            for field, index in field_indexes():
                shard.update(q.UpdateOperation.create_field_index(field, index))
            shard.flush()
        except Exception as error:
            raise StorageError(f"index slice {path}: {error}; is the disk full or read-only?") from None
        return cls(path, shard, OpenKeys(()), 0)

    @classmethod
    def load(cls, path: Path, keys: KeySet | None = None) -> Shard:
        """Open a slice as it was at its last flush; `keys` where they are known already.

        Raises:
            Corruption: the engine cannot read it.
        """
        try:
            shard = q.EdgeShard.load(str(path))
        except Exception as error:
            raise Corruption(
                f"index slice {path}: {error}; make it again from the archive: hubbub index rebuild"
            ) from None
        if keys is None:
            keys = read_keys(path / KEYS) if (path / KEYS).exists() else OpenKeys(_all_keys(shard))
        return cls(path, shard, keys, shard.count(q.CountRequest(exact=True)))

    @property
    def keys(self) -> KeySet:
        """The keys that are worth asking this slice for."""
        return self._keys

    def __len__(self) -> int:
        return self._num_posts

    def overlaps(self, from_us: int | None, to_us: int | None) -> bool:
        """Tell whether any post in here can lie in that stretch of time."""
        if self.min_us is None or self.max_us is None:
            return False
        return (from_us is None or self.max_us >= from_us) and (to_us is None or self.min_us < to_us)

    def versions(self, keys: Iterable[Key]) -> dict[Key, int]:
        """Return the sequence number of each document among `keys`."""
        held = self._keys.holding(keys)
        return {
            key_of(record): read_post((record.payload or {})["post"])[0]
            for record in self._retrieve(held, ["post"])
        }

    def owned(self, author: str) -> dict[Key, int]:
        """Return key and sequence number of the documents with this author token."""
        found: dict[Key, int] = {}
        offset = None
        while True:
            request = q.ScrollRequest(
                offset=offset,
                limit=_PAGE,
                filter=q.Filter(must=[match_tokens(author)]),
                with_payload=["post"],
            )
            records, offset = self._shard.scroll(request)
            found.update({key_of(r): read_post((r.payload or {})["post"])[0] for r in records})
            if offset is None:
                return found

    def put(self, documents: Sequence[Document]) -> None:
        """Store documents; only a slice that is not sealed takes them."""
        assert isinstance(self._keys, OpenKeys)
        # Text goes to the engine's own log and to its store.
        more_bytes = 4 * sum(len(document.post) + len(document.tokens) for document in documents)
        points = [make_point(document) for document in documents]
        self._update(q.UpdateOperation.upsert_points(points), RESERVE_BYTES + more_bytes)
        self._keys.keys.update(document.key for document in documents)
        self._num_posts = len(self._keys.keys)
        times = [clamp_us(document.received_us) for document in documents]
        self.min_us = min(times if self.min_us is None else [self.min_us, *times])
        self.max_us = max(times if self.max_us is None else [self.max_us, *times])
        self.has_state = self.has_state or any(d.is_hidden or d.is_unpromptable for d in documents)

    def set_vectors(self, vectors: Mapping[Key, list[float]]) -> None:
        """Give those documents that are in here their vectors."""
        held = self._present(vectors)
        if held:
            points = [q.PointVectors(key, {"meaning": vectors[key]}) for key in held]
            self._update(q.UpdateOperation.update_vectors(points))

    def holds(self, keys: Collection[Key]) -> bool:
        """Tell whether any of those documents is in here."""
        return bool(self._present(keys))

    def delete(self, keys: Collection[Key]) -> bool:
        """Remove those documents that are in here; tell whether there were any."""
        held = self._present(keys)
        if held:
            self._update(q.UpdateOperation.delete_points([*held]), DELETION_BYTES)
            self._num_posts -= len(held)
            if isinstance(self._keys, OpenKeys):
                self._keys.keys.difference_update(held)
        return bool(held)

    def flag(self, author: str, is_hidden: bool, is_unpromptable: bool) -> None:
        """Set the flags of the documents with this author token."""
        payload = {"state": make_state(is_hidden, is_unpromptable)}
        where = q.Filter(must=[match_tokens(author)])
        self._update(q.UpdateOperation.set_payload_by_filter(where, payload))
        self.has_state = self.has_state or is_hidden or is_unpromptable

    def search(self, plan: Plan) -> dict[str, list[q.ScoredPoint]]:
        """Run the legs of a plan; points by the name of their leg, as making keys of them costs 5 us each."""
        queries = make_queries(self._narrowed(plan), self.has_state)
        is_recent = (
            "recent" in queries and plan.recent_us is not None and (self.min_us or 0) >= plan.recent_us
        )
        if is_recent or not self.overlaps(plan.recent_us, None):
            queries.pop("recent", None)
        if not queries:
            return {}
        answers = self._shard.query_batch(q.QueryBatchRequest(list(queries.values())))
        found = dict(zip(queries, answers, strict=True))
        return {**found, "recent": found["lexical"]} if is_recent else found

    def _narrowed(self, plan: Plan) -> Plan:
        """Leave out the bounds of time that all posts in here keep: to check them is dear (decision 024)."""
        from_us, to_us = plan.from_us, plan.to_us
        if from_us is not None and self.min_us is not None and self.min_us >= from_us:
            from_us = None
        if to_us is not None and self.max_us is not None and self.max_us < to_us:
            to_us = None
        if (from_us, to_us) == (plan.from_us, plan.to_us):
            return plan
        return msgspec.structs.replace(plan, from_us=from_us, to_us=to_us)

    def newest(self, plan: Plan) -> list[tuple[Key, int]]:
        """Return the newest matches and their times."""
        found = self._shard.query(newest_query(plan, self.has_state))
        return [(key_of(point), int(point.order_value or 0)) for point in found]

    def fetch(self, keys: Iterable[Key]) -> dict[Key, str]:
        """Return the stored posts as JSON."""
        held = self._keys.holding(keys)
        return {key_of(r): read_post((r.payload or {})["post"])[1] for r in self._retrieve(held, ["post"])}

    def vectors(self, keys: Iterable[Key]) -> dict[Key, list[float]]:
        """Return the stored vectors."""
        held = self._keys.holding(keys)
        records = (
            self._shard.retrieve(list(held), with_payload=False, with_vector=["meaning"]) if held else []
        )
        named: list[tuple[Key, Any]] = [(key_of(record), record.vector or {}) for record in records]
        return {key: vector["meaning"] for key, vector in named if "meaning" in vector}

    def flush(self) -> None:
        """Return once everything in here survives power loss."""
        if self.is_dirty:
            try:
                self._shard.flush()
            except Exception as error:
                raise StorageError(f"index slice {self.path}: {error}; is the disk full?") from None
            self.is_dirty = False

    def close(self) -> None:
        """Flush and release."""
        try:
            self.flush()
        finally:
            self._shard.close()

    def discard(self) -> None:
        """Release and delete the files; nothing is written any more."""
        self._shard.close()
        shutil.rmtree(self.path, ignore_errors=True)

    def _update(self, operation: q.UpdateOperation, num_bytes: int = RESERVE_BYTES) -> None:
        require_room(self.path, num_bytes)
        self.is_dirty = True
        try:
            self._shard.update(operation)
        except Exception as error:
            raise StorageError(
                f"index slice {self.path} refused a write: {error}; is the disk full?"
            ) from None

    def _retrieve(self, keys: Collection[Key], fields: list[str]) -> list[q.Record]:
        return self._shard.retrieve([*keys], with_payload=fields, with_vector=False) if keys else []

    def _present(self, keys: Iterable[Key]) -> list[Key]:
        held = self._keys.holding(keys)
        if isinstance(self._keys, OpenKeys):
            return held
        return [key_of(record) for record in self._retrieve(held, [])]

    def _bound(self, direction: q.Direction) -> int | None:
        found = self._shard.query(
            q.QueryRequest(limit=1, query=q.OrderBy("received", direction), with_payload=False)
        )
        return int(found[0].order_value or 0) if found else None


def _all_keys(shard: q.EdgeShard) -> Iterable[Key]:
    offset = None
    while True:
        records, offset = shard.scroll(q.ScrollRequest(offset=offset, limit=_PAGE, with_payload=False))
        yield from map(key_of, records)
        if offset is None:
            return


def copy_points(source: Path, target: Path) -> None:
    """Write every point of one slice into another."""
    reader, writer = q.EdgeShard.load(str(source)), q.EdgeShard.load(str(target))
    offset = None
    while True:
        request = q.ScrollRequest(offset=offset, limit=_COPY_PAGE, with_payload=True, with_vector=True)
        records, offset = reader.scroll(request)
        points = [q.Point(record.id, record.vector or {}, record.payload) for record in records]
        if points:
            writer.update(q.UpdateOperation.upsert_points(points))
        if offset is None:
            break
    writer.flush()
    writer.close()
    reader.close()
