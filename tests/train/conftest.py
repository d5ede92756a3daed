"""What tests of training share: one thread, and a tiny corpus in memory that obeys the reader's seam."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from hubbub.model.shape import LlamaShape

torch.set_num_threads(1)

TINY = LlamaShape(vocab=64, hidden=32, num_layers=2, num_heads=2, num_kv_heads=1, head_dim=16, ffn=64, seq=64)


class PlainCorpus:
    """Documents as arrays; a deletion empties one for every later read."""

    def __init__(self, documents, held_out=()):
        self._documents = [np.asarray(d, np.uint16) for d in documents]
        self._dead: set[int] = set()
        self._held_out = set(held_out)
        self._lock = threading.Lock()
        self.lengths = np.array([len(d) for d in documents], np.int32)
        self.manifest = SimpleNamespace(id=f"plain-{len(documents)}-{int(self.lengths.sum())}")
        self.vocab_size = 64
        self.deletion_mark = 0

    def documents(self, held_out):
        return np.array([n for n in range(len(self.lengths)) if (n in self._held_out) == held_out])

    def read(self, document):
        with self._lock:
            return np.empty(0, np.uint16) if document in self._dead else self._documents[document].copy()

    def delete(self, document):
        with self._lock:
            self._dead.add(document)
            self.deletion_mark += 1


def counting(num: int, *, longest: int = 40, seed: int = 0) -> list[np.ndarray]:
    """Documents that count upwards from a random number: a tiny model learns them within fifty steps."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(num):
        start, length = rng.integers(6, 40), rng.integers(3, longest)
        found.append(np.array([1, *((start + np.arange(length)) % 50 + 6), 2]))
    return found


@pytest.fixture
def corpus():
    return PlainCorpus(counting(200))
