"""The slices of an embedded index as one backend: where each write goes, and how answers merge."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from qdrant_edge import ScoredPoint

from hubbub.index.backend import BackendStats, Legs
from hubbub.index.document import Document, Key
from hubbub.index.edge.job import Job, Task
from hubbub.index.edge.keys import Asked, join_keys
from hubbub.index.edge.loading import load_slices
from hubbub.index.edge.manifest import Manifest, SliceNote, read_manifest, remove_waste, write_manifest
from hubbub.index.edge.points import best_points
from hubbub.index.edge.sealer import Sealer
from hubbub.index.edge.shard import KEYS, Shard
from hubbub.index.edge.slices import Slice
from hubbub.index.plan import Plan
from hubbub.units import US_PER_S, now_us

SLICE_POSTS = 32_768
"""A slice is shelved at this size: one that takes writes is read whole when the index is opened."""

MERGED_SLICES = 3
"""So many shelved neighbours become one sealed slice, with a graph, once the stream leaves time for it."""

CALM_S = 20.0
"""Graphs wait while slices fill in less: a shelved slice is scanned, for a third of the CPU of a sealing."""

MAX_SHELVED_SLICES = 16
"""From so many on they are merged in any weather, so that a stream that never calms down stays searchable."""

MAX_WAITING_POSTS = 4 * SLICE_POSTS
"""While more wait in full slices to be shelved, nothing is folded: they lie in memory, 2 KB each."""

_PATIENCE_S = 0.05

Value = TypeVar("Value")


class EdgeBackend:
    """Writes go to the last slice, deletions to each that holds the key, searches to those in range."""

    def __init__(
        self,
        directory: Path,
        dim: int,
        *,
        slice_posts: int = SLICE_POSTS,
        erase_s: float = 3600.0,
        calm_s: float = CALM_S,
        is_sealing: bool = True,
    ) -> None:
        """Open or create the slices under `directory`, which this process must own.

        Without `is_sealing` nothing is rebuilt unless the caller does it (`next_job`, `finish_job`).

        Raises:
            Corruption: a slice is damaged.
            StorageError: the disk refused.
            VersionMismatch: a newer hubbub wrote it.
        """
        self._directory, self._dim, self._slice_posts = directory, dim, slice_posts
        # Half for waiting, half for rebuilding every slice in turn.
        self._erase_us = int(erase_s * US_PER_S / 2)
        self._calm_s = calm_s
        self._lock = threading.RLock()
        self.applied_seq = 0
        self._leaving: dict[Path, int] = {}
        """What was owed in slices that are replaced and not yet off the disk: see `SliceNote.owed_after`."""
        manifest = read_manifest(directory)
        remove_waste(directory, manifest)
        self._next_number = manifest.next_number
        self._slices = [Slice(note, None) for note in manifest.slices]
        self._written = manifest
        if not self._slices:
            self._add_slice()
        self._loading = load_slices(directory, self._slices, self._lock)
        # An opening is no calm either: who has just started wants answers, not graphs.
        self._filled_s, self._rolled_s = 0.0, time.monotonic()
        self._sealer = Sealer(self, dim)
        if is_sealing:
            self._sealer.start()

    @property
    def owes_erasure(self) -> bool:
        """No: what is deleted is erased by rebuilding slices."""
        return False

    @property
    def erased_seq(self) -> int:
        """Up to which event, at least, what it deleted has left the files."""
        with self._lock:
            owed = [one.note.owed_after for one in self._slices if one.note.erase_by_us is not None]
            return min([*owed, *self._leaving.values(), self.applied_seq])

    def wait_ready(self) -> None:
        """Return once not too many full slices wait to be sealed."""
        while self._sealer.is_working and self._num_waiting() > MAX_WAITING_POSTS:
            time.sleep(_PATIENCE_S)

    def versions(self, keys: Sequence[Key]) -> dict[Key, int]:
        """Return the sequence number of each stored document among `keys`.

        A crash can leave an edited post in two slices, one flushed later than the other; its edit is replayed
        then, and comes by here: the older version goes.
        """
        asked = Asked(keys)
        self._loading.wait_for(asked)
        newest: dict[Key, tuple[int, Slice]] = {}
        with self._lock:
            for one in self._loaded():
                for key, seq in one.loaded.versions(asked).items():
                    if key in newest:
                        stale = newest[key][1] if newest[key][0] < seq else one
                        self._delete_from(stale, [key])
                    if key not in newest or newest[key][0] < seq:
                        newest[key] = seq, one
        return {key: seq for key, (seq, _) in newest.items()}

    def owned(self, author: str) -> dict[Key, int]:
        """Return key and sequence number of every document of an author token."""
        return self._gather(lambda shard: shard.owned(author))

    def put(self, documents: Sequence[Document]) -> None:
        """Store documents in the last slice; older versions elsewhere go."""
        keys = Asked(document.key for document in documents)
        self._loading.wait_for(keys)
        with self._lock:
            hot = self._slices[-1]
            if len(hot.loaded) >= self._slice_posts:
                hot = self._roll_over()
            for one in self._loaded()[:-1]:
                self._delete_from(one, keys)
            if hot.loaded.versions(keys):
                self._owe_erasure(hot)
            hot.apply(lambda shard: shard.put(documents))

    def set_vectors(self, vectors: Mapping[Key, list[float]]) -> None:
        """Give stored documents their vectors."""
        self._change(lambda shard: shard.set_vectors(vectors))

    def delete(self, keys: Collection[Key]) -> None:
        """Remove documents from every slice."""
        if keys:
            asked = Asked(keys)
            self._loading.wait_for(asked)
            with self._lock:
                for one in self._loaded():
                    self._delete_from(one, asked)

    def flag(self, author: str, is_hidden: bool, is_unpromptable: bool) -> None:
        """Set the flags of every document of an author token."""
        self._change(lambda shard: shard.flag(author, is_hidden, is_unpromptable))

    def search(self, plan: Plan) -> Legs:
        """Run the legs in every loaded slice in range and keep the best of each leg."""
        found: dict[str, list[ScoredPoint]] = {}
        with self._lock:
            for one in self._slices:
                if one.is_in_range(plan):
                    for leg, points in one.loaded.search(plan).items():
                        found.setdefault(leg, []).extend(points)
        keys: dict[int, Key] = {}  # by the address of a point, which may stand in two legs
        return Legs(**{leg: best_points(points, plan.depth, keys) for leg, points in found.items()})

    def newest(self, plan: Plan) -> list[tuple[Key, int]]:
        """Return the newest matches of all loaded slices."""
        with self._lock:
            found = [m for one in self._slices if one.is_in_range(plan) for m in one.loaded.newest(plan)]
        return sorted(found, key=lambda match: (-match[1], match[0]))[: plan.depth]

    def fetch(self, keys: Sequence[Key]) -> dict[Key, str]:
        """Return the stored posts as JSON; what loaded slices lack is waited for."""
        asked = Asked(keys)
        with self._lock:
            loaded = [one.loaded for one in self._loaded()]
            found = {key: post for shard in loaded for key, post in shard.fetch(asked).items()}
        if missing := Asked(key for key in asked if key not in found):
            self._loading.wait_for(missing)
            with self._lock:
                later = [one.loaded for one in self._loaded() if one.loaded not in loaded]
                found |= {key: post for shard in later for key, post in shard.fetch(missing).items()}
        return found

    def vectors(self, keys: Sequence[Key]) -> dict[Key, list[float]]:
        """Return the stored vectors."""
        asked = Asked(keys)
        with self._lock:
            loaded = [one.loaded for one in self._loaded()]
            return {key: row for shard in loaded for key, row in shard.vectors(asked).items()}

    def flush(self) -> bool:
        """Make everything survive power loss; False while a slice with changes is being copied."""
        with self._lock:
            is_whole = True
            for one in self._slices:
                if one.shard and not one.is_copying:
                    one.shard.flush()
                elif one.shard and one.shard.is_dirty:
                    is_whole = False
            self._write_manifest()
            return is_whole

    def stats(self) -> BackendStats:
        """Count what is stored."""
        with self._lock:
            missing = [one.note for one in self._slices if one.shard is None]
            return BackendStats(
                num_posts=sum(len(one.shard) if one.shard else one.note.num_posts for one in self._slices),
                num_shards=len(self._slices),
                num_sealed=sum(one.note.is_sealed for one in self._slices),
                num_loading=len(missing),
                oldest_covered_us=max((note.max_us or 0 for note in missing), default=None),
                rebuild_error=self._sealer.last_error,
            )

    def close(self) -> None:
        """Flush and release everything; a sealing under way is given up and done after the next start."""
        self._sealer.stop()
        self._loading.wait()
        with self._lock, ExitStack() as closing:
            for one in self._slices:
                closing.callback(one.loaded.close)
            self.flush()

    def next_job(self) -> Job | None:
        """Return the most urgent rebuilding, with the copy of its slices begun."""
        with self._lock:
            chosen = self._choose_job() if self._loading.is_set() else None
            if chosen is None:
                return None
            task, slices = chosen
            for one in slices:
                one.loaded.flush()
            self._write_manifest()
            for one in slices:
                one.start_copy()
            return Job(task, slices, self._directory / self._new_name())

    def finish_job(self, job: Job) -> None:
        """Put what was rebuilt in the place of its slices."""
        keys = job.slices[0].copied_keys
        if job.is_sealing:
            keys = join_keys(one.copied_keys for one in job.slices)
            keys.write(job.target / KEYS)
        shard = Shard.load(job.target, keys)
        with self._lock:
            for one in job.slices:
                one.catch_up(shard)
            shard.flush()
            late = [one.late for one in job.slices if one.late is not None]
            note = SliceNote(
                name=job.target.name,
                is_sealed=job.is_sealing,
                has_graph=job.has_graph,
                num_posts=len(shard),
                min_us=shard.min_us,
                max_us=shard.max_us,
                erase_by_us=min((by_us for by_us, _ in late), default=None),
                owed_after=min((owed_after for _, owed_after in late), default=0),
            )
            self._leaving |= {
                one.loaded.path: one.note.owed_after for one in job.slices if one.note.erase_by_us
            }
            place = self._slices.index(job.slices[0])
            self._slices[place : place + len(job.slices)] = [Slice(note, shard)]
            self._write_manifest()
        for one in job.slices:
            one.loaded.discard()
            if not one.loaded.path.exists():
                self._leaving.pop(one.loaded.path, None)

    def _choose_job(self) -> tuple[Task, list[Slice]] | None:
        now = now_us()
        due = [one for one in self._slices if (one.note.erase_by_us or now + 1) <= now]
        if due:
            one = min(due, key=lambda one: one.note.erase_by_us or 0)
            if one is self._slices[-1]:
                return "compact", [one]
            return ("seal" if one.note.is_sealed and one.note.has_graph else "shelve"), [one]
        if waiting := self._waiting():
            return "shelve", waiting[:1]
        is_calm = max(self._filled_s, time.monotonic() - self._rolled_s) >= self._calm_s
        num_shelved = sum(one.note.is_sealed and not one.note.has_graph for one in self._slices)
        run = self._shelved_run() if is_calm or num_shelved >= MAX_SHELVED_SLICES else []
        return ("seal", run) if len(run) == MERGED_SLICES else None

    def _shelved_run(self) -> list[Slice]:
        """Return the oldest neighbours without a graph, as many as make a sealed slice, if there are."""
        run: list[Slice] = []
        for one in self._slices[:-1]:
            run = [*run, one] if one.note.is_sealed and not one.note.has_graph else []
            if len(run) == MERGED_SLICES:
                break
        return run

    def _loaded(self) -> list[Slice]:
        """Return the slices that are loaded, the last among them; call with the lock."""
        return [one for one in self._slices if one.shard is not None]  # an empty one is false

    def _num_waiting(self) -> int:
        with self._lock:
            return sum(len(one.loaded) for one in self._waiting())

    def _waiting(self) -> list[Slice]:
        return [one for one in self._slices[:-1] if not one.note.is_sealed]

    def _gather(self, read: Callable[[Shard], dict[Key, Value]]) -> dict[Key, Value]:
        self._loading.wait()
        with self._lock:
            return {key: value for one in self._slices for key, value in read(one.loaded).items()}

    def _change(self, change: Callable[[Shard], object]) -> None:
        self._loading.wait()
        with self._lock:
            for one in self._slices:
                one.apply(change)

    def _delete_from(self, one: Slice, keys: Collection[Key]) -> None:
        if one.note.erase_by_us is None and one.loaded.holds(keys):
            self._owe_erasure(one)
        if one.delete(keys):
            self._owe_erasure(one)

    def _owe_erasure(self, one: Slice) -> None:
        """Note what a slice owes, on disk before it is done: after a kill the engine may know, and we not."""
        is_first = one.note.erase_by_us is None
        one.owe_erasure(now_us() + self._erase_us, self.applied_seq)
        if is_first:
            self._write_manifest()

    def _roll_over(self) -> Slice:
        self._slices[-1].loaded.flush()
        hot = self._add_slice()
        self._filled_s, self._rolled_s = time.monotonic() - self._rolled_s, time.monotonic()
        self._sealer.wake()
        return hot

    def _add_slice(self) -> Slice:
        name = self._new_name()
        hot = Slice(SliceNote(name=name), Shard.create(self._directory / name, self._dim))
        self._slices.append(hot)
        self._write_manifest()
        return hot

    def _new_name(self) -> str:
        self._next_number += 1
        return f"slice-{self._next_number:06}"

    def _write_manifest(self) -> None:
        notes = tuple(one.note for one in self._slices)
        manifest = Manifest(next_number=self._next_number, slices=notes)
        if manifest != self._written:
            write_manifest(self._directory, manifest)
            self._written = manifest
