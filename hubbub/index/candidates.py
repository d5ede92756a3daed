"""What the first stage found: posts with their separate scores, for the second stage to order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hubbub.index.document import Key
from hubbub.posts import Post


class Candidates:
    """Posts that any leg found, in no order; row i of every array belongs to `posts[i]`."""

    def __init__(
        self,
        keys: Sequence[Key],
        posts: Sequence[Post],
        lexical: NDArray[np.float64],
        dense: NDArray[np.float64],
        read_vectors: Callable[[Sequence[Key]], dict[Key, list[float]]],
    ) -> None:
        self.keys = keys
        self.posts = posts
        self.lexical = lexical
        """BM25; 0 where the lexical leg did not find the post."""
        self.dense = dense
        """Cosine with the query; 0 where the dense leg did not find the post."""
        self.received_us = np.array([post.received_us for post in posts], np.float64)
        self._read_vectors = read_vectors

    def __len__(self) -> int:
        return len(self.posts)

    def vectors(self, dim: int) -> NDArray[np.float32]:
        """Read the candidates' vectors from the backend, shape (n, dim); zeros where there is none."""
        found = self._read_vectors(self.keys)
        rows = np.zeros((len(self.keys), dim), np.float32)
        for place, key in enumerate(self.keys):
            if key in found:
                rows[place] = found[key]
        return rows
