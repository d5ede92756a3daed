"""Throw an index away, to build it again from the archive; the archive is never touched."""

from __future__ import annotations

import shutil
from pathlib import Path

from hubbub.index.opening import own_directory


def remove_index(directory: Path) -> None:
    """Delete an embedded index unless another process owns it.

    Raises:
        InUse: another process owns the directory.
    """
    if not directory.is_dir():
        return
    with own_directory(directory):
        shutil.rmtree(directory)
