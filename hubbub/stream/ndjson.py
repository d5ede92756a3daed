"""A source that reads lines from a file, a compressed file or standard input, and can be resumed."""

from __future__ import annotations

import gzip
import io
import os
import select
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

from hubbub.disk import describe_refusal
from hubbub.errors import InvalidInput, StorageError
from hubbub.posts import Cursor, Event
from hubbub.stream.counts import Counts
from hubbub.stream.decode.lines import MAX_LINE_BYTES, LineDecoder, open_decoder
from hubbub.stream.source import Batch
from hubbub.units import now_us

_CHUNK_BYTES = 1 << 18
_PACKED_BYTES = 1 << 14
"""Of a packed file so much is unpacked at once, which bounds what a hostile one can make of itself."""
_POLL_S = 0.02
"""A file that may grow is looked at this often; a pipe wakes us by itself."""


class NdjsonSource:
    """Reads one file (`-` is standard input; `.gz` and `.zst` are unpacked).

    The cursor is the number of bytes read, after unpacking, so that an interrupted reading goes on exactly
    behind the last line that was kept. Standard input and other pipes have none: they cannot be read twice.
    """

    def __init__(
        self,
        path: str,
        format: str = "hubbub",
        *,
        is_growing: bool = False,
        clock: Callable[[], int] | None = now_us,
    ) -> None:
        """Choose file and format.

        `is_growing`: wait for more at the end of the file, and go on in the one that takes its place.
        `clock`: when a line was received; None takes the times that the lines record.

        Raises:
            InvalidInput: there is no such file or format.
        """
        open_decoder(format)
        if path != "-" and (not Path(path).exists() or Path(path).is_dir()):
            what = f"{path!r} is a directory" if Path(path).is_dir() else f"there is no file {path!r}"
            raise InvalidInput(f"{what}; give a file of lines, or - for standard input")
        self._is_pipe = path == "-" or not Path(path).is_file()
        if is_growing and path.endswith((".gz", ".zst")):
            raise InvalidInput(f"{path!r} is compressed and cannot be followed as it grows; unpack it")
        self.path = path
        self.format = format
        self.name = "stdin" if path == "-" else f"ndjson:{Path(path).resolve()}"
        self._is_growing = is_growing
        self._clock = clock

    def batches(
        self, after: Cursor | None, *, size: int, counts: Counts, stop: threading.Event
    ) -> Iterator[Batch]:
        """Yield batches of about `size` events, each with the offset behind its last line."""
        decoder = LineDecoder(self.format, counts, clock=self._clock)
        while True:
            with open_lines(self.path) as file:
                yield from self._read_on(file, after, decoder, size, stop)
            if stop.is_set() or self._is_pipe or not self._is_growing:
                return
            after = None  # another file has taken its place

    def _read_on(
        self, file: BinaryIO, after: Cursor | None, decoder: LineDecoder, size: int, stop: threading.Event
    ) -> Iterator[Batch]:
        offset = self._skip(file, after)
        events: list[Event] = []
        for surplus_bytes, lines in self._chunks(file, stop):
            offset += surplus_bytes
            for line in lines:
                offset += len(line)
                events += decoder.decode(line)
                if len(events) >= size:
                    yield Batch(events, self._cursor(offset))
                    events = []
            yield Batch(events, self._cursor(offset))
            events = []

    def _cursor(self, offset: int) -> Cursor | None:
        return None if self._is_pipe else str(offset)

    def _skip(self, file: BinaryIO, after: Cursor | None) -> int:
        """Go behind the cursor; a file shorter than that was replaced, and is read from its beginning."""
        if after is None or self._is_pipe:
            return 0
        offset = int(after)
        if not self.path.endswith((".gz", ".zst")):
            if offset > os.fstat(file.fileno()).st_size:
                return 0
            return file.seek(offset)
        skipped = 0
        while skipped < offset:
            data = self._take(file, min(_CHUNK_BYTES, offset - skipped))
            if not data:
                raise InvalidInput(
                    f"{self.path!r} ends at byte {skipped}, before byte {offset} to which it was read; "
                    "it was replaced: give it another name"
                )
            skipped += len(data)
        return skipped

    def _chunks(self, file: BinaryIO, stop: threading.Event) -> Iterator[tuple[int, list[bytes]]]:
        """Yield the whole lines of what has arrived, as soon as it has arrived.

        The number before them counts bytes of an endless first line that were left out.
        """
        rest: list[bytes] = []
        rest_bytes = surplus_bytes = 0
        while not stop.is_set():
            data = self._read(file, stop)
            if not data:
                break
            head, newline, tail = data.rpartition(b"\n")
            if newline:
                yield surplus_bytes, (b"".join(rest) + head + newline).splitlines(keepends=True)
                rest, rest_bytes, surplus_bytes = [], 0, 0
            if rest_bytes > MAX_LINE_BYTES:
                # A line without an end must not fill the memory; it is malformed by its length alone.
                surplus_bytes += len(tail)
            else:
                rest.append(tail)
                rest_bytes += len(tail)
        # When a growing file is stopped, its last line may be unfinished; it is read when its end has come.
        if rest_bytes and not stop.is_set():
            yield surplus_bytes, [b"".join(rest)]

    def _read(self, file: BinaryIO, stop: threading.Event) -> bytes:
        """Return what is there, waiting for more where more may come; empty at the end."""
        if self._is_pipe:
            return _read_ready(file, stop)
        while True:
            is_all = not self._is_growing or self._is_replaced(file)
            data = self._take(file, _CHUNK_BYTES)
            if data or is_all or stop.wait(_POLL_S):
                return data

    def _is_replaced(self, file: BinaryIO) -> bool:
        """Whether the file was cut short or another has its name."""
        try:
            there, here = os.stat(self.path), os.fstat(file.fileno())
        except FileNotFoundError:
            return False  # the other is on its way
        return there.st_ino != here.st_ino or here.st_size < file.tell()

    def _take(self, file: BinaryIO, num_bytes: int) -> bytes:
        try:
            return file.read(num_bytes)
        except (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError) as error:
            told = f"{self.path!r} is not a whole compressed file: {error}; fetch it again"
            raise InvalidInput(told) from None
        except OSError as error:
            raise StorageError(describe_refusal("read", Path(self.path), error)) from error


def _read_ready(file: BinaryIO, stop: threading.Event) -> bytes:
    """Read what a pipe holds, looking up from waiting often enough to notice `stop`."""
    fd = file.fileno()
    while not stop.is_set():
        if select.select([fd], [], [], 0.1)[0]:
            return os.read(fd, _CHUNK_BYTES)
    return b""


def open_lines(path: str) -> BinaryIO:
    """Open a file, a compressed file or standard input (`-`) for reading bytes.

    Raises:
        StorageError: the file cannot be read.
    """
    if path == "-":
        return cast(BinaryIO, open(os.dup(sys.stdin.fileno()), "rb", buffering=0))
    try:
        if path.endswith(".gz"):
            return cast(BinaryIO, gzip.open(path, "rb"))
        if path.endswith(".zst"):
            return io.BufferedReader(_Zst(path))
        file: BinaryIO = open(path, "rb", buffering=-1 if Path(path).is_file() else 0)
        return file
    except OSError as error:
        raise StorageError(describe_refusal("read", Path(path), error)) from error


class _Zst(io.RawIOBase):
    """Unpacks frames one behind the other; zstandard.open takes a file cut short for a whole one."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "rb")
        self._unpacker = zstandard.ZstdDecompressor().decompressobj()
        self._packed = self._unpacked = b""
        self._is_within = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._unpacked:
            self._packed = self._packed or self._file.read(_PACKED_BYTES)
            if not self._packed:
                if self._is_within:
                    raise EOFError("its last frame has no end")
                return 0
            self._unpacked = self._unpacker.decompress(self._packed)
            self._packed, self._is_within = self._unpacker.unused_data, not self._unpacker.eof
            if self._unpacker.eof:
                self._unpacker = zstandard.ZstdDecompressor().decompressobj()
        taken = self._unpacked[: len(buffer)]
        buffer[: len(taken)] = taken
        self._unpacked = self._unpacked[len(taken) :]
        return len(taken)

    def close(self) -> None:
        self._file.close()
        super().close()
