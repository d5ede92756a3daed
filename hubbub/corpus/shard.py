"""One shard, mapped: ids of tokens, columns that tell which post is where, and which are dead.

tokens.bin  u16 or u32 ids, document after document: begin, (post mark, text) for each post, end
index.bin   the columns of `COLUMNS` one after the other, little-endian, so that each can be mapped
dead.bin    one byte a post
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import numpy as np

from hubbub.corpus.manifest import Manifest, ShardNote
from hubbub.errors import Corruption

TOKENS, INDEX, DEAD = "tokens.bin", "index.bin", "dead.bin"

COLUMNS = (
    ("first_us", "<i8", "documents"),
    ("received_us", "<i8", "pieces"),
    ("post_key", "<u8", "pieces"),
    ("author_key", "<u8", "pieces"),
    ("key", "<u8", "keys"),
    ("start", "<u4", "bounds"),
    ("first_piece", "<u4", "bounds"),
    ("built_length", "<u4", "documents"),
    ("offset", "<u4", "pieces"),
    ("length", "<u4", "pieces"),
    ("key_piece", "<u4", "keys"),
    ("lang", "u1", "pieces"),
    ("is_held_out", "u1", "documents"),
)
"""`start` and `first_piece` have one more entry than there are documents; `key` is sorted."""

Columns = dict[str, np.ndarray]


class Shard:
    """One shard, mapped; `dead` is shared with every process that has it open."""

    def __init__(
        self, directory: Path, note: ShardNote, token_bytes: int, *, is_writer: bool = False
    ) -> None:
        """Map the files.

        Raises:
            Corruption: a file has another length than its shard says.
            FileNotFoundError: a file is gone.
        """
        self.note, self.path = note, directory / note.name
        self.tokens = np.frombuffer(
            _map(self.path / TOKENS, note.num_tokens * token_bytes), f"<u{token_bytes}", note.num_tokens
        )
        self.columns = _open_columns(self.path / INDEX, note)
        self.dead = _map(self.path / DEAD, note.num_pieces, is_writer=is_writer)
        self.start, self.first_piece = (self.columns[n].data for n in ("start", "first_piece"))

    def flags(self) -> np.ndarray:
        """Return the deletion map as an array over the same bytes."""
        return np.frombuffer(self.dead, np.uint8)[: self.note.num_pieces]

    def find(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the posts under any of the keys, and for each the place of its key."""
        column = self.columns["key"]
        low, high = np.searchsorted(column, keys, "left"), np.searchsorted(column, keys, "right")
        counts = high - low
        places = np.repeat(np.arange(len(keys)), counts)
        starts = np.repeat(low - np.cumsum(counts) + counts, counts)
        return self.columns["key_piece"][starts + np.arange(len(places))], places

    def documents_of(self, pieces: np.ndarray) -> np.ndarray:
        """Return the documents, numbered from this shard's first, that posts stand in."""
        return np.searchsorted(self.columns["first_piece"], pieces, "right") - 1


def _map(path: Path, num_bytes: int, *, is_writer: bool = False) -> mmap.mmap:
    fd = os.open(path, (os.O_RDWR if is_writer else os.O_RDONLY) | os.O_CLOEXEC)
    try:
        found = os.fstat(fd).st_size
        if found != num_bytes:
            raise Corruption(
                f"{path} has {found} bytes, not {num_bytes}; copy the whole corpus again or rebuild it"
            )
        if not num_bytes:  # a shard of which nothing lives; an empty file cannot be mapped
            return mmap.mmap(-1, 1)
        return mmap.mmap(fd, num_bytes, access=mmap.ACCESS_WRITE if is_writer else mmap.ACCESS_READ)
    finally:
        os.close(fd)


def _open_columns(path: Path, note: ShardNote) -> Columns:
    sizes = {
        "documents": note.num_documents,
        "bounds": note.num_documents + 1,
        "pieces": note.num_pieces,
        "keys": note.num_keys,
    }
    num_bytes = sum(np.dtype(kind).itemsize * sizes[size] for _, kind, size in COLUMNS)
    data, at = _map(path, num_bytes), 0
    found: Columns = {}
    for name, kind, size in COLUMNS:
        found[name] = np.frombuffer(data, kind, sizes[size], at)
        at += found[name].nbytes
    return found


def open_shards(root: Path, manifest: Manifest, *, is_writer: bool = False) -> list[Shard]:
    """Map every shard of a manifest.

    Raises:
        Corruption: a file has another length than its shard says.
        FileNotFoundError: the manifest has been replaced meanwhile; read it again.
    """
    return [Shard(root, note, manifest.token_bytes, is_writer=is_writer) for note in manifest.shards]
