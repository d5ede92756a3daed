"""The 80% band of a prediction: what published runs like it took, against what was predicted of them.

The residuals come from cross-validation (`data/residuals.csv`): each row was predicted by a fit that had not
seen its (model, GPU, precision) cluster. It predicts nothing itself.
"""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Sequence
from functools import cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from hubbub.plan.cases import Column
from hubbub.plan.estimate import Estimate
from hubbub.plan.hardware import read_data
from hubbub.plan.runs import PublishedRun, read_runs, scoreable
from hubbub.plan.stacks import architecture, find_stack
from hubbub.specs import RunSpec

# How much less a residual counts for each way in which its run differs: experts or none matter most, as MoE
# rows scatter three times as wide; then the family of releases, the GPU's generation, the precision.
_UNLIKE = {"moe": 0.02, "family": 0.2, "gpu": 0.5, "bits": 0.7}
_HIGH = 0.9
# A band never claims less than this: two repeats of one run differ by 1 to 2 % (Llama 3, section 3.3.4).
_LEAST_LOG = 0.02


class Residuals(msgspec.Struct, frozen=True, kw_only=True):
    """Published runs' log(measured / predicted) as columns, and what makes another run like each of them."""

    ids: tuple[str, ...]
    clusters: NDArray[np.str_]
    kinds: dict[str, NDArray[np.str_]]
    logs: Column
    weights: Column


def kind_of(run: RunSpec) -> dict[str, str]:
    """Return what makes two runs alike."""
    return {
        "moe": str(run.model.num_experts > 0),
        "family": find_stack(run.stack).family,
        "gpu": architecture(run.cluster.gpu),
        "bits": f"{run.bits:g}",
    }


def residuals_of(runs: Sequence[PublishedRun], logs: Column) -> Residuals:
    """Pair runs with their residuals; the rows of a cluster share the weight of the root of their number."""
    kinds = [kind_of(run.run) for run in runs if run.run is not None]
    clusters = np.array([run.cluster_key for run in runs])
    counts = Counter(run.cluster_key for run in runs)
    return Residuals(
        ids=tuple(run.id for run in runs),
        clusters=clusters,
        kinds={name: np.array([kind[name] for kind in kinds]) for name in _UNLIKE},
        logs=logs,
        weights=np.array([counts[run.cluster_key] ** -0.5 for run in runs]),
    )


@cache
def residuals() -> Residuals:
    """Return the shipped residuals."""
    rows = csv.DictReader(io.StringIO(read_data("residuals.csv")))
    logs = {row["id"]: float(row["log_error"]) for row in rows}
    runs = [run for run in scoreable(read_runs()) if run.id in logs]
    return residuals_of(runs, np.array([logs[run.id] for run in runs]))


def log_band(run: RunSpec, known: Residuals | None = None, *, without: str = "") -> tuple[float, float]:
    """Return the logarithms of the band's ends against the prediction: weighted 10% and 90% of the residuals.

    `without` leaves a cluster out, as a check of the band on that cluster must.
    """
    rows, kind = known or residuals(), kind_of(run)
    weights = rows.weights * (rows.clusters != without)
    for name, less in _UNLIKE.items():
        weights = weights * np.where(rows.kinds[name] == kind[name], 1.0, less)
    # Few residuals: the ends move out as the quantiles of a sample of that effective size must to keep their
    # promise (split conformal prediction, Lei et al., JASA 2018: (n + 1) / n).
    wider = 1 + weights @ weights / weights.sum() ** 2
    low = _quantile(rows.logs, weights, 1 - _HIGH * wider)
    high = _quantile(rows.logs, weights, _HIGH * wider)
    return min(low, -_LEAST_LOG), max(high, _LEAST_LOG)


def _quantile(values: Column, weights: Column, share: float) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order]) - weights[order] / 2
    return float(np.interp(share * weights.sum(), total, values[order]))


def band(run: RunSpec, mid: float) -> Estimate:
    """Return a predicted time with its 80% band."""
    low, high = log_band(run)
    return Estimate(low=mid * math.exp(low), mid=mid, high=mid * math.exp(high))
