"""What goes wrong in a run: requests to leave, batches that would harm, steps that never end."""

from __future__ import annotations

import faulthandler
import math
import os
import signal
import statistics
import sys
import threading
import time
from collections import deque
from itertools import pairwise
from types import FrameType
from typing import Self

STALLED = 75
"""Exit code of a stalled rank: EX_TEMPFAIL of sysexits.h, start it again."""
PATIENCE = 3
"""So many bad batches in a row mean that the weights are bad, not the batches."""


class Requests:
    """Holds a SIGTERM or SIGINT back inside the block, so that a step ends and is saved; raises it after."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        if self.signal is not None and kind is None:
            signal.raise_signal(self.signal)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None and number == signal.SIGINT:  # asked twice: now
            raise KeyboardInterrupt
        self.signal = number


class Judge:
    """Tells batches that would harm: a loss or gradient that is no number, or a loss far above the last ones.

    Far is one nat, and eight times the median change from step to step, above the median of the last 32. What
    to do then (leave the batch out; go back when it stays bad) follows PaLM (arXiv 2204.02311, section 5.1).
    """

    def __init__(self) -> None:
        self._losses: deque[float] = deque(maxlen=32)
        self.num_bad = 0

    def is_bad(self, loss: float, norm: float) -> bool:
        """Judge one batch, before its update."""
        is_bad = not (math.isfinite(loss) and math.isfinite(norm)) or self._is_spike(loss)
        self.num_bad = self.num_bad + 1 if is_bad else 0
        if not is_bad:
            self._losses.append(loss)
        return is_bad

    @property
    def recent(self) -> list[float]:
        """The losses that the next one is judged by."""
        return list(self._losses)

    def begin(self, recent: list[float]) -> None:
        """Judge by these losses, after going on from elsewhere."""
        self._losses = deque(recent, maxlen=self._losses.maxlen)
        self.num_bad = 0

    def _is_spike(self, loss: float) -> bool:
        if len(self._losses) < 16:
            return False
        middle = statistics.median(self._losses)
        spread = statistics.median(abs(a - b) for a, b in pairwise(self._losses))
        return loss > middle + max(1.0, 8 * spread)


class Watchdog:
    """Ends the process when no step ends for `stall_s` seconds: one hung rank would hold all others."""

    def __init__(self, stall_s: float, rank: int) -> None:
        self._stall_s, self._rank = stall_s, rank
        self._last_s, self._doing = time.monotonic(), "starting"
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def beat(self, doing: str) -> None:
        """Say that there is progress, and what is done next."""
        self._last_s, self._doing = time.monotonic(), doing

    def close(self) -> None:
        """Stop watching."""
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(min(1.0, self._stall_s / 4)):
            if time.monotonic() - self._last_s > self._stall_s:
                sys.stderr.write(
                    f"hubbub: rank {self._rank} has stalled for {self._stall_s:g} s while {self._doing}; it "
                    f"ends with code {STALLED}, and the same command goes on from the last checkpoint\n"
                )
                faulthandler.dump_traceback(sys.stderr)
                sys.stderr.flush()
                os._exit(STALLED)
