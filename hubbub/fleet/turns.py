"""One change of a fleet at a time: whoever comes second waits, and is told so; it changes nothing itself."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

from hubbub.disk import refusals

log = logging.getLogger("hubbub.fleet")
PATIENCE_S = 0.5
"""Most turns take less, and nobody need know of them."""


@contextmanager
def its_turn(path: Path) -> Iterator[None]:
    """Let nobody else into a block with this file, in any process; a wait is told on stderr.

    Raises:
        StorageError: the file cannot be opened.
    """
    with refusals("open", path):
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            told = Timer(PATIENCE_S, log.warning, ["another command changes %s; waiting for it", path.parent])
            told.start()
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
            finally:
                told.cancel()
        yield
    finally:
        os.close(lock)
