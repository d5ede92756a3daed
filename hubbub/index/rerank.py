"""Look again at the best posts with a slow embedder, at query time only; off by default."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hubbub.errors import InvalidInput
from hubbub.index.embedding import Embedder, Vectors, open_embedder
from hubbub.index.lexical import embedded_text
from hubbub.index.query import Hit

_MAX_CACHED = 4096  # vectors, 6 MB


class Reranker:
    """Re-orders the first posts of a result; about 8 ms a post that it has not seen (MiniLM, one core)."""

    def __init__(self, embedder: Embedder, depth: int = 50, weight: float = 0.6) -> None:
        self.depth = depth
        self.weight = weight
        self._embedder = embedder
        self._vectors: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()

    def order(self, text: str, hits: Sequence[Hit]) -> list[Hit]:
        """Return the result with its first `depth` posts in a new order; the scores stay with the places."""
        first = hits[: self.depth]
        if len(first) < 2 or not text.strip():
            return list(hits)
        with self._lock:
            likeness = (
                self._embed([embedded_text(hit.post) for hit in first]) @ self._embedder.embed([text])[0]
            )
        before = np.array([hit.score for hit in first])
        odds = np.log(np.clip(before, 1e-9, 1 - 1e-9) / np.clip(1 - before, 1e-9, 1))
        after = _standard(odds) + self.weight * _standard(likeness.astype(np.float64))
        places = sorted(range(len(first)), key=lambda place: (-after[place], place))
        again = [
            Hit(post=first[place].post, score=hit.score) for place, hit in zip(places, first, strict=True)
        ]
        return [*again, *hits[self.depth :]]

    def _embed(self, texts: Sequence[str]) -> Vectors:
        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        self._vectors.update(zip(new, self._embedder.embed(new), strict=True))
        rows = np.stack([self._vectors[text] for text in texts])
        while len(self._vectors) > _MAX_CACHED:
            self._vectors.popitem(last=False)
        return rows


def open_reranker(name: str) -> Reranker | None:
    """Open a reranker by name: `minilm`, or `none`.

    Raises:
        InvalidInput: there is no reranker of that name.
        MissingExtra: the `[rerank]` extra is not installed.
    """
    if name not in ("none", "minilm"):
        raise InvalidInput(f"rerank {name!r} is not known; use none or minilm")
    return Reranker(open_embedder(name)) if name == "minilm" else None


def _standard(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = float(scores.std())
    standard: NDArray[np.float64] = (scores - scores.mean()) / (spread if spread > 1e-9 else 1.0)
    return standard
