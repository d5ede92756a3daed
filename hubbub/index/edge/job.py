"""One rebuilding of slices: what is asked of the child process, and which slices its result replaces."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from hubbub.index.edge.slices import Slice

Task: TypeAlias = Literal["shelve", "seal", "compact"]
"""For reading without a graph; with one, neighbours as one slice; or for writing, without deleted bytes."""


class Job(msgspec.Struct, frozen=True):
    """Neighbouring slices that become one; only `seal` takes several."""

    task: Task
    slices: list[Slice]
    target: Path

    @property
    def sources(self) -> list[Path]:
        """The directories of the slices."""
        return [one.loaded.path for one in self.slices]

    @property
    def is_sealing(self) -> bool:
        """Whether the result takes no more writes."""
        return self.task != "compact"

    @property
    def has_graph(self) -> bool:
        """Whether the result needs no graph any more."""
        return self.task != "shelve"
