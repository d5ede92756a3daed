"""Unpacks Jetstream's compressed frames; its dictionary is not ours to ship, so it is given or fetched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import zstandard

from hubbub.errors import InvalidInput
from hubbub.stream.live.websocket import MAX_MESSAGE_BYTES

Unpack: TypeAlias = Callable[[bytes], bytes]
"""Turns a frame into a line; raises InvalidInput for a broken one."""

_MAGIC = b"\x37\xa4\x30\xec"
"""A dictionary begins so (RFC 8878, section 5); its number follows, little-endian."""


def read_dictionary(path: str) -> bytes:
    """Read a dictionary from a file. Raises InvalidInput: there is none, or it is none."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InvalidInput(f"cannot read the dictionary {path!r}: {error.strerror}") from None
    dictionary_id(data, path)
    return data


def dictionary_id(data: bytes, where: str) -> int:
    """Return the number of a dictionary; InvalidInput if it is none."""
    if data[:4] != _MAGIC or len(data) < 8:
        raise InvalidInput(f"{where!r} is not a zstd dictionary; Jetstream's is pkg/models/zstd_dictionary")
    return int.from_bytes(data[4:8], "little")


def open_unpacker(dictionary: bytes) -> Unpack:
    """Return what unpacks one frame."""
    decompressor = zstandard.ZstdDecompressor(dict_data=zstandard.ZstdCompressionDict(dictionary))

    def unpack(frame: bytes) -> bytes:
        try:
            # A stream's frames need not say their size; this bounds what a hostile one can make of itself.
            with decompressor.stream_reader(frame) as reader:
                data: bytes = reader.read(MAX_MESSAGE_BYTES)
                return data
        except zstandard.ZstdError as error:
            raise InvalidInput(f"a frame cannot be unpacked: {error}") from None

    return unpack
