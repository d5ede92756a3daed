"""Rebuild copies of slices in a child process: for reading, or for writing, without deleted bytes.

The engine holds the interpreter lock while it optimizes (29 s for 30,000 posts; engines.md, trap 1), so the
answering process never does it: `sealer.py` starts `main` with the arguments
`shelve|seal|compact COPY DIM SOURCE...`.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import qdrant_edge as q

from hubbub.index.edge.layout import sealed_config
from hubbub.index.edge.shard import Shard, copy_points

COPIED = "copied"
"""What the child says as soon as the source may change on disk again."""

_PR_SET_PDEATHSIG = 1  # prctl(2)
_NICENESS, _HURRIED = 15, 5
_SEGMENTS = "segments"  # where the engine keeps a shard's segments, each under its own UUID
_BLOCK_BYTES = 65_536


def main() -> None:
    """Rebuild as a child process: politely, and not longer than the parent lives."""
    task, copy, dim, *sources = sys.argv[1:]
    os.nice(_HURRIED if task == "shelve" else _NICENESS)
    _die_with_parent()
    rebuild(task, [Path(source) for source in sources], Path(copy), int(dim), _say)


def rebuild(task: str, sources: Sequence[Path], copy: Path, dim: int, say: Callable[[str], object]) -> None:
    """Copy the slices, say so, then seal, shelve (seal without a graph) or compact the copy."""
    remove_copy(copy)
    if task != "compact":
        _join(sources, copy)
        say(COPIED)
        seal(copy, dim, has_graph=task != "shelve")
    else:
        raw = _raw(copy)
        shutil.copytree(sources[0], raw, copy_function=copy_sparse)
        say(COPIED)
        compact(raw, copy, dim)
        shutil.rmtree(raw)


def _join(sources: Sequence[Path], copy: Path) -> None:
    """Copy a slice, and its neighbours' segments beside its own: optimizing makes them one."""
    first, *others = sources
    shutil.copytree(first, copy, copy_function=copy_sparse)
    for other in others:
        shutil.copytree(other / _SEGMENTS, copy / _SEGMENTS, copy_function=copy_sparse, dirs_exist_ok=True)


def seal(path: Path, dim: int, has_graph: bool = True) -> None:
    """Rebuild the slice at `path` for reading: one segment, without deleted bytes, indexes on disk."""
    shard = q.EdgeShard.load(str(path), sealed_config(dim, has_graph))
    shard.optimize()
    shard.flush()
    shard.close()


def compact(source: Path, target: Path, dim: int) -> None:
    """Write the living posts of a slice into a new one that takes writes."""
    fresh = Shard.create(target, dim)
    fresh.close()
    copy_points(source, target)


def remove_copy(copy: Path) -> None:
    """Delete what an unfinished rebuilding left."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.rmtree(_raw(copy), ignore_errors=True)


def copy_sparse(source: str, target: str) -> str:
    """Copy a file without its pages of zeros: the engine preallocates 32 MiB at a time."""
    zeros = bytes(_BLOCK_BYTES)
    with open(source, "rb") as reader, open(target, "wb") as writer:
        while block := reader.read(_BLOCK_BYTES):
            if block == zeros:
                writer.seek(_BLOCK_BYTES, os.SEEK_CUR)
            else:
                writer.write(block)
        writer.truncate()
    return target


def _raw(copy: Path) -> Path:
    return copy.with_name(copy.name + "-raw")


def _say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
