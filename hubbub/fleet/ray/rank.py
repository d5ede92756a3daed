"""One rank of a job on a Ray node: an actor that holds the GPUs and a keeper that runs the command."""

from __future__ import annotations

import os
import subprocess
import sys

import msgspec

from hubbub.fleet.local import keeper
from hubbub.fleet.local.ranks import RankState, Task, environment_of, read_state, tell_to_leave


class Rank:
    """Runs as a Ray actor; when it or its node dies, the command does."""

    def __init__(self, task: bytes, variables: dict[str, str], grace_s: float) -> None:
        told = msgspec.json.decode(task, type=Task)
        own = {keeper.PARENT: str(os.getpid()), **variables}
        if gpus := os.environ.get("CUDA_VISIBLE_DEVICES"):
            own |= {"CUDA_VISIBLE_DEVICES": gpus, "HUBBUB_GPUS": gpus}
        self._state = os.memfd_create("rank")
        os.pwrite(self._state, b" " * (2 * keeper.SLOT_BYTES), 0)
        self._keeper = subprocess.Popen(
            [
                sys.executable,
                "-I",
                "-S",
                keeper.__file__,
                str(grace_s),
                os.devnull,
                told.directory,
                *told.command,
            ],
            stdin=self._state,
            env=environment_of(told, own),
            start_new_session=True,
        )

    def look(self) -> RankState:
        """Tell how it stands."""
        state = read_state(self._state, is_held=self._keeper.poll() is None)
        return RankState(phase="lost", why="its keeper was killed") if state.phase == "never" else state

    def tell(self) -> None:
        """Tell the command to leave, if its keeper listens already; else it is told at the next look."""
        tell_to_leave(self.look())
