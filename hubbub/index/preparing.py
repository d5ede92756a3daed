"""Turn posts into documents: tokens, terms, vectors; inline, or ahead of time in a second process.

Making a document costs as much as storing it, and the engine holds the interpreter lock while it stores.
Under load a child process makes them, so that two cores carry what one cannot (decisions 025 and 093).
"""

from __future__ import annotations

import fcntl
import gc
import os
import queue
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import IO, TypeAlias

import msgspec
import numpy as np

from hubbub.index.document import Document, Key, make_document, post_key
from hubbub.index.embedding import Embedder, Vectors, open_embedder
from hubbub.index.lexical import embedded_text
from hubbub.language import post_language
from hubbub.posts import Edit, Event, Post

Batch: TypeAlias = list[tuple[int, Event]]
Numbered: TypeAlias = tuple[int, Post]

BATCH = 128
"""Events folded under one hold of the lock: a search waits at most for these (about 10 ms)."""
_BUSY_EVENTS, _CALM_PER_S = 2000, 150
"""So many events beyond so many a second, before a second process is worth its half second of starting."""
_AHEAD = 4
"""Batches in the making while one is stored."""
_PIPE_BYTES = 1 << 20
"""Room for some four made batches: the parent cannot read while the engine holds its interpreter lock."""
_START = "from hubbub.index.preparing import main; main()"
_LENGTH = struct.Struct("<I")

_encode = msgspec.msgpack.Encoder().encode
_read_posts = msgspec.msgpack.Decoder(list[Numbered]).decode


class Made(msgspec.Struct, array_like=True):
    """Documents on their way from the child; their vectors travel as one block, a fifth of the bytes."""

    documents: list[Document]
    vectors: bytes
    """float32, one row a document, zeros for none; empty if there are no vectors at all."""


_read_made = msgspec.msgpack.Decoder(Made).decode


def prepare(posts: Sequence[Numbered], embedder: Embedder) -> list[Document]:
    """Return the documents of numbered posts; vectors only from an embedder that keeps up."""
    return unpack(make(posts, embedder))


def make(posts: Sequence[Numbered], embedder: Embedder) -> Made:
    """Make the documents of numbered posts, their vectors apart."""
    vectors = b""
    if embedder.is_instant and embedder.dim and posts:
        vectors = finite(embedder.embed([embedded_text(post) for _, post in posts])).tobytes()
    documents = [
        make_document(post_key(post.id), seq, post, post_language(post), None) for seq, post in posts
    ]
    return Made(documents, vectors)


def unpack(made: Made) -> list[Document]:
    """Give the documents their vectors."""
    if made.vectors:
        rows = np.frombuffer(made.vectors, np.float32).reshape(len(made.documents), -1)
        for document, row, is_known in zip(made.documents, rows.tolist(), map(any, rows), strict=True):
            document.vector = row if is_known else None
    return made.documents


def finite(rows: Vectors) -> Vectors:
    """Return the rows as 32-bit floats, those that hold a NaN or an infinity as zeros."""
    rows = np.asarray(rows, np.float32)
    rows[~np.isfinite(rows).all(axis=1)] = 0
    return rows


class Preparation:
    """Makes documents before the index is locked: here, or, once many come, ahead in a second process."""

    def __init__(self, embedder: Embedder, embedder_name: str | None) -> None:
        """Without a name the embedder cannot be opened elsewhere."""
        self._embedder = embedder
        self._name = embedder_name if (os.cpu_count() or 1) > 1 else None
        self._process: _Process | None = None
        self._num_busy, self._counted_s = 0.0, time.monotonic()

    def ahead(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, dict[Key, Document]]]:
        """Yield each batch with the documents of its posts, though the same post may need another."""
        waiting: deque[tuple[Batch, bool]] = deque()
        for batch in batches:
            waiting.append((batch, self._submit(batch)))
            if len(waiting) > _AHEAD:
                yield self._collect(*waiting.popleft())
        while waiting:
            yield self._collect(*waiting.popleft())

    def stop(self) -> None:
        """End the second process."""
        if self._process:
            self._process.stop()
        self._process = self._name = None

    def _submit(self, batch: Batch) -> bool:
        now_s = time.monotonic()
        leaked = _CALM_PER_S * (now_s - self._counted_s)
        self._num_busy, self._counted_s = max(0.0, self._num_busy - leaked) + len(batch), now_s
        if self._process is None and self._name and self._num_busy > _BUSY_EVENTS:
            self._process = _Process(self._name)
        if self._process is None or not self._process.is_ready:
            return False
        posts = _posts(batch)
        return bool(posts) and self._process.submit(posts)

    def _collect(self, batch: Batch, is_submitted: bool) -> tuple[Batch, dict[Key, Document]]:
        documents = self._process.take() if is_submitted and self._process else None
        if documents is None:
            if is_submitted:  # it died
                self.stop()
            documents = prepare(_posts(batch), self._embedder)
        return batch, {document.key: document for document in documents}


class _Process:
    """The child: frames of posts in, frames of documents out, in order."""

    def __init__(self, embedder_name: str) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-c", _START, embedder_name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        for pipe in (self._child.stdin, self._child.stdout):
            _widen(pipe)
        self.is_ready = False
        self._made: queue.Queue[bytes | None] = queue.Queue()
        self._thread = threading.Thread(target=self._read, name="hubbub-preparing", daemon=True)
        self._thread.start()

    def submit(self, posts: Sequence[Numbered]) -> bool:
        """Send posts; False if the child is gone."""
        assert self._child.stdin
        try:
            write_frame(self._child.stdin, _encode(posts))
        except (OSError, UnicodeEncodeError):
            return False
        return True

    def take(self) -> list[Document] | None:
        """Return the documents of the oldest frame that was sent; None if the child died."""
        frame = self._made.get()
        return None if frame is None else unpack(_read_made(frame))

    def stop(self) -> None:
        """End the child."""
        self._child.kill()
        self._child.wait()
        self._thread.join()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe:
                pipe.close()

    def _read(self) -> None:
        assert self._child.stdout
        self.is_ready = read_frame(self._child.stdout) is not None
        while frame := read_frame(self._child.stdout):
            self._made.put(frame)
        self.is_ready = False
        self._made.put(None)


def _widen(pipe: IO[bytes] | None) -> None:
    """Make a pipe hold more than the usual 64 KiB, where the system allows it."""
    if pipe is not None and hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def read_frame(pipe: IO[bytes]) -> bytes | None:
    """Read one frame; None at the end."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    size = _LENGTH.unpack(head)[0]
    body = pipe.read(size)
    return body if len(body) == size else None


def write_frame(pipe: IO[bytes], body: bytes) -> None:
    """Write one frame."""
    pipe.write(_LENGTH.pack(len(body)) + body)
    pipe.flush()


def main() -> None:
    """Say that we are ready, then answer frames until there are none."""
    embedder = open_embedder(sys.argv[1])
    gc.disable()  # nothing here goes in circles, and a million remembered words would be looked through again
    write_frame(sys.stdout.buffer, b"ready")
    while frame := read_frame(sys.stdin.buffer):
        write_frame(sys.stdout.buffer, _encode(make(_read_posts(frame), embedder)))


def _posts(batch: Batch) -> list[Numbered]:
    events = ((seq, event.post if isinstance(event, Edit) else event) for seq, event in batch)
    return [(seq, event) for seq, event in events if isinstance(event, Post)]
