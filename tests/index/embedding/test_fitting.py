"""Fitting a table: the derivative against differences, and that it arrives."""

import numpy as np
import pytest

from hubbub.index.embedding.embedder import unit_rows
from hubbub.index.embedding.fitting import fit, loss_and_slope


def test_the_slope_is_the_derivative_of_the_loss() -> None:
    chance = np.random.default_rng(2)
    sums = chance.normal(size=(5, 4)).astype(np.float64)
    targets = unit_rows(chance.normal(size=(5, 4)))
    _, slope = loss_and_slope(sums, targets)
    for row, column in [(0, 0), (1, 3), (4, 2)]:
        step = np.zeros_like(sums)
        step[row, column] = 1e-5
        change = loss_and_slope(sums + step, targets)[0] - loss_and_slope(sums - step, targets)[0]
        assert change / 2e-5 == pytest.approx(float(slope[row, column]), rel=1e-2, abs=1e-5)


def test_a_fit_turns_texts_towards_their_targets_and_leaves_other_rows_alone() -> None:
    chance = np.random.default_rng(3)
    table = (0.3 * unit_rows(chance.normal(size=(21, 16)))).astype(np.float32)
    texts = [[n, (n + 7) % 20] for n in range(20)] * 10 + [[]]
    targets = unit_rows(chance.normal(size=(20, 16)).astype(np.float32))
    targets = np.concatenate([np.tile(targets, (10, 1)), targets[:1]])
    fitted = fit(table, texts, targets, epochs=60)
    found = unit_rows(np.stack([fitted[ids].sum(axis=0) for ids in texts[:20]]))
    began = unit_rows(np.stack([table[ids].sum(axis=0) for ids in texts[:20]]))
    assert (found * targets[:20]).sum(axis=1).mean() > (began * targets[:20]).sum(axis=1).mean() + 0.2
    assert np.array_equal(fitted[20], table[20])
    assert np.array_equal(fit(table, texts, targets, 2), fit(table, texts, targets, 2)), "repeatable"
