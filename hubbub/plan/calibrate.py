"""Pull predictions to a cluster's own measured steps, and narrow their band; no constant changes.

One factor for a user's cluster and stack: the median of measured over predicted. What then remains is taken
from published families that were measured at several scales: calibrated at the smallest, predicted beyond.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from hubbub.errors import InvalidInput
from hubbub.plan.cases import Column
from hubbub.plan.fit import Sample
from hubbub.plan.runs import PublishedRun, read_runs, scoreable
from hubbub.plan.stacks import shipped

# The 80% of what a family's larger scales miss after calibration at the smallest (`calibrated_errors` on
# the shipped runs, benchmarks/plan_accuracy.py); the user's own scatter is used where it is wider.
_AFTER_LOG = 0.07


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """Measured over predicted, and the logarithms of the band's ends around it."""

    scale: float
    low_log: float
    high_log: float
    rows: int
    what: str

    @property
    def band(self) -> tuple[float, float]:
        """Return the band's ends, as `predict` takes them."""
        return self.low_log, self.high_log


def calibrate(path: str) -> Calibration:
    """Return the calibration that a CSV file of measured steps gives; its columns are those of runs.csv.

    Raises:
        InvalidInput: the file cannot be read, or not one of its rows can be used; the message says why.
    """
    used = scoreable(read_runs(path), path)
    sample = Sample(used)
    logs = np.log(sample.measured / sample.predict(shipped()))
    middle = float(np.median(logs))
    low, high = (float(np.quantile(logs - middle, share)) for share in (0.1, 0.9))
    return Calibration(
        scale=math.exp(middle),
        low_log=min(low, -_AFTER_LOG),
        high_log=max(high, _AFTER_LOG),
        rows=len(used),
        what=", ".join(sorted({f"{run.row['model']} on {run.row['gpu']}" for run in used})[:3]),
    )


def write_calibration(calibration: Calibration, path: str) -> None:
    """Write a calibration as JSON. Raises InvalidInput: the file cannot be written."""
    try:
        Path(path).write_bytes(msgspec.json.format(msgspec.json.encode(calibration), indent=1) + b"\n")
    except OSError as error:
        raise InvalidInput(f"calibration {path!r} cannot be written: {error}") from None


def read_calibration(path: str) -> Calibration:
    """Read a calibration. Raises InvalidInput: the file cannot be read, or is none."""
    try:
        found = msgspec.json.decode(Path(path).read_bytes(), type=Calibration)
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidInput(
            f"calibration {path!r} cannot be read: {error}; "
            "make it with `hubbub plan calibrate --from steps.csv --out FILE`"
        ) from None
    if not (0 < found.scale < math.inf and -math.inf < found.low_log <= found.high_log < math.inf):
        raise InvalidInput(f"calibration {path!r}: scale is {found.scale}; it must be a number above 0")
    return found


def calibrated_errors(runs: Sequence[PublishedRun], measured: Column, predicted: Column) -> Column:
    """Return the relative errors at the larger scales of every family, once calibrated at its smallest.

    A family is one source's model, sequence, precision, GPU, software, recompute and model-parallel
    layout at several GPU counts.
    """
    families: dict[tuple[str, ...], list[int]] = {}
    for i, run in enumerate(runs):
        names = ("group", "model", "seq", "precision", "gpu", "software", "tp", "pp", "cp", "recompute")
        families.setdefault(tuple(run.row.get(name, "") for name in names), []).append(i)
    errors = []
    for rows in families.values():
        sizes = np.array([float(runs[i].row["gpus"]) for i in rows])
        logs = np.log(measured[rows] / predicted[rows])
        small = sizes == sizes.min()
        if not small.all():
            errors.append(np.exp(np.median(logs[small]) - logs[~small]) - 1)
    return np.concatenate(errors) if errors else np.zeros(0)
