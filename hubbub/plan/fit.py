"""Fit the constants of the model of time to measured steps, by whole clusters, never to single rows.

Loss: mean |log(measured / predicted)|, half over rows and half over groups, capped at 0.7 (a factor of 2) so
that outliers do not rule, plus a pull of every constant to its prior. The search walks one constant at a time
in steps of its logarithm: the loss is not smooth, the constants are few, and it needs no library.
"""

from __future__ import annotations

import tomllib
import zlib
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from hubbub.plan.cases import Column, cases_of
from hubbub.plan.hardware import read_data
from hubbub.plan.runs import PublishedRun
from hubbub.plan.stacks import Fitted, combinations, find_stack, take
from hubbub.plan.step import step_time

Mask = NDArray[np.bool_]

NUM_FOLDS = 12
# How strongly a constant is pulled to its prior, and a family's scale to 1 (in clusters); set once, before
# any fold was scored.
_PRIOR_PULL = 0.02
_SCALE_PULL = 1.0
_CAP = 0.7
_STEPS = (0.3, 0.12, 0.05)
# Shares cannot exceed 1; a little more is left for collectives slower than their measured curves.
_MOST_SHARE = 1.2
_MOST_CLOCK = 1.05


@cache
def priors() -> dict[str, float]:
    """Return where each constant starts and is pulled to (`data/constants.toml`)."""
    return {k: float(v["prior"]) for k, v in tomllib.loads(read_data("constants.toml")).items()}


class Sample:
    """Measured steps as columns, ready to be predicted with any constants."""

    def __init__(self, runs: Sequence[PublishedRun]) -> None:
        specs = [run.run for run in runs if run.run is not None]
        self.runs = list(runs)
        self.cases = cases_of(specs)
        self.keys, self.index = combinations(specs)
        self.measured = np.array([run.step_s for run in runs])
        self.groups = np.array([run.group for run in runs])
        self.clusters = np.array([run.cluster_key for run in runs])
        self.families = np.array([find_stack(spec.stack).family for spec in specs])
        counts = {g: int((self.groups == g).sum()) for g in set(self.groups)}
        self.weights = np.array(
            [0.5 / len(runs) + 0.5 / (len(counts) * counts[g]) for g in self.groups], dtype=np.float64
        )

    def predict(self, fitted: Fitted) -> Column:
        """Return the predicted seconds of every step."""
        return step_time(self.cases, take(self.keys, self.index, fitted)).total_s

    def folds(self, num_folds: int = NUM_FOLDS) -> NDArray[np.intp]:
        """Assign each row a fold, whole clusters together, by a checksum of the cluster's name."""
        return np.array([zlib.crc32(key.encode()) % num_folds for key in self.clusters], dtype=np.intp)


def fit_scales(sample: Sample, logs: Column, mask: Mask) -> dict[str, float]:
    """Return each family's scale: the median over its clusters of log(measured / predicted), pulled to 1.

    A cluster weighs the root of its rows; n clusters count n / (n + 1) of their median.
    """
    scales = {}
    for family in sorted(set(sample.families)):
        own = (sample.families == family) & mask
        keys = sorted(set(sample.clusters[own]))
        if not keys:
            continue
        medians = np.array([np.median(logs[own & (sample.clusters == key)]) for key in keys])
        weights = np.array([np.sqrt((own & (sample.clusters == key)).sum()) for key in keys])
        order = np.argsort(medians)
        half = np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)
        pulled = float(medians[order][half]) * len(keys) / (len(keys) + _SCALE_PULL)
        scales[str(family)] = float(np.exp(pulled))
    return scales


def fit(sample: Sample, mask: Mask) -> Fitted:
    """Return the constants and scales fitted to the rows of a mask, starting from the priors."""
    values = dict(priors())
    best = _loss(sample, values, mask)
    for step in _STEPS:
        for name in values:
            for change in (step, -step):
                values, best = _walk(sample, values, mask, (name, change, best))
    return Fitted(constants=values, scales=fit_scales(sample, _logs(sample, values), mask))


def _walk(
    sample: Sample, values: dict[str, float], mask: Mask, move: tuple[str, float, float]
) -> tuple[dict[str, float], float]:
    """Move one constant by steps of its logarithm for as long as the loss falls."""
    name, change, best = move
    while True:
        moved = {**values, name: values[name] * float(np.exp(change))}
        limit = _MOST_CLOCK if name.startswith("clock") else _MOST_SHARE
        if (name.startswith("clock") or "seen" in name or name in ("wire", "context_skew")) and (
            moved[name] > limit
        ):
            return values, best
        loss = _loss(sample, moved, mask)
        if loss >= best - 1e-6:
            return values, best
        values, best = moved, loss


def _logs(sample: Sample, values: dict[str, float]) -> Column:
    fitted = Fitted(constants=values, scales={})
    return np.log(sample.measured / sample.predict(fitted))


def _loss(sample: Sample, values: dict[str, float], mask: Mask) -> float:
    logs = _logs(sample, values)
    scales = fit_scales(sample, logs, mask)
    shift = np.log(np.array([scales.get(str(f), 1.0) for f in sample.families]))
    error = np.minimum(np.abs(logs - shift), _CAP)
    pull = float(np.mean([np.log(values[k] / p) ** 2 for k, p in priors().items()]))
    spread = float(np.mean([abs(np.log(s)) for s in scales.values()]))
    weights = sample.weights[mask]
    return float((weights * error[mask]).sum() / weights.sum()) + _PRIOR_PULL * (pull + spread)


def cross_validate(sample: Sample, num_folds: int = NUM_FOLDS) -> tuple[Column, list[Fitted]]:
    """Return for every row the step predicted by a fit that saw nothing of the row's fold, and those fits."""
    folds, out, fits = sample.folds(num_folds), np.zeros_like(sample.measured), []
    for i in range(num_folds):
        left_out = folds == i
        fits.append(fit(sample, ~left_out))
        out[left_out] = sample.predict(fits[-1])[left_out]
    return out, fits
