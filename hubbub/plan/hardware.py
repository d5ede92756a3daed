"""Accelerators and clusters by name or from a TOML file; it holds no model of time.

Every figure stands in `data/gpus.toml` and `data/clusters.toml`, with its source.
"""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from hubbub.errors import InvalidInput
from hubbub.specs import ClusterSpec, GpuSpec

GIB = 1024.0**3
GBIT_BYTES = 1e9 / 8


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
def gpus() -> dict[str, GpuSpec]:
    """Return every built-in accelerator by name."""
    return {name: _gpu(name, row) for name, row in tomllib.loads(read_data("gpus.toml")).items()}


@cache
def clusters() -> dict[str, ClusterSpec]:
    """Return every built-in cluster by name."""
    return {name: _cluster(name, row) for name, row in tomllib.loads(read_data("clusters.toml")).items()}


def find_gpu(name: str) -> GpuSpec:
    """Return a built-in accelerator.

    Raises:
        InvalidInput: no such name.
    """
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
    return GpuSpec(
        name=name,
        memory_bytes=number(row, "memory_gib", f"GPU {name!r}") * GIB,
        memory_bytes_per_s=number(row, "memory_tb_s", f"GPU {name!r}") * 1e12,
        peak_flops={p: number(row["peak_tflops"], p, f"GPU {name!r}") * 1e12 for p in row["peak_tflops"]},
        link_bytes_per_s=number(row, "link_gb_s", f"GPU {name!r}") * 1e9,
        tdp_w=number(row, "tdp_w", f"GPU {name!r}"),
        gemm=str(row.get("gemm", "h100_sxm")),
        source=str(row.get("source", "")),
    )


def _cluster(name: str, row: dict[str, Any]) -> ClusterSpec:
    row = dict(row)
    given = row.pop("gpu", None)
    if given is None:
        raise InvalidInput(f"cluster {name!r}: gpu is missing; name one of {', '.join(gpus())}")
    gpu = _gpu(f"{name}-gpu", given) if isinstance(given, dict) else find_gpu(str(given))
    nic = number(row, "nic_gb_s", f"cluster {name!r}") * GBIT_BYTES
    row.pop("nic_gb_s")
    known = set(ClusterSpec.__struct_fields__) - {"name", "gpu", "nic_bytes_per_s"}
    for key in row:
        if key not in known:
            choose(f"cluster {name!r}: key", key, sorted(known | {"gpu", "nic_gb_s"}))
    return ClusterSpec(name=name, gpu=gpu, nic_bytes_per_s=nic, **row)


def number(row: dict[str, Any], key: str, where: str) -> float:
    """Return a positive number of a table.

    Raises:
        InvalidInput: it is missing, not a number, or not above 0.
    """
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise InvalidInput(f"{where}: {key} is {value!r}; it must be a number above 0")
    return float(value)
