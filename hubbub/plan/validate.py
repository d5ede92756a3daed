"""How wrong the predictions are: every published run by cross-validation, group by group, and the anchors.

Rows that cannot be scored are listed with the reason. Nothing is fitted here that is then scored: each row of
the shipped runs is predicted by constants fitted without its fold (`data/folds.json`), a file of the user's
own by the constants that ship.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from hubbub.plan.anchors import Anchor, anchors
from hubbub.plan.bands import Residuals, log_band, residuals_of
from hubbub.plan.cases import Column, cases_of
from hubbub.plan.fit import Sample, cross_validate
from hubbub.plan.hardware import GIB, read_data
from hubbub.plan.predict import memory_at
from hubbub.plan.runs import PublishedRun, read_runs, scoreable
from hubbub.plan.stacks import Fitted, find_stack, shipped


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """Errors of the step time over some rows, in percent; bias is above 0 where predictions are too slow."""

    rows: int
    mape_pct: float
    bias_pct: float
    p90_ape_pct: float
    band_coverage_pct: float


class Unscored(msgspec.Struct, frozen=True, kw_only=True):
    """A row that cannot be scored, and why."""

    id: str
    group: str
    reason: str


class MemoryScore(msgspec.Struct, frozen=True, kw_only=True):
    """Errors of the allocator's peak in percent, by group."""

    group: str
    rows: int
    mape_pct: float
    bias_pct: float


class Validation(msgspec.Struct, frozen=True, kw_only=True):
    """The whole table; the first six fields and `groups` are the promised ones."""

    rows: int
    micro_mape_pct: float
    macro_mape_pct: float
    bias_pct: float
    p90_ape_pct: float
    band_coverage_pct: float
    groups: dict[str, Score]
    sets: dict[str, Score]
    memory: list[MemoryScore]
    anchors: list[Anchor]
    unscored: list[Unscored]
    method: str


# Sets that bars are named for; by group of runs.csv.
DENSE = (
    "bloom-prequel", "megascale", "megatron-sc21", "megatron-seqpar", "mlperf-gpt3", "mlperf-llama405b",
    "mt-nlg", "nemotron4-15b", "nemotron4-340b", "nvidia-nemo-24.07", "nvidia-nemo-longseq",
    "vtrain-multi", "vtrain-single",
)  # fmt: skip


def _is_native(run: PublishedRun) -> bool:
    """Tell whether Calculon models a row: GPT, full heads, plain FFN, 16 bit, no FSDP, no context."""
    assert run.run is not None
    model, layout = run.run.model, run.run.layout
    plain = not model.is_gated and model.num_kv_heads == model.num_heads and not model.num_experts
    return plain and layout.zero < 3 and layout.cp == 1 and run.run.precision in ("fp16", "bf16")


SETS: dict[str, Callable[[PublishedRun], bool]] = {
    "dense Megatron / NeMo / MLPerf": lambda r: (
        r.group in DENSE or (r.group == "nvidia-dgxc" and r.run is not None and not r.run.model.num_experts)
    ),
    "native to Calculon": _is_native,
    "mixture of experts": lambda r: r.run is not None and r.run.model.num_experts > 0,
    "all but experts": lambda r: r.run is not None and not r.run.model.num_experts,
}


@cache
def fold_fits() -> list[Fitted]:
    """Return the shipped fits, one for each fold, each made without that fold's rows."""
    return msgspec.json.decode(read_data("folds.json"), type=list[Fitted])


def validate(path: str | None = None, *, refit: bool = False) -> Validation:
    """Score the shipped runs by cross-validation, or a file of runs with the constants that ship.

    `refit` fits the folds again (about a minute), in place of the fits that ship.

    Raises:
        InvalidInput: the file cannot be used, or not one of its rows can be scored.
    """
    runs = read_runs(path)
    scored = scoreable(runs, path)
    sample = Sample(scored)
    if path is None:
        predicted = cross_validate(sample)[0] if refit else cross_predict(sample)
        known, method = residuals_of(scored, np.log(sample.measured / predicted)), "cross-validated"
    else:
        predicted, known, method = sample.predict(shipped()), None, "constants as shipped"
    inside = _inside(scored, sample.measured, predicted, known)
    return _table(runs, sample, predicted, inside, method)


def cross_predict(sample: Sample) -> Column:
    """Return each row's step as predicted by the shipped fit that was made without its fold."""
    folds, out = sample.folds(), np.zeros_like(sample.measured)
    for i, fitted in enumerate(fold_fits()):
        out[folds == i] = sample.predict(fitted)[folds == i]
    return out


def _inside(
    runs: Sequence[PublishedRun], measured: Column, predicted: Column, known: Residuals | None
) -> NDArray[np.bool_]:
    """Tell which rows lie in their band; in cross-validation the band knows nothing of the row's cluster."""
    logs = np.log(measured / predicted)
    bands: dict[str, tuple[float, float]] = {}
    hits = []
    for run, log in zip(runs, logs, strict=True):
        assert run.run is not None
        key = f"{run.cluster_key}|{run.run.stack}"
        if key not in bands:
            bands[key] = log_band(run.run, known, without=run.cluster_key if known is not None else "")
        low, high = bands[key]
        hits.append(bool(low <= log <= high))
    return np.array(hits)


def _table(
    runs: Sequence[PublishedRun], sample: Sample, predicted: Column, inside: NDArray[np.bool_], method: str
) -> Validation:
    errors = predicted / sample.measured - 1

    def score(mask: NDArray[np.bool_]) -> Score:
        return _score(errors[mask], inside[mask])

    groups = {str(g): score(sample.groups == g) for g in sorted(set(sample.groups))}
    masks = {name: np.array([test(run) for run in sample.runs]) for name, test in SETS.items()}
    whole = score(np.ones(len(errors), dtype=np.bool_))
    return Validation(
        rows=whole.rows,
        micro_mape_pct=whole.mape_pct,
        macro_mape_pct=float(np.mean([group.mape_pct for group in groups.values()])),
        bias_pct=whole.bias_pct,
        p90_ape_pct=whole.p90_ape_pct,
        band_coverage_pct=whole.band_coverage_pct,
        groups=groups,
        sets={name: score(mask) for name, mask in masks.items() if mask.any()},
        memory=memory_scores(sample.runs),
        anchors=anchors(),
        unscored=[Unscored(id=r.id, group=r.group, reason=r.reason) for r in runs if r.run is None],
        method=method,
    )


def _score(errors: Column, inside: NDArray[np.bool_]) -> Score:
    return Score(
        rows=len(errors),
        mape_pct=float(100 * np.mean(np.abs(errors))),
        bias_pct=float(100 * np.mean(errors)),
        p90_ape_pct=float(100 * np.quantile(np.abs(errors), 0.9)),
        band_coverage_pct=float(100 * np.mean(inside)),
    )


# What was measured as memory: the allocator's peak, or all that nvidia-smi shows (context and fragments too).
_SMI_BYTES = 8 * GIB  # the middle of 7 to 9 GiB (planning note, BLOOM)


def memory_scores(runs: Sequence[PublishedRun]) -> list[MemoryScore]:
    """Return the errors of memory, group by group, against the allocator's peak or nvidia-smi."""
    errors: dict[str, list[float]] = {}
    for run in runs:
        if not run.memory_gib or run.run is None:
            continue
        cases, stack = cases_of([run.run]), find_stack(run.run.stack)
        ends = np.array([0.0, run.run.layout.pp - 1.0])
        held = memory_at(cases, ends, stack)
        most = float(np.max(held.total - held.overhead))
        most += _SMI_BYTES if "nvidia-smi" in run.row.get("notes", "") else 0.0
        errors.setdefault(run.group, []).append(most / GIB / run.memory_gib - 1)
    return [
        MemoryScore(
            group=group,
            rows=len(each),
            mape_pct=float(100 * np.mean(np.abs(each))),
            bias_pct=float(100 * np.mean(each)),
        )
        for group, each in sorted(errors.items())
    ]
