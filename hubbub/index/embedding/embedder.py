"""What an embedder is: texts in, one vector each out; the ways to make one are its sibling files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Vectors: TypeAlias = NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into vectors whose inner products tell how alike the texts are."""

    @property
    def id(self) -> str:
        """Name and content of the model, stored with an index: vectors of another id do not compare."""
        ...

    @property
    def dim(self) -> int:
        """Length of a vector; 0 means that there are none and search is lexical."""
        ...

    @property
    def is_instant(self) -> bool:
        """Whether it keeps up with a stream (>= 10,000 posts/s), so that posts can be embedded on arrival."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one row a text, shape (n, dim): of unit length, or zero where nothing is known."""
        ...


class NoEmbedder:
    """Gives every text the empty vector: search stays lexical."""

    id = "none"
    dim = 0
    is_instant = True

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return rows of length 0."""
        return np.zeros((len(texts), 0), np.float32)


def unit_rows(vectors: Vectors) -> Vectors:
    """Scale rows to unit length; rows of zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 1e-12)
    return scaled
