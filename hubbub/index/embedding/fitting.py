"""Fit a table of piece vectors to the vectors that a teacher gives to whole texts; numpy only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from hubbub.index.embedding.embedder import Vectors, unit_rows

# One batch is what a text is told apart from; 256 fills a core's cache and is enough for 256 dimensions.
BATCH = 256
RATE = 2e-3
"""First step of Adam, falling to zero; a table's rows have lengths between .1 and 1."""
# Weights of the three terms of the loss: nearness to the own target, being told apart from the batch's other
# targets (softmax of cosines), and keeping the targets' mutual likenesses. Chosen once on 2011's posts.
NEAR, APART, ALIKE = 2.0, 0.3, 5.0
SHARPNESS = 15.0
KEPT = 0.7
"""Share of pieces kept in every other text, so that one piece does not lean on its neighbours (dropout)."""
_BETA1, _BETA2, _TINY = 0.9, 0.999, 1e-8  # Kingma and Ba 2015


def fit(
    table: Vectors, texts: Sequence[Sequence[int]], targets: Vectors, epochs: int = 4, seed: int = 0
) -> Vectors:
    """Return a table whose sums over the pieces of each text point where its target (unit length) points.

    Rows of pieces that no text holds stay as they are. Takes about 6 s for 10,000 posts and 4 epochs.
    """
    fitted = table.astype(np.float32, copy=True)
    first, second = np.zeros_like(fitted), np.zeros_like(fitted)
    chance = np.random.default_rng(seed)
    usable = np.array([n for n, ids in enumerate(texts) if ids], np.intp)
    num_steps = epochs * max(1, -(-len(usable) // BATCH))
    for step, batch in enumerate(_batches(usable, epochs, chance)):
        pieces, lengths = _draw([texts[n] for n in batch], chance)
        rows, slope = _slope(fitted, pieces, lengths, targets[batch])
        first[rows] = _BETA1 * first[rows] + (1 - _BETA1) * slope
        second[rows] = _BETA2 * second[rows] + (1 - _BETA2) * slope**2
        mean = first[rows] / (1 - _BETA1 ** (step + 1))
        spread = np.sqrt(second[rows] / (1 - _BETA2 ** (step + 1)))
        fitted[rows] -= RATE * (1 - step / num_steps) * mean / (spread + _TINY)
    return fitted


def loss_and_slope(sums: Vectors, targets: Vectors) -> tuple[float, Vectors]:
    """Return the loss of a batch and its derivative by the sums (before they are scaled to unit length)."""
    num = len(sums)
    found = unit_rows(sums)
    cosines = found @ targets.T
    logits = SHARPNESS * (cosines - cosines.max(axis=1, keepdims=True))
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    chances = np.exp(logits)
    own = np.eye(num, dtype=np.float32)
    strain = found @ found.T - targets @ targets.T
    loss = (
        NEAR * float(1 - cosines.diagonal().mean())
        - APART * float(logits.diagonal().mean())
        + ALIKE * float((strain**2).mean())
    )
    by_cosine = (APART * SHARPNESS * (chances - own) - NEAR * own) / num
    by_found = by_cosine @ targets + (4 * ALIKE / num**2) * (strain @ found)
    along = (by_found * found).sum(axis=1, keepdims=True)
    lengths = np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-6)
    slope: Vectors = ((by_found - along * found) / lengths).astype(np.float32)
    return loss, slope


def _batches(
    usable: NDArray[np.intp], epochs: int, chance: np.random.Generator
) -> Iterator[NDArray[np.intp]]:
    for _ in range(epochs):
        order = chance.permutation(usable)
        for start in range(0, len(order), BATCH):
            yield order[start : start + BATCH]


def _draw(
    texts: Sequence[Sequence[int]], chance: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    drawn = []
    for number, ids in enumerate(texts):
        pieces = np.asarray(ids, np.intp)
        if number % 2 and len(pieces) > 2:
            kept = pieces[chance.random(len(pieces)) < KEPT]
            pieces = kept if len(kept) else pieces
        drawn.append(pieces)
    return np.concatenate(drawn), np.array([len(pieces) for pieces in drawn], np.intp)


def _slope(
    table: Vectors, pieces: NDArray[np.intp], lengths: NDArray[np.intp], targets: Vectors
) -> tuple[NDArray[np.intp], Vectors]:
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    _, by_sum = loss_and_slope(np.add.reduceat(table[pieces], starts, axis=0), targets)
    order = np.argsort(pieces, kind="stable")
    rows, where = np.unique(pieces[order], return_index=True)
    text_of_piece = np.repeat(np.arange(len(lengths)), lengths)
    return rows, np.add.reduceat(by_sum[text_of_piece[order]], where, axis=0)
