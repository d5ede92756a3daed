"""An embedder that needs no training: feature hashing of terms; it knows no likeness beyond shared terms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hubbub.index.embedding.embedder import Vectors, unit_rows
from hubbub.index.tokenize import term_id, terms

_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: Fibonacci hashing (Knuth, TAOCP 6.4)


class HashedEmbedder:
    """Adds +-1 at two places a term; for tests, and to tell what a trained table is worth."""

    is_instant = True

    def __init__(self, dim: int = 256) -> None:
        self.dim = dim
        self.id = f"hashed:{dim}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one row a text, of unit length, or zero for a text without terms."""
        ids = [[term_id(term) for term in terms(text)] for text in texts]
        rows = np.repeat(np.arange(len(texts)), [len(found) for found in ids])
        mixed = np.array([number for found in ids for number in found], np.uint64) * _SPREAD
        vectors = np.zeros((len(texts), self.dim), np.float32)
        for shift in (16, 40):
            places = ((mixed >> np.uint64(shift)) % np.uint64(self.dim)).astype(np.intp)
            signs = np.where((mixed >> np.uint64(shift - 1)) & np.uint64(1), 1.0, -1.0)
            np.add.at(vectors, (rows, places), signs)
        return unit_rows(vectors)
