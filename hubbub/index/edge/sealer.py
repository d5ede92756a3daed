"""The thread that has slices rebuilt, one at a time, by a child process; the backend decides which."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from hubbub.errors import HubbubError
from hubbub.index.edge.job import Job
from hubbub.index.edge.room import require_room, sealing_bytes
from hubbub.index.edge.sealing import COPIED, remove_copy

if TYPE_CHECKING:
    from hubbub.index.edge.backend import EdgeBackend

_START = "from hubbub.index.edge.sealing import main; main()"
_IDLE_S = 1.0
_PAUSE_S = 60.0
"""After a child failed: a full disk does not get better by trying every second."""


class Sealer:
    """Asks the backend for jobs until it is stopped; a failed job leaves its slice as it was."""

    def __init__(self, backend: EdgeBackend, dim: int) -> None:
        self._backend, self._dim = backend, dim
        self._is_stopping = threading.Event()
        self._bell = threading.Event()
        self._child: subprocess.Popen[str] | None = None
        self.last_error = ""
        """Why the last job failed; empty if it did not."""
        self._thread = threading.Thread(target=self._run, name="hubbub-sealer", daemon=True)

    @property
    def is_working(self) -> bool:
        """Tell whether it is worth waiting for."""
        return self._thread.is_alive() and not self.last_error

    def start(self) -> None:
        """Begin to look for jobs."""
        self._thread.start()

    def wake(self) -> None:
        """Look for a job now."""
        self._bell.set()

    def stop(self) -> None:
        """Give up the job in hand and end."""
        self._is_stopping.set()
        self._bell.set()
        child = self._child
        if child:
            child.kill()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            try:
                job = self._backend.next_job()
            except HubbubError as error:
                self.last_error = str(error)
                self._is_stopping.wait(_PAUSE_S)
            else:
                self._take(job)

    def _take(self, job: Job | None) -> None:
        if job is None:
            self._bell.wait(_IDLE_S)
            self._bell.clear()
        elif not self._work(job):
            self._is_stopping.wait(_PAUSE_S)

    def _work(self, job: Job) -> bool:
        try:
            require_room(job.target.parent, sum(map(sealing_bytes, job.sources)))
            if self._rebuild(job):
                self._backend.finish_job(job)
                return True
        except (HubbubError, OSError) as error:
            self.last_error = str(error)
        for one in job.slices:
            one.stop_copy()
        remove_copy(job.target)
        return False

    def _rebuild(self, job: Job) -> bool:
        sources = map(str, job.sources)
        command = [sys.executable, "-c", _START, job.task, str(job.target), str(self._dim), *sources]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        ) as child:
            self._child = child
            if self._is_stopping.is_set():
                child.kill()
            assert child.stdout and child.stderr
            if child.stdout.readline().strip() == COPIED:
                for one in job.slices:
                    one.is_copying = False
            said = child.stderr.read()
            self._child = None
        is_done = child.returncode == 0
        self.last_error = "" if is_done else said[-2000:] or f"{job.task} ended with {child.returncode}"
        return is_done
