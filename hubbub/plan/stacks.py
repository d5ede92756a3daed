"""Software-stack profiles, each with its date: which constants of the model of time a run takes.

A profile says by flags what a release does; the constants are few, physical, shared by all profiles, and were
fitted over whole (model, GPU, precision) clusters, never to rows (docs/plan.md). It holds no formula of time.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
import numpy as np

from hubbub.plan.cases import Column
from hubbub.plan.hardware import choose, read_data
from hubbub.specs import GpuSpec, RunSpec


class Stack(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One profile.

    `family` is the releases that share one scale; `match` the words that name it in published tables;
    `kernels` the attention of 2021-23 ("old") or later ("new"); `tensor` and `data` say whether that traffic
    is overlapped ("none", "some"); `logit_bytes` and `grad_bytes` are what a score and a gradient take;
    `lacks_latent_kernel`: no fused training kernel for MLA's unequal widths on Blackwell; `is_blocking`: the
    host waits for every kernel (CUDA_LAUNCH_BLOCKING=1).
    """

    name: str
    date: str
    family: str
    match: tuple[str, ...]
    kernels: str = "new"
    tensor: str = "some"
    data: str = "some"
    is_eager: bool = False
    is_blocking: bool = False
    is_unfused: bool = False
    lacks_latent_kernel: bool = False
    is_deduplicated: bool = False
    hides_experts: bool = False
    uses_window: bool = True
    has_skewed_context: bool = False
    has_sequence_parallelism: bool = True
    logit_bytes: float = 6.0
    grad_bytes: float = 4.0


class Tuning(msgspec.Struct, kw_only=True):
    """The constants as columns: a number for each case.

    slim_clock, wide_clock: sustained speed of matrix products against the measured curves; cast: the price
    of quantising narrow outputs; flash, flash_s0, flash_dim: attention against the 16-bit peak, short
    sequences and narrow heads; cp_skew: idle of a causal mask cut into plain blocks; score_bytes, odd_head:
    unfused attention; passes: trips over memory; permute: trips of routed tokens; host_s, moe_host_s,
    expert_host_s: host time a layer and pass, more for routing, and more for each local expert; *_seen: the
    share of traffic that is not hidden; wire: of a NIC's rate that NCCL reaches; step_s: fixed time a step;
    jitter: waiting for the slowest, a doubling of GPUs beyond a server;
    scale: what the family as a whole takes beside the model.
    """

    slim_clock: Column
    wide_clock: Column
    cast: Column
    flash: Column
    flash_s0: Column
    flash_dim: Column
    window_seen: Column
    latent_unfused: Column
    cp_skew: Column
    score_bytes: Column
    odd_head: Column
    passes: Column
    permute: Column
    host_s: Column
    moe_host_s: Column
    expert_host_s: Column
    is_blocking: Column
    is_deduplicated: Column
    tp_seen: Column
    dp_seen: Column
    pp_seen: Column
    ep_seen: Column
    cp_seen: Column
    wire: Column
    step_s: Column
    jitter: Column
    scale: Column


class Fitted(msgspec.Struct, frozen=True, kw_only=True):
    """What a fit yields: the constants, and the scale of each family of releases."""

    constants: dict[str, float]
    """What each means, its bounds and source stand in `data/constants.toml`."""
    scales: dict[str, float]


@cache
def stacks() -> dict[str, Stack]:
    """Return every profile by name, in the order in which they are matched."""
    rows = tomllib.loads(read_data("stacks.toml"))
    return {
        name: msgspec.convert({**row, "name": name, "date": str(row["date"])}, Stack)
        for name, row in rows.items()
    }


@cache
def shipped() -> Fitted:
    """Return the constants and scales that ship: those fitted on all published runs."""
    table = tomllib.loads(read_data("constants.toml"))
    return Fitted(
        constants={k: float(v["value"]) for k, v in table.items()},
        scales={name: float(v) for name, v in tomllib.loads(read_data("scales.toml")).items()},
    )


def stack_of(row: Mapping[str, str]) -> Stack:
    """Return the profile that a row of the published table names by its software and its group."""
    text = f"{row.get('software', '')} {row.get('group', '')}".lower()
    for stack in stacks().values():
        if any(word in text for word in stack.match):
            return stack
    return stacks()["fsdp-2024" if row.get("zero") in ("3", "hsdp") else DEFAULT_STACK]


# What a prediction takes when nothing is said: the release line of NVIDIA's recipes, by precision and model
# the best documented.
DEFAULT_STACK = "nemo-2025"


def find_stack(name: str) -> Stack:
    """Return a profile by name; no name means the default. Raises InvalidInput: no such profile."""
    return stacks()[choose("stack", name or DEFAULT_STACK, list(stacks()))]


def architecture(gpu: GpuSpec) -> str:
    """Return the generation whose constants a GPU takes: a100, h100 or b200.

    Chips without published runs (MI300X, TPU v5p) take the generation of their year.
    """
    if gpu.gemm.startswith("a100"):
        return "a100"
    return "b200" if gpu.gemm[:2] in ("b2", "b3", "gb") else "h100"


# The watts of the boards on which the clocks were measured (data/gpus.toml).
_USUAL_W = {"a100": 400.0, "h100": 700.0}


def tuning_row(stack: Stack, gpu: GpuSpec, bits: float, fitted: Fitted) -> dict[str, float]:
    """Return the constants of one profile on one GPU at one precision.

    A board limited below its usual watts runs at (watts / usual)^(1/3) of the clock: P = f V^2 with V as f.
    """
    k, arch = fitted.constants, architecture(gpu)
    power = min(1.0, gpu.tdp_w / _USUAL_W.get(arch, gpu.tdp_w)) ** (1 / 3)
    wide = k[f"clock16_{arch}"] * power
    slim = wide
    if bits < 16:
        slim = k["clock4_b200" if bits == 4 else f"clock8_{'b200' if arch == 'b200' else 'h100'}"] * power
    old = "old_" if stack.kernels == "old" and arch != "b200" else ""
    tensor = {"none": 1.0, "async": k["tensor_seen_async"]}.get(stack.tensor, k["tensor_seen"])
    same = ("cast", "score_bytes", "odd_head", "permute", "wire", "step_s", "jitter")
    return {
        **{name: k[name] for name in same},
        "slim_clock": slim,
        "wide_clock": wide,
        "flash": k[f"flash_{old}{arch}"] * power,
        "flash_s0": k["flash_seq"],
        "flash_dim": 0.0 if stack.kernels == "old" else k["flash_dim"],
        "window_seen": float(stack.uses_window),
        "latent_unfused": float(stack.lacks_latent_kernel and arch == "b200"),
        "cp_skew": k["context_skew"] if stack.has_skewed_context else 0.0,
        "passes": k["passes_unfused"] if stack.is_unfused else k["passes"],
        "host_s": k["host_eager_s"] if stack.is_eager else k["host_s"],
        "moe_host_s": k["host_moe_s"],
        "expert_host_s": k["host_expert_s"],
        "is_blocking": float(stack.is_blocking),
        "is_deduplicated": float(stack.is_deduplicated),
        "tp_seen": tensor,
        "dp_seen": 1.0 if stack.data == "none" else k["data_seen"],
        "pp_seen": k["pipeline_seen"],
        "ep_seen": k["expert_seen_late"] if stack.hides_experts else k["expert_seen"],
        "cp_seen": k["context_seen"],
        "scale": fitted.scales.get(stack.family, 1.0),
    }


def tuning_of(runs: Sequence[RunSpec], fitted: Fitted | None = None) -> Tuning:
    """Return the constants of many runs as columns; by default those that ship."""
    keys, index = combinations(runs)
    return take(keys, index, fitted or shipped())


Combination = tuple[Stack, GpuSpec, float]


def combinations(runs: Sequence[RunSpec]) -> tuple[list[Combination], Any]:
    """Return the different (profile, GPU, bits) of runs, and which of them each run has."""
    seen: dict[tuple[str, str, float], int] = {}
    keys: list[Combination] = []
    index = np.zeros(len(runs), dtype=np.intp)
    for i, run in enumerate(runs):
        gpu, bits = run.cluster.gpu, run.bits
        name = (run.stack, f"{gpu.name} {gpu.gemm} {gpu.tdp_w}", bits)
        if name not in seen:
            seen[name] = len(keys)
            keys.append((find_stack(run.stack), gpu, bits))
        index[i] = seen[name]
    return keys, index


def take(keys: Sequence[Combination], index: Any, fitted: Fitted) -> Tuning:
    """Spread the constants of combinations over the runs that have them."""
    rows = [tuning_row(*key, fitted) for key in keys]
    return Tuning(**{name: np.array([row[name] for row in rows])[index] for name in rows[0]})
