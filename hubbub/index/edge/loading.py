"""Load the slices of an index when it is opened: the newest at once, the others in a thread behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from hubbub.errors import HubbubError
from hubbub.index.edge.keys import Asked, KeySet, read_keys
from hubbub.index.edge.shard import KEYS, Shard
from hubbub.index.edge.slices import Slice

_AT_ONCE = 2
"""Sealed slices that are loaded before the index opens: the newest 130,000 posts, about .5 s."""


_LOADED_AT_ONCE = "segments/*/vector_*-meaning/*"
_READ_BYTES = 1 << 20
_BREATH_S = 0.05
"""Before each old slice: whoever has just started wants a first answer."""


class Loading:
    """The loading of old slices in a thread; a failure is raised to whoever waits."""

    def __init__(self, directory: Path, slices: Sequence[Slice] = ()) -> None:
        """`slices` are sealed, so that their keys lie in a file, which is read as soon as it is asked for."""
        self._directory, self._slices = directory, slices
        self._is_done = threading.Event()
        self._reading = threading.Lock()
        self._keys: list[tuple[Slice, KeySet | None]] | None = None
        self.error: HubbubError | None = None

    def is_set(self) -> bool:
        """Tell whether every slice is loaded."""
        return self._is_done.is_set() and self.error is None

    def wait(self) -> None:
        """Return once every slice is loaded.

        Raises:
            Corruption: one is damaged.
        """
        self._is_done.wait()
        self.check()

    def wait_for(self, keys: Asked) -> None:
        """Return once every slice is loaded that may hold one of the keys; raises as `wait` does.

        So a post that has just arrived, or its deletion, need not wait for the slices of last year.
        """
        if not self._is_done.is_set() and self._may_hold(keys):
            self._is_done.wait()
        self.check()

    def check(self) -> None:
        """Raise what went wrong so far."""
        if self.error:
            raise self.error

    def finish(self, error: HubbubError | None = None) -> None:
        """Wake those who wait."""
        self.error = error
        self._is_done.set()

    def _may_hold(self, keys: Asked) -> bool:
        with self._reading:
            if self._keys is None:
                self._keys = [(one, _read_keys(self._directory / one.note.name)) for one in self._slices]
        absent = [held for one, held in self._keys if one.shard is None]
        return any(held is None or held.holding(keys) for held in absent)


def _read_keys(path: Path) -> KeySet | None:
    """Return the keys of a sealed slice; None where they cannot be read, as the loading will tell why."""
    try:
        return read_keys(path / KEYS)
    except (OSError, ValueError):
        return None


def load_slices(directory: Path, slices: Sequence[Slice], lock: threading.RLock) -> Loading:
    """Load slices that are not loaded yet; all but the newest in a thread."""
    waiting = [one for one in reversed(slices) if one.shard is None]
    first = [one for one in waiting if not one.note.is_sealed]
    later = [one for one in waiting if one.note.is_sealed]
    loading = Loading(directory, later[_AT_ONCE:])
    for one in first + later[:_AT_ONCE]:
        one.shard = Shard.load(directory / one.note.name)
    if later[_AT_ONCE:]:
        arguments = (directory, later[_AT_ONCE:], lock, loading)
        threading.Thread(target=_load_rest, args=arguments, name="hubbub-loading", daemon=True).start()
    else:
        loading.finish()
    return loading


def _load_rest(directory: Path, slices: Sequence[Slice], lock: threading.RLock, loading: Loading) -> None:
    buffer = bytearray(_READ_BYTES)
    try:
        for one in slices:
            _warm(directory / one.note.name, buffer)
            shard = Shard.load(directory / one.note.name)
            with lock:
                one.shard = shard
    except HubbubError as error:
        loading.finish(error)
    else:
        loading.finish()


def _warm(path: Path, buffer: bytearray) -> None:
    """Read what the engine is going to read, as it holds the interpreter lock while it waits for the disk."""
    for file in sorted(path.glob(_LOADED_AT_ONCE)):
        with suppress(OSError), open(file, "rb", buffering=0) as reader:  # the engine will say
            while reader.readinto(buffer):
                pass
    time.sleep(_BREATH_S)
