"""An embedder of one learned vector a word piece, added up: 40,000 posts/s on one core, no model to run."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hubbub.errors import Corruption, InvalidInput, StorageError, VersionMismatch
from hubbub.index.embedding.embedder import Vectors, unit_rows
from hubbub.index.embedding.pieces import Pieces

SHIPPED = Path(__file__).with_name("static.npz")
"""The table that comes with hubbub: English first, some German; recipe and licences in docs/decisions/031."""
FORMAT = 1
_SLICE = 64
"""Texts added up at once: 1 MB of rows stays in the cache, 4 times faster than 256 texts (measured)."""


class StaticEmbedder:
    """A text is the sum of its pieces' vectors, scaled to unit length; common pieces learn to be short."""

    is_instant = True

    def __init__(
        self, pieces: Pieces, table: Vectors, name: str = "static", projection: Vectors | None = None
    ) -> None:
        self.pieces = pieces
        # Row by row in memory, or `take` copies all of it for every text.
        self.table = np.ascontiguousarray(table)  # shape (number of pieces, dim)
        self.dim = int(table.shape[1])
        self.projection = projection  # shape (teacher's dim, dim), where a teacher is known
        self._name = name

    @cached_property
    def id(self) -> str:
        """Name and digest of the content: two tables of one id give the same vectors."""
        digest = hashlib.blake2b(digest_size=6)
        digest.update("\n".join(self.pieces.names).encode())
        digest.update(np.ascontiguousarray(self.table).tobytes())
        return f"{self._name}:{self.dim}:{digest.hexdigest()}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one row a text, of unit length, or zero for a text without a known piece."""
        vectors = np.zeros((len(texts), self.dim), np.float32)
        for start in range(0, len(texts), _SLICE):
            end = start + _SLICE
            vectors[start:end] = unit_rows(self.sums(*self.pieces.flat(texts[start:end])))
        return vectors

    def write(self, path: Path) -> None:
        """Write the table for `read_table`, 8 bits a number.

        Raises:
            StorageError: the disk refused.
        """
        write_table(path, self.pieces.names, self.table, self.projection)

    def sums(self, flat: NDArray[np.int32], lengths: NDArray[np.intp]) -> Vectors:
        """Add up the vectors of consecutive runs of pieces; a run of length 0 gives zeros."""
        sums = np.zeros((len(lengths), self.dim), np.float32)
        filled = np.flatnonzero(lengths)
        if len(filled):
            starts = np.concatenate([[0], np.cumsum(lengths[filled])[:-1]])
            sums[filled] = np.add.reduceat(np.take(self.table, flat, axis=0), starts, axis=0)
        return sums


def read_table(path: Path) -> StaticEmbedder:
    """Read a table that `write_table` wrote.

    Raises:
        InvalidInput: there is no such file.
        StorageError: it cannot be read.
        Corruption: it is not such a table, or is damaged.
        VersionMismatch: a newer hubbub wrote it.
    """
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            version = int(file["format"])
            if version > FORMAT:
                raise VersionMismatch(f"table {str(path)!r} has format {version}; this hubbub reads {FORMAT}")
            names = bytes(file["names"]).decode().split("\n")
            table = file["rows"].astype(np.float32) * file["scales"].astype(np.float32)[:, None]
            projection = file["projection"].astype(np.float32)
    except FileNotFoundError:
        raise InvalidInput(
            f"no embedding table at {str(path)!r}; make one with `hubbub index learn`"
        ) from None
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError) as error:
        raise Corruption(f"embedding table {str(path)!r} is damaged ({error}); learn it again") from error
    except OSError as error:
        raise StorageError(f"embedding table {str(path)!r} cannot be read: {error}") from error
    if len(names) != len(table):
        raise Corruption(f"embedding table {str(path)!r} has {len(names)} names for {len(table)} rows")
    name = "static" if path == SHIPPED else "learned"
    return StaticEmbedder(Pieces(names), table, name, projection if projection.size else None)


def write_table(path: Path, names: Sequence[str], table: Vectors, projection: Vectors | None = None) -> None:
    """Write a table with 8 bits a number and one scale a row (relative error of a text's vector below 1 %).

    `projection` turns the teacher's vectors into the table's, for whoever learns on from this table.

    Raises:
        StorageError: the disk refused.
    """
    scales = np.maximum(np.abs(table).max(axis=1), 1e-8) / 127
    rows = np.round(table / scales[:, None]).astype(np.int8)
    unfinished = path.with_suffix(".part")
    try:
        with unfinished.open("wb") as file:
            np.savez_compressed(
                file,
                format=np.int64(FORMAT),
                names=np.frombuffer("\n".join(names).encode(), np.uint8),
                rows=rows,
                scales=scales.astype(np.float32),
                projection=np.zeros((0, 0)) if projection is None else projection.astype(np.float16),
            )
        unfinished.replace(path)
    except OSError as error:
        raise StorageError(f"embedding table {str(path)!r} cannot be written: {error}") from error
