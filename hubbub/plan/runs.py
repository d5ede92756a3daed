"""The published runs: rows of the shipped CSV, or of a file with its columns, and what was measured.

A row that cannot be scored keeps the reason; it is never left out in silence.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

import msgspec

from hubbub.errors import HubbubError, InvalidInput
from hubbub.plan.hardware import GBIT_BYTES, choose, find_gpu, read_data
from hubbub.plan.stacks import stack_of
from hubbub.specs import PRECISIONS, ClusterSpec, Layout, ModelSpec, RunSpec

_PRECISIONS = {"fp8-cs": "fp8", "fp8-ds": "fp8", "fp8-mx": "mxfp8", "fp8-sc": "fp8"}
# Shapes of latent attention: q_rank, kv_rank, rope_dim, v_dim. The runs' table has no columns for them; all
# published models of this kind (DeepSeek-V2 arXiv 2405.04434, V3 2412.19437, Kimi K2 2507.20534) use these.
_MLA = {"q_rank": 1536, "kv_rank": 512, "rope_dim": 64, "v_dim": 128}
# gpt-oss: every second layer sees 128 positions (model card, arXiv 2508.10925).
_WINDOWS = {"gpt-oss": (128, 0.5)}
_NEEDED = ("step_s", "layers", "hidden", "heads", "gbs", "tp", "pp", "dp", "gpus", "seq")
_SIZES = ("vpp", "cp", "ep", "etp", "mbs")
_MOST = 1e12


class PublishedRun(msgspec.Struct, frozen=True, kw_only=True):
    """One row: the run, or why there is none, and what was measured."""

    id: str
    group: str
    cluster_key: str
    source: str
    run: RunSpec | None
    reason: str = ""
    step_s: float = 0.0
    memory_gib: float = 0.0
    row: dict[str, str]


def read_runs(path: str | None = None) -> list[PublishedRun]:
    """Read the shipped runs, or those of a CSV file with the same columns.

    Raises:
        InvalidInput: the file cannot be read, or lacks a column.
    """
    if path is None:
        text = read_data("runs.csv")
    else:
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"runs file {path!r} cannot be read: {error}") from None
    reader = csv.DictReader(io.StringIO(text))
    needed = ("id", "group", "model", "layers", "hidden", "gpu", "gpus", "precision", "gbs", "step_s")
    for column in needed:
        if column not in (reader.fieldnames or []):
            raise InvalidInput(
                f"runs file {path or 'runs.csv'!r} has no column {column!r}; it needs {', '.join(needed)}"
            )
    return [_published(row) for row in reader]


def _published(row: dict[str, str]) -> PublishedRun:
    row = {key: (value or "").strip() for key, value in row.items() if isinstance(key, str)}
    run, reason = None, _unscored(row)
    if not reason:
        try:
            run = run_of(row)
        except HubbubError as error:
            reason = str(error)
    return PublishedRun(
        id=row["id"],
        group=row["group"] or "none",
        cluster_key=f"{row['model']}|{row['gpu']}|{row['precision']}",
        source=row.get("source", ""),
        run=run,
        reason=reason,
        step_s=_float(row, "step_s") if not reason else 0.0,
        memory_gib=_float(row, "mem_gib") if row.get("mem_gib") and not reason else 0.0,
        row=row,
    )


def _unscored(row: dict[str, str]) -> str:
    """Say why a row cannot be scored, or nothing."""
    for field in _NEEDED + _SIZES:
        text = row.get(field, "")
        if not text and field in _NEEDED:
            return f"{field} is not published"
        try:
            value = float(text or 1)
        except ValueError:
            return f"{field} is {text!r}, not a number"
        if not 0 < value < _MOST:
            return f"{field} is {text!r}; it must be above 0, and below {_MOST:g}"
        if field != "step_s" and value % 1:
            return f"{field} is {text!r}; it must be a whole number"
    return ""


def _float(row: dict[str, str], key: str, default: float = 0.0) -> float:
    text = row.get(key, "")
    try:
        value = float(text) if text else default
    except ValueError:
        raise InvalidInput(f"{key} is {text!r}, not a number") from None
    if not math.isfinite(value):
        raise InvalidInput(f"{key} is {text!r}; it must be finite")
    return value


def _int(row: dict[str, str], key: str, default: int = 0) -> int:
    return int(_float(row, key, default))


def model_of(row: dict[str, str]) -> ModelSpec:
    """Return the model of a row. Raises InvalidInput: the shape cannot be."""
    layers, experts = _int(row, "layers"), _int(row, "n_experts")
    window, share = next((w for name, w in _WINDOWS.items() if row["model"].startswith(name)), (0, 0.0))
    mla = _MLA if "mla" in row.get("arch", "") else {}
    if row.get("arch", "") in ("moe-other", "hybrid-mamba-moe"):
        raise InvalidInput(f"arch {row['arch']!r} is not modelled")
    return ModelSpec(
        name=row["model"],
        num_layers=layers,
        hidden=_int(row, "hidden"),
        num_heads=_int(row, "heads"),
        num_kv_heads=_int(row, "kv_heads") or _int(row, "heads"),
        head_dim=_int(row, "head_dim") or _int(row, "hidden") // max(_int(row, "heads"), 1),
        ffn=_int(row, "dense_ffn") or _int(row, "ffn"),
        vocab=_int(row, "vocab", 50304),
        seq=_int(row, "seq"),
        is_gated=_int(row, "gated", 1) == 1,
        window=window,
        num_windowed_layers=round(layers * share),
        num_experts=experts,
        top_k=_int(row, "top_k"),
        moe_ffn=_int(row, "moe_ffn"),
        num_shared_experts=_int(row, "n_shared"),
        num_dense_layers=_int(row, "dense_layers"),
        source=row.get("source", ""),
        **mla,  # type: ignore[arg-type]
    )


def layout_of(row: dict[str, str]) -> Layout:
    """Return the layout of a row; an unknown recompute of a recipe counts as none."""
    recompute = row.get("recompute", "")
    known = ("selective-op", "selective-block", "selective", "full")
    zero = row.get("zero", "")
    tp = _int(row, "tp", 1)
    return Layout(
        tp=tp,
        pp=_int(row, "pp", 1),
        vpp=_chunks(row),
        cp=_int(row, "cp", 1),
        ep=_int(row, "ep", 1),
        etp=_int(row, "etp", 1),
        dp=_int(row, "dp", 1),
        zero=3 if zero == "hsdp" else _int(row, "zero"),
        shard=8 if zero == "hsdp" else 0,
        micro_batch=_micro_batch(row),
        recompute=next((k for k in known if recompute.startswith(k)), "none"),
        is_sequence_parallel=_is_sp(row),
    )


def _chunks(row: dict[str, str]) -> int:
    """Return the interleaved chunks a stage.

    Where the source tells of interleaving but not how many, a layer each (Llama 3, arXiv 2407.21783, section
    3.3.2).
    """
    if "VPP not stated" in row.get("notes", ""):
        return -(-_int(row, "layers") // _int(row, "pp", 1))
    return _int(row, "vpp", 1)


def _micro_batch(row: dict[str, str]) -> int:
    """Return the sequences of a micro batch.

    Where torchtitan's table does not state them under pipelining: as many micro batches as stages, its
    default (job config of 2024).
    """
    pp, dp = _int(row, "pp", 1), _int(row, "dp", 1)
    if "torchtitan" in row.get("software", "") and pp > 1 and "not stated" in row.get("notes", ""):
        return max(_int(row, "gbs") // (dp * pp), 1)
    return _int(row, "mbs", 1) or 1


def _is_sp(row: dict[str, str]) -> bool:
    if row.get("sp", ""):
        return row["sp"] == "1"
    return stack_of(row).has_sequence_parallelism


def _reached(row: dict[str, str]) -> float:
    """Return what NCCL reaches of a NIC's rate against what it reaches over InfiniBand.

    Over Jean Zay's Omni-Path one ring moved 5.06 GB/s through a NIC of 12.5, .40, where NCCL reaches 2/3 of
    InfiniBand (bigscience, experiments/bandwidth/all_reduce_bench-a100-n4.txt, four nodes of that machine).
    """
    return 0.6 if "omni-path" in row.get("network", "").lower() else 1.0


def run_of(row: dict[str, str]) -> RunSpec:
    """Return the run of a row of the published table. Raises InvalidInput: a value cannot be used."""
    gpu = find_gpu(row["gpu"])
    cluster = ClusterSpec(
        name=f"{row['gpu']} {row.get('network', '')}".strip(),
        gpu=gpu,
        nic_bytes_per_s=_float(row, "net_gbps_per_gpu", 200.0) * GBIT_BYTES * _reached(row),
        link_domain=_int(row, "nvlink_domain", 8),
        gpus_per_node=4 if _int(row, "nvlink_domain", 8) == 72 else 8,
        source=row.get("source", ""),
    )
    precision = row["precision"].lower()
    precision = choose("precision", _PRECISIONS.get(precision, precision), list(PRECISIONS))
    return RunSpec(
        model=model_of(row),
        cluster=cluster,
        layout=layout_of(row),
        global_batch=_int(row, "gbs"),
        precision=precision,
        stack=stack_of(row).name,
        seq=_int(row, "seq"),
        attention="flash" if row.get("attn", "flash").startswith("flash") else "unfused",
    )


def scoreable(runs: Sequence[PublishedRun], path: str | None = None) -> list[PublishedRun]:
    """Return the rows that can be scored. Raises InvalidInput: not one can; the message says why."""
    found = [run for run in runs if run.run is not None]
    if not found:
        reasons = "; ".join(f"{run.id}: {run.reason}" for run in runs[:3]) or "it has no rows"
        raise InvalidInput(f"no row of {path or 'runs.csv'!r} can be scored: {reasons}")
    return found
