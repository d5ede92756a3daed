"""Vectors that arrive later than their posts, where the embedder cannot keep up with the stream."""

from __future__ import annotations

import threading

import numpy as np

from hubbub.errors import HubbubError
from hubbub.index.backend import Backend
from hubbub.index.document import decode_post
from hubbub.index.embedding import Embedder
from hubbub.index.lexical import embedded_text
from hubbub.index.precedence import PoliteLock
from hubbub.index.state import State

_BATCH = 32
_IDLE_S = 0.25


class LateVectors:
    """A thread that embeds what the state says is owed; posts are found by their words meanwhile."""

    def __init__(self, backend: Backend, state: State, embedder: Embedder, lock: PoliteLock) -> None:
        self._backend, self._state, self._embedder, self._lock = backend, state, embedder, lock
        self._is_stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start, if the embedder is one that needs it."""
        if not self._embedder.is_instant:
            self._thread = threading.Thread(target=self._run, name="hubbub-late-vectors", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop after the batch in hand; what is still owed is embedded after the next start."""
        self._is_stopping.set()
        if self._thread:
            self._thread.join()

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            try:
                has_more = self._embed_some()
            except HubbubError:  # folding meets it too and says so; what is owed is tried again
                has_more = False
            if not has_more:
                self._is_stopping.wait(_IDLE_S)

    def _embed_some(self) -> bool:
        with self._lock:
            keys = self._state.owed_vectors(_BATCH)
            posts = self._backend.fetch(keys)
        if not keys:
            return False
        texts = {key: embedded_text(decode_post(text)) for key, text in posts.items()}
        rows = np.asarray(self._embedder.embed(list(texts.values())), np.float32)
        vectors = {
            key: row.tolist()
            for key, row in zip(texts, rows, strict=True)
            if np.isfinite(row).all() and row.any()
        }
        with self._lock:
            self._backend.set_vectors(vectors)
            self._state.settle_vectors(keys)
        return True
