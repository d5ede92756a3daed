"""Refuse runs that cannot be: each refusal names the field, its value and the nearest that works."""

from __future__ import annotations

import math
from collections.abc import Iterator

from hubbub.errors import InvalidInput
from hubbub.plan.cases import GEMM_DTYPES, RECOMPUTED, gemm_curves
from hubbub.plan.hardware import choose
from hubbub.plan.stacks import find_stack
from hubbub.specs import ClusterSpec, Layout, ModelSpec, RunSpec, nearest_divisor


def check_run(run: RunSpec) -> None:
    """Refuse a run that cannot be. Raises InvalidInput: with every reason, the first first."""
    reasons = list(refusals(run))
    if reasons:
        raise InvalidInput("; ".join(reasons[:3]))


def refusals(run: RunSpec) -> Iterator[str]:
    """Say why a run cannot be; nothing when it can."""
    for name in ("tp", "pp", "vpp", "cp", "ep", "etp", "dp", "micro_batch"):
        if getattr(run.layout, name) < 1:
            yield f"{name} is {getattr(run.layout, name)}; it must be 1 or more"
            return
    yield from _precision(run)
    yield from _tensor(run.model, run.layout)
    yield from _pipeline(run)
    yield from _experts(run.model, run.layout)
    yield from _batch(run)
    yield from refuse_gpus(run.cluster, run.layout.num_gpus)


def _precision(run: RunSpec) -> Iterator[str]:
    choose("recompute", run.layout.recompute, list(RECOMPUTED))
    find_stack(run.stack)
    precision = choose("precision", run.precision, list(GEMM_DTYPES))
    gpu = run.cluster.gpu
    able = [p for p, dtype in GEMM_DTYPES.items() if (gpu.gemm, dtype) in gemm_curves()]
    if precision not in able:
        yield f"precision {precision!r} does not exist on {gpu.name!r}; it has {', '.join(able)}"
    if not 0 <= run.layout.zero <= 3:
        yield f"zero is {run.layout.zero}; it must be 0, 1, 2 or 3"


def _tensor(model: ModelSpec, layout: Layout) -> Iterator[str]:
    if model.num_heads % layout.tp:
        near = nearest_divisor(model.num_heads, layout.tp)
        yield f"tp {layout.tp} does not divide num_heads {model.num_heads}; the nearest that does is {near}"
    if model.num_heads // layout.tp and model.num_kv_heads % layout.tp and layout.tp % model.num_kv_heads:
        near = nearest_divisor(model.num_kv_heads, layout.tp)
        yield f"tp {layout.tp} and num_kv_heads {model.num_kv_heads} do not divide; the nearest is tp {near}"


def _pipeline(run: RunSpec) -> Iterator[str]:
    model, layout = run.model, run.layout
    if layout.pp > model.num_layers:
        yield f"pp {layout.pp} is more than num_layers {model.num_layers}; the most is {model.num_layers}"
        return
    per_stage = math.ceil(model.num_layers / layout.pp)
    if layout.pp > 1 and model.num_layers - (layout.pp - 1) * per_stage < 0:
        near = nearest_divisor(model.num_layers, layout.pp)
        yield f"pp {layout.pp} leaves a stage of num_layers {model.num_layers} empty; the nearest is {near}"
    if layout.vpp > per_stage:
        yield f"vpp {layout.vpp} is more than the {per_stage} layers of a stage; the most is {per_stage}"
    if layout.vpp > 1 and layout.pp == 1:
        yield f"vpp {layout.vpp} interleaves nothing at pp 1; it must be 1"


def _experts(model: ModelSpec, layout: Layout) -> Iterator[str]:
    if layout.ep > 1 and not model.num_experts:
        yield f"ep {layout.ep} needs experts, and {model.name!r} has none; it must be 1"
    elif model.num_experts % layout.ep:
        near = nearest_divisor(model.num_experts, layout.ep)
        yield f"ep {layout.ep} does not divide num_experts {model.num_experts}; the nearest is {near}"
    if layout.ep * layout.etp > layout.tp * layout.cp * layout.dp:
        most = layout.tp * layout.cp * layout.dp // layout.etp
        yield f"ep {layout.ep} x etp {layout.etp} is more than the replicas of a stage; the most is ep {most}"


def _batch(run: RunSpec) -> Iterator[str]:
    seq = run.seq_len
    if run.global_batch < 1 or seq < 1:
        yield f"global_batch is {run.global_batch} and seq {seq}; both must be 1 or more"
        return
    each = run.layout.dp * run.layout.micro_batch
    if run.global_batch % each:
        near = max(1, round(run.global_batch / each)) * each
        yield (
            f"global_batch {run.global_batch} is no multiple of dp {run.layout.dp} x micro_batch "
            f"{run.layout.micro_batch}; the nearest that is: {near}"
        )
    if seq % run.layout.cp:
        near = nearest_divisor(seq, run.layout.cp)
        yield f"cp {run.layout.cp} does not divide seq {seq}; the nearest that does is {near}"
    if not (math.isfinite(run.num_tokens) and run.num_tokens >= 0):
        yield f"num_tokens is {run.num_tokens}; it must be above 0, as 15.6T"


def refuse_gpus(cluster: ClusterSpec, num_gpus: int) -> Iterator[str]:
    """Say why a cluster cannot have so many GPUs; nothing when it can."""
    if cluster.num_gpus and num_gpus > cluster.num_gpus:
        yield f"num_gpus {num_gpus} is more than cluster {cluster.name!r} has; the most is {cluster.num_gpus}"
