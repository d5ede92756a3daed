"""A file of records in buckets: written once, in any order of buckets, read one bucket at a time.

What keeps memory flat: nothing but the bucket at hand is ever held. Records of a bucket keep their order.
A spill exists only whole, under its name: it is written under another one.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Generic, TypeVar

import msgspec
import zstandard

from hubbub.disk import refusals
from hubbub.errors import Corruption

BUCKETS = 256
"""One bucket is held in memory at a time: 40,000 posts of 10 million. Part of the order of documents."""
_FRAME = 64
"""Records written together: 256 buckets hold at most some 16,000 records between them."""

_T = TypeVar("_T")
_encode = msgspec.msgpack.Encoder().encode


class SpillWriter(Generic[_T]):
    """Takes records for buckets; a `with` block that ends well gives the file its name."""

    def __init__(self, path: Path) -> None:
        self.counts = [0] * BUCKETS
        self._path, self._temporary = path, path.with_suffix(".new")
        self._waiting: list[list[_T]] = [[] for _ in range(BUCKETS)]
        self._frames = [array("Q") for _ in range(BUCKETS)]
        self._end = 0
        self._compress = zstandard.ZstdCompressor(level=-10, write_checksum=True).compress
        with refusals("write the work file", self._temporary):
            self._file = open(self._temporary, "wb", buffering=1 << 20)

    def __enter__(self) -> SpillWriter[_T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if error is None:
            self._finish()
        else:
            self._file.close()

    def put(self, bucket: int, record: _T) -> None:
        """Add a record to a bucket."""
        waiting = self._waiting[bucket]
        waiting.append(record)
        if len(waiting) == _FRAME:
            self._write(bucket)

    def _write(self, bucket: int) -> None:
        waiting = self._waiting[bucket]
        frame = self._compress(_encode(waiting))
        self._frames[bucket].extend((self._end, len(frame)))
        self._end += len(frame)
        self.counts[bucket] += len(waiting)
        waiting.clear()
        with refusals("write the work file", self._temporary):
            self._file.write(frame)

    def _finish(self) -> None:
        for bucket, waiting in enumerate(self._waiting):
            if waiting:
                self._write(bucket)
        with refusals("write the work file", self._temporary):
            self._file.close()
            frames = [each.tolist() for each in self._frames]
            self._path.with_suffix(".index").write_bytes(_encode((self.counts, frames)))
            os.replace(self._temporary, self._path)


class SpillReader(Generic[_T]):
    """Reads the buckets of a finished spill."""

    def __init__(self, path: Path, record: type[_T]) -> None:
        self._path = path
        self._decode = msgspec.msgpack.Decoder(list[record]).decode  # type: ignore[valid-type]
        self._decompress = zstandard.ZstdDecompressor().decompress
        with refusals("read the work file", path.with_suffix(".index")):
            index = path.with_suffix(".index").read_bytes()
        self.counts, frames = msgspec.msgpack.decode(index, type=tuple[list[int], list[list[int]]])
        self._frames = [array("Q", each) for each in frames]
        """Offset and size of each; as numbers of Python's they would take most of a large build's memory."""

    def read(self, bucket: int) -> Iterator[_T]:
        """Yield the records of a bucket in the order in which they were put.

        Raises:
            Corruption: the file is damaged; power loss may do that, kill -9 does not.
        """
        with refusals("read the work file", self._path), open(self._path, "rb", buffering=0) as file:
            numbers = iter(self._frames[bucket])
            for offset, size in zip(numbers, numbers, strict=True):
                try:
                    records = self._decode(self._decompress(os.pread(file.fileno(), size, offset)))
                except (zstandard.ZstdError, msgspec.DecodeError):
                    raise Corruption(
                        f"work file {str(self._path)!r} is damaged at byte {offset}; delete "
                        f"{str(self._path.parent)!r} and build again"
                    ) from None
                yield from records
