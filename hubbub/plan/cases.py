"""Many runs as columns of numbers, so that one formula serves one prediction and a million.

A column is an array with one number a case, or a single number that all cases share. It holds no formulas
of time or memory.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from functools import cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from hubbub.errors import InvalidInput
from hubbub.plan.hardware import choose, read_data
from hubbub.specs import Layout, RunSpec

Column = NDArray[np.float64]

# What a 16-bit, 8-bit or 4-bit precision multiplies with: the measured dtype of gemm_fit.csv.
# fp16 runs at the speed of bf16 on every one of these GPUs (datasheets).
GEMM_DTYPES = {"fp16": "bfloat16", "bf16": "bfloat16", "fp8": "fp8", "mxfp8": "fp8_block", "nvfp4": "nvfp4"}
# Share of a layer's forward pass that is computed again in the backward pass. "selective" recomputes the
# attention core only, which a flash kernel does anyway; torchtitan's selective-op saves every second matmul
# (arXiv 2410.06511), and selective-block every second or third block.
RECOMPUTED = {"none": 0.0, "selective": 0.0, "selective-op": 0.33, "selective-block": 0.5, "full": 1.0}
# Share of a layer's activations that stays in memory; selective-op keeps the outputs of every second product.
KEPT = {"none": 1.0, "selective": 1.0, "selective-op": 0.4, "selective-block": 0.5, "full": 0.0}
ATTENTIONS = {"flash": 0.0, "unfused": 1.0}


class Cases(msgspec.Struct, kw_only=True):
    """The columns; names are those of the specs, sizes in bytes, speeds in bytes or operations a second."""

    num_layers: Column
    hidden: Column
    heads: Column
    kv_heads: Column
    head_dim: Column
    ffn: Column
    vocab: Column
    gates: Column
    is_tied: Column
    q_rank: Column
    kv_rank: Column
    rope_dim: Column
    v_dim: Column
    attended: Column
    experts: Column
    top_k: Column
    moe_ffn: Column
    shared_experts: Column
    moe_layers: Column
    seq: Column
    global_batch: Column
    tp: Column
    pp: Column
    vpp: Column
    cp: Column
    ep: Column
    etp: Column
    dp: Column
    zero: Column
    shard: Column
    micro_batch: Column
    recompute: Column
    kept: Column
    is_selective: Column
    is_sp: Column
    is_unfused: Column
    hbm: Column
    nic: Column
    domain: Column
    pod: Column
    oversubscription: Column
    wide: Column
    wide_m0: Column
    wide_n0: Column
    wide_k0: Column
    wide_t0: Column
    slim: Column
    slim_m0: Column
    slim_n0: Column
    slim_k0: Column
    slim_t0: Column
    peak16: Column
    reduce_alpha: Column
    reduce_rate: Column
    gather_alpha: Column
    gather_rate: Column
    exchange_alpha: Column
    exchange_rate: Column

    @property
    def micro_batches(self) -> Column:
        """Return how many micro batches one data replica works through in a step."""
        return self.global_batch / (self.dp * self.micro_batch)

    @property
    def tokens(self) -> Column:
        """Return the tokens of one micro batch on one GPU, after context parallelism."""
        return self.micro_batch * self.seq / self.cp

    @property
    def replicas(self) -> Column:
        """Return how many GPUs hold the same weights of what is not an expert."""
        return self.dp * self.cp

    @property
    def expert_replicas(self) -> Column:
        """Return how many GPUs hold the same experts."""
        return np.asarray(np.maximum(self.replicas * self.tp / np.maximum(self.ep * self.etp, 1.0), 1.0))

    @property
    def qk_dim(self) -> Column:
        """Return the width over which a query meets a key."""
        return self.head_dim + self.rope_dim

    @property
    def gpus(self) -> Column:
        """Return the GPUs of the layout."""
        return self.tp * self.pp * self.cp * self.dp


LAYOUT_COLUMNS = ("tp", "pp", "vpp", "cp", "ep", "etp", "dp", "zero", "shard", "micro_batch")


@cache
def gemm_curves() -> dict[tuple[str, str], tuple[float, ...]]:
    """Return speed at infinity (operations/s), m0, n0, k0 and t0 (us) of each measured GPU and dtype."""
    rows = csv.DictReader(io.StringIO(read_data("gemm_fit.csv")))
    return {
        (row["system"], row["dtype"]): (
            float(row["peak_tflops"]) * 1e12 * float(row["e_inf"]),
            *(float(row[key]) for key in ("m0", "n0", "k0", "t0_us")),
        )
        for row in rows
    }


@cache
def link_curves() -> dict[tuple[str, str, int], tuple[float, float]]:
    """Return latency (s) and bus bandwidth (bytes/s) of each measured GPU, collective and group size."""
    rows = csv.DictReader(io.StringIO(read_data("nccl_fit.csv")))
    return {
        (row["system"], row["op"], int(row["gpus"])): (
            float(row["alpha_us"]) / 1e6,
            float(row["busbw_gb_s"]) * 1e9,
        )
        for row in rows
    }


def cases_of(runs: Sequence[RunSpec]) -> Cases:
    """Turn runs into columns.

    Raises:
        InvalidInput: a precision that the GPU cannot compute in, an unknown recompute or attention.
    """
    rows = [row_of(run) for run in runs]
    return Cases(**{key: np.array([row[key] for row in rows], dtype=np.float64) for key in rows[0]})


def cases_of_layouts(run: RunSpec, columns: Mapping[str, Column]) -> Cases:
    """Turn one run in many layouts into columns; `columns` holds those of LAYOUT_COLUMNS that differ.

    `recompute` (0 none, 1 full, between: a share), `is_sp` and `is_selective` may stand among them.
    """
    row = {key: np.asarray(value, dtype=np.float64) for key, value in row_of(run).items()}
    return Cases(**{**row, **columns})


def row_of(run: RunSpec) -> dict[str, float]:
    """Return the columns of one run as numbers."""
    row = {**_model_row(run), **_layout_row(run.layout), **_gpu_row(run)}
    row["seq"] = float(run.seq_len)
    row["global_batch"] = float(run.global_batch)
    row["is_unfused"] = ATTENTIONS[choose("attention", run.attention, list(ATTENTIONS))]
    return row


def _model_row(run: RunSpec) -> dict[str, float]:
    m = run.model
    return {
        "num_layers": m.num_layers,
        "hidden": m.hidden,
        "heads": m.num_heads,
        "kv_heads": m.num_kv_heads,
        "head_dim": m.head_dim,
        "ffn": m.ffn,
        "vocab": m.vocab,
        "gates": 3.0 if m.is_gated else 2.0,
        "is_tied": float(m.is_tied),
        "q_rank": m.q_rank,
        "kv_rank": m.kv_rank,
        "rope_dim": m.rope_dim if m.kv_rank else 0.0,
        "v_dim": m.v_dim if m.kv_rank else m.head_dim,
        "attended": m.attended(run.seq_len),
        "experts": m.num_experts,
        "top_k": m.top_k,
        "moe_ffn": m.moe_ffn,
        "shared_experts": m.num_shared_experts,
        "moe_layers": m.num_moe_layers,
    }


def _layout_row(layout: Layout) -> dict[str, float]:
    recompute = choose("recompute", layout.recompute, list(RECOMPUTED))
    row = {key: float(getattr(layout, key)) for key in LAYOUT_COLUMNS}
    row["recompute"] = RECOMPUTED[recompute]
    row["kept"] = KEPT[recompute]
    row["is_selective"] = float(recompute == "selective")
    row["is_sp"] = float(layout.is_sequence_parallel and layout.tp > 1)
    return row


def _gpu_row(run: RunSpec) -> dict[str, float]:
    gpu, cluster = run.cluster.gpu, run.cluster
    precision = choose("precision", run.precision, list(GEMM_DTYPES))
    curves = gemm_curves()
    if (gpu.gemm, GEMM_DTYPES[precision]) not in curves:
        able = [p for p, dtype in GEMM_DTYPES.items() if (gpu.gemm, dtype) in curves]
        raise InvalidInput(
            f"precision {run.precision!r} is not known on {gpu.name!r}; it has {', '.join(able)}"
        )
    row = {
        "hbm": gpu.memory_bytes_per_s,
        "nic": cluster.nic_bytes_per_s,
        "domain": float(cluster.link_domain),
        "pod": float(cluster.pod_gpus),
        "oversubscription": cluster.oversubscription,
        "peak16": gpu.peak_flops.get("bf16", max(gpu.peak_flops.values())),
    }
    for prefix, dtype in (("wide", "bfloat16"), ("slim", GEMM_DTYPES[precision])):
        keys = (prefix, f"{prefix}_m0", f"{prefix}_n0", f"{prefix}_k0", f"{prefix}_t0")
        row.update(zip(keys, curves[gpu.gemm, dtype], strict=True))
    return row | _link_row(gpu.gemm, gpu.link_bytes_per_s)


def _link_row(system: str, link: float) -> dict[str, float]:
    """Return the measured collectives inside a domain; where none was measured, 0.72 of the link's rate.

    0.72 is what A100, H100 and B200 reach of theirs in nccl_fit.csv (0.66 to 0.75, all-reduce of 8).
    """
    row = {}
    known = link_curves()
    for name, op in (("reduce", "all_reduce"), ("gather", "all_gather"), ("exchange", "alltoall")):
        found = next((known[s, op, 8] for s in (system, _TWINS.get(system, "")) if (s, op, 8) in known), None)
        alpha, rate = found or (30e-6, 0.72 * _LINKS.get(system, link))
        row[f"{name}_alpha"], row[f"{name}_rate"] = alpha, rate * link / _LINKS.get(system, link)
    return row


# Systems measured with 4 GPUs only take the curve of the same chip on an 8-GPU board.
_TWINS = {"gb200": "b200_sxm", "gb300": "b300_sxm"}
# The link on which each system was measured, bytes/s (data/gpus.toml); a thinner one is in proportion.
_LINKS = {
    "a100_sxm": 300e9,
    "h100_sxm": 450e9,
    "h200_sxm": 450e9,
    **dict.fromkeys(("b200_sxm", "b300_sxm", "gb200", "gb300"), 900e9),
}
