"""Accelerators and clusters by name or from a TOML file; it holds no model of time.

Every figure stands in `data/gpus.toml` and `data/clusters.toml`, with its source.
"""

from __future__ import annotations

import csv
import tomllib
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from hubbub.errors import InvalidInput
from hubbub.specs import PRECISIONS, ClusterSpec, GpuSpec

GIB = 1024.0**3
GBIT_BYTES = 1e9 / 8
_GPU_KEYS = ["memory_gib", "memory_tb_s", "peak_tflops", "link_gb_s", "tdp_w", "gemm", "source"]
_CLUSTER_KEYS = sorted({*ClusterSpec.__struct_fields__, "nic_gb_s"} - {"name", "nic_bytes_per_s"})


@cache
def read_data(name: str) -> str:
    """Return the text of a data file that ships with this room."""
    return (files("hubbub.plan") / "data" / name).read_text(encoding="utf-8")


def choose(kind: str, name: str, known: list[str]) -> str:
    """Return the known name that was meant.

    Raises:
        InvalidInput: it is not known; the message names the nearest.
    """
    wanted = name.strip().lower()
    if wanted in known:
        return wanted
    near = get_close_matches(wanted, known, n=1, cutoff=0.0) or known[:1]
    raise InvalidInput(f"{kind} {name!r} is not known; the nearest is {near[0]!r}, of {', '.join(known)}")


@cache
def measured_systems() -> list[str]:
    """Return the names of the systems whose matrix products were measured."""
    return sorted({row["system"] for row in csv.DictReader(read_data("gemm_fit.csv").splitlines())})


@cache
def gpus() -> dict[str, GpuSpec]:
    """Return every built-in accelerator by name."""
    return {name: _gpu(name, row) for name, row in tomllib.loads(read_data("gpus.toml")).items()}


@cache
def clusters() -> dict[str, ClusterSpec]:
    """Return every built-in cluster by name."""
    return {name: _cluster(name, row) for name, row in tomllib.loads(read_data("clusters.toml")).items()}


def find_gpu(name: str) -> GpuSpec:
    """Return a built-in accelerator. Raises InvalidInput: no such name."""
    return gpus()[choose("GPU", name, list(gpus()))]


def find_cluster(name: str) -> ClusterSpec:
    """Return a built-in cluster, or the one that a TOML file describes.

    The file has the keys of `data/clusters.toml` at its top, and may have a table `[gpu]` with those of
    `data/gpus.toml` in place of the name of a GPU.

    Raises:
        InvalidInput: no such name, or the file cannot be used.
    """
    if not name.endswith(".toml"):
        return clusters()[choose("cluster", name, list(clusters()))]
    path = Path(name)
    try:
        return _cluster(path.stem, tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"cluster file {name!r} cannot be read: {error}") from None


def _gpu(name: str, row: dict[str, Any]) -> GpuSpec:
    where = f"GPU {name!r}"
    for key in row:
        choose(f"{where}: key", key, _GPU_KEYS)
    peaks = row.get("peak_tflops")
    if not isinstance(peaks, dict) or not peaks:
        raise InvalidInput(f"{where}: peak_tflops is {peaks!r}; give a table, as {{ bf16 = 989 }}")
    return GpuSpec(
        name=name,
        memory_bytes=number(row, "memory_gib", where) * GIB,
        memory_bytes_per_s=number(row, "memory_tb_s", where) * 1e12,
        peak_flops={
            choose(f"{where}: precision", p, list(PRECISIONS)): number(peaks, p, where) * 1e12 for p in peaks
        },
        link_bytes_per_s=number(row, "link_gb_s", where) * 1e9,
        tdp_w=number(row, "tdp_w", where),
        gemm=choose(f"{where}: gemm", str(row.get("gemm", "h100_sxm")), measured_systems()),
        source=str(row.get("source", "")),
    )


def _cluster(name: str, row: dict[str, Any]) -> ClusterSpec:
    where = f"cluster {name!r}"
    for key in row:
        choose(f"{where}: key", key, _CLUSTER_KEYS)
    if (given := row.get("gpu")) is None:
        raise InvalidInput(f"{where}: gpu is missing; name one of {', '.join(gpus())}")
    gpu = _gpu(f"{name}-gpu", given) if isinstance(given, dict) else find_gpu(str(given))
    nic = number(row, "nic_gb_s", where) * GBIT_BYTES
    fields = {key: value for key, value in row.items() if key != "nic_gb_s"}
    known = {"name": name, "gpu": msgspec.to_builtins(gpu), "nic_bytes_per_s": nic}
    try:
        return msgspec.convert({**fields, **known}, ClusterSpec)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{where}: {error}") from None


def number(row: dict[str, Any], key: str, where: str) -> float:
    """Return a positive number of a table.

    Raises:
        InvalidInput: it is missing, not a number, or not above 0.
    """
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise InvalidInput(f"{where}: {key} is {value!r}; it must be a number above 0")
    return float(value)
