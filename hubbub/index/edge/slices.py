"""One slice of an index: its note in the manifest, its shard, and what changes while it is rebuilt."""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec

from hubbub.index.document import Key
from hubbub.index.edge.keys import KeySet, OpenKeys
from hubbub.index.edge.manifest import SliceNote
from hubbub.index.edge.shard import Shard
from hubbub.index.plan import Plan


class Slice:
    """A shard that a rebuilt one can replace, alone or with its neighbours, while it goes on changing."""

    def __init__(self, note: SliceNote, shard: Shard | None) -> None:
        self.note = note
        self.shard = shard
        self.is_copying = False
        """While its files are read: its changes must not reach the disk."""
        self.copied_keys: KeySet = OpenKeys(())
        """Those in the files that are being rebuilt."""
        self._journal: list[Callable[[Shard], object]] | None = None
        self._late: tuple[int, int] | None = None

    @property
    def loaded(self) -> Shard:
        """The shard, in places where it must be loaded."""
        assert self.shard is not None
        return self.shard

    def apply(self, change: Callable[[Shard], object]) -> object:
        """Make a change, and note it down if a copy is being rebuilt."""
        if self._journal is not None:
            self._journal.append(change)
        return change(self.loaded)

    def delete(self, keys: Collection[Key]) -> bool:
        """Delete documents and tell whether any was in here; only then need a copy that is rebuilt know."""
        has_deleted = self.loaded.delete(keys)
        if has_deleted and self._journal is not None:
            self._journal.append(lambda shard: shard.delete(keys))
        return has_deleted

    def owe_erasure(self, by_us: int, owed_after: int) -> None:
        """Note that bytes, deleted by events behind `owed_after`, must leave the disk by then."""
        if self.note.erase_by_us is None:
            self.note = msgspec.structs.replace(self.note, erase_by_us=by_us, owed_after=owed_after)
        if self._journal is not None and self._late is None:
            self._late = by_us, owed_after

    def start_copy(self) -> None:
        """Begin to note changes down; everything so far is in the files."""
        self._journal, self._late = [], None
        self.is_copying = True
        self.copied_keys = self.loaded.keys.copy()

    def stop_copy(self) -> None:
        """Forget the copy."""
        self._journal = None
        self.is_copying = False

    @property
    def late(self) -> tuple[int, int] | None:
        """What it owes since the copy began, as `owe_erasure` was told."""
        return self._late

    def catch_up(self, copy: Shard) -> None:
        """Make the changes noted down since the copy began in what was rebuilt from it."""
        for change in self._journal or []:
            change(copy)

    def is_in_range(self, plan: Plan) -> bool:
        """Tell whether a plan can find anything in here."""
        return self.shard is not None and self.shard.overlaps(plan.from_us, plan.to_us)
