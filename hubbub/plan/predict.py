"""Predict one run, or one run in many layouts: time, speed, where it goes, what memory it needs.

The time of a step comes from `step`, the band from `bands`; money and power have their own files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from hubbub.plan.bands import band
from hubbub.plan.cases import Cases, Column, cases_of, cases_of_layouts
from hubbub.plan.check import check_run
from hubbub.plan.estimate import Estimate, inverse
from hubbub.plan.hardware import GIB
from hubbub.plan.memory import StageMemory, stage_layers, stage_memory
from hubbub.plan.stacks import Stack, Tuning, find_stack, tuning_of
from hubbub.plan.step import StepTime, step_time
from hubbub.specs import RunSpec


class StageReport(msgspec.Struct, frozen=True, kw_only=True):
    """GiB on one GPU of one pipeline stage, part by part."""

    stage: int
    weights_gib: float
    gradients_gib: float
    optimizer_gib: float
    activations_gib: float
    logits_gib: float
    work_gib: float
    overhead_gib: float

    @property
    def total_gib(self) -> float:
        """Return the sum of all parts."""
        return float(sum(getattr(self, name) for name in self.__struct_fields__ if name != "stage"))


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """What is expected of a run.

    `parts_s` says where the seconds of a step go; `busy_share` is the share in which GPUs compute; FLOP/s are
    the model's (causal mask halved, no recompute), MFU against the dense peak of the precision. `train_s` is
    the time for all tokens without failures. `verdict` names what does not fit.
    """

    num_gpus: int
    stack: str
    step_s: Estimate
    tokens_per_s: Estimate
    tflops_per_gpu: Estimate
    mfu: Estimate
    parts_s: dict[str, float]
    busy_share: float
    train_s: Estimate | None
    memory: tuple[StageReport, ...]
    memory_gib: float
    capacity_gib: float
    fits: bool
    verdict: str


def predict(run: RunSpec, *, scale: float = 1.0, step_band: tuple[float, float] | None = None) -> Prediction:
    """Predict one run; `scale` and `step_band` (logarithms) come from a calibration.

    Raises:
        InvalidInput: the run cannot be; the message names the field, its value and the nearest that works.
    """
    check_run(run)
    cases, tuning = cases_of([run]), tuning_of([run])
    times = step_time(cases, tuning)
    parts = {n.removesuffix("_s"): float(getattr(times, n)[0]) * scale for n in times.__struct_fields__}
    mid = sum(parts.values())
    if step_band is None:
        step = band(run, mid)
    else:
        step = Estimate(low=mid * math.exp(step_band[0]), mid=mid, high=mid * math.exp(step_band[1]))
    speed = inverse(step).scaled(run.tokens_per_step)
    flops = run.model.flops_per_token(run.seq_len) / run.layout.num_gpus
    peaks = run.cluster.gpu.peak_flops
    peak = peaks.get(run.precision, max(peaks.values()))
    stages = stage_reports(run)
    most = max(stages, key=lambda stage: stage.total_gib)
    capacity = run.cluster.gpu.memory_bytes / GIB
    return Prediction(
        num_gpus=run.layout.num_gpus,
        stack=find_stack(run.stack).name,
        step_s=step,
        tokens_per_s=speed,
        tflops_per_gpu=speed.scaled(flops / 1e12),
        mfu=speed.scaled(flops / peak),
        parts_s=parts,
        busy_share=min(1.0, parts["compute"] / mid),
        train_s=step.scaled(run.num_tokens / run.tokens_per_step) if run.num_tokens else None,
        memory=stages,
        memory_gib=most.total_gib,
        capacity_gib=capacity,
        fits=most.total_gib <= capacity,
        verdict=_verdict(most, capacity),
    )


def stage_reports(run: RunSpec) -> tuple[StageReport, ...]:
    """Return what every pipeline stage holds; at most the first, last and middle of more than 64."""
    pp = run.layout.pp
    numbers = list(range(pp)) if pp <= 64 else [0, pp // 2, pp - 1]
    cases, stack = cases_of([run]), find_stack(run.stack)
    held = memory_at(cases, np.array(numbers, dtype=np.float64), stack)
    fields = held.__struct_fields__
    return tuple(
        StageReport(
            stage=number,
            **{
                f"{name}_gib": float(np.broadcast_to(getattr(held, name), len(numbers))[i]) / GIB
                for name in fields
            },
        )
        for i, number in enumerate(numbers)
    )


def memory_at(cases: Cases, stage: Column, stack: Stack) -> StageMemory:
    """Return what a stage holds, with the bytes that the stack takes for gradients and scores."""
    one = np.ones_like(stage)
    return stage_memory(cases, stage, stack.grad_bytes * one, stack.logit_bytes * one)


def fullest(cases: Cases, stack: Stack) -> tuple[Column, NDArray[np.intp]]:
    """Return the bytes of the fullest stage, and its largest part: stage x parts of StageMemory + part.

    It is 0, the first (most micro batches in flight), 1, the first that has experts, or 2, the last (logits).
    """
    stages = {0: np.zeros_like(cases.pp), 2: cases.pp - 1.0}
    dense = cases.num_layers - cases.moe_layers
    if np.any((cases.moe_layers > 0) & (dense > 0)):
        stages[1] = np.minimum(np.ceil(dense / stage_layers(cases)), cases.pp - 1.0)
    most, culprit = np.zeros_like(cases.pp), np.zeros(len(cases.pp), dtype=np.intp)
    for number, stage in stages.items():
        held = memory_at(cases, stage, stack)
        parts = np.stack([np.broadcast_to(getattr(held, n), most.shape) for n in held.__struct_fields__])
        total = parts.sum(axis=0)
        is_more = total > most
        culprit = np.where(is_more, number * len(parts) + parts.argmax(axis=0), culprit)
        most = np.where(is_more, total, most)
    return most, culprit


def _verdict(most: StageReport, capacity: float) -> str:
    total = most.total_gib
    if total <= capacity:
        return f"fits: {total:.1f} of {capacity:.0f} GiB on stage {most.stage}"
    parts = {n.removesuffix("_gib"): getattr(most, n) for n in most.__struct_fields__ if n != "stage"}
    names = sorted(parts, key=lambda name: -parts[name])[:2]
    told = " and ".join(f"{name} {parts[name]:.1f} GiB" for name in names)
    return f"does not fit: stage {most.stage} needs {total:.1f} of {capacity:.0f} GiB, most of it {told}"


class Sweep(msgspec.Struct, kw_only=True):
    """One run in many layouts: seconds, where they go, and the bytes of the fullest stage."""

    times: StepTime
    step_s: Column
    memory_bytes: Column


def predict_layouts(run: RunSpec, columns: Mapping[str, Column], tuning: Tuning | None = None) -> Sweep:
    """Predict one run in many layouts; layouts are not checked, impossible ones give numbers without meaning.

    `columns` holds arrays of equal length of what differs: the fields of Layout, with `recompute` and `kept`
    as shares, `is_sp` and `is_selective` as 0 or 1. Cost: some 10 us a layout, however many micro batches.
    """
    cases = cases_of_layouts(run, columns)
    times = step_time(cases, tuning or tuning_of([run]))
    return Sweep(times=times, step_s=times.total_s, memory_bytes=fullest(cases, find_stack(run.stack))[0])
