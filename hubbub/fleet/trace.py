"""Read recorded jobs from the tables that clusters publish; each column name tells which one it is.

Known: hubbub's own (`job_id, submit_s, tenant, gpus, run_s`), Helios and Philly as Helios published it
(`vc, gpu_num, submit_time, duration`), Acme (`type` for tenant), Alibaba's pods, and the Standard Workload
Format (Feitelson; `.swf`, processors as GPUs). All of a file is read or nothing: a bad line is named.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TextIO

import msgspec

from hubbub.errors import InvalidInput, StorageError
from hubbub.fleet.jobs import Job

_NAMES = {
    "id": ("job_id", "jobid", "name"),
    "tenant": ("tenant", "vc", "type", "user", "qos"),
    "gpus": ("gpus", "gpu_num", "num_gpus"),
    "submit": ("submit_s", "submit_time", "timestamp", "creation_time"),
    "run": ("run_s", "duration", "runtime"),
}


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """Jobs in order of submission, the first at second 0, and what was left out."""

    jobs: list[Job]
    num_without_gpu: int = 0
    num_never_ran: int = 0
    num_shares_rounded: int = 0
    """Jobs on a part of a GPU, which count as one."""


def read_trace(path: str | Path) -> Trace:
    """Read a trace, gzipped or not.

    Raises:
        StorageError: the file cannot be read.
        InvalidInput: a column is missing, or a value is no number, negative or infinite; file, line and
            column are named.
    """
    path = Path(path)
    try:
        with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="") as lines:
            is_swf = path.name.removesuffix(".gz").endswith(".swf")
            rows = list((_swf_rows if is_swf else _csv_rows)(lines, path))
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise StorageError(f"cannot read trace {str(path)!r}: {error}") from error
    if not rows:
        raise InvalidInput(f"trace {str(path)!r} holds no job")
    return _collect(rows)


def _collect(rows: list[tuple[str, str, float, float, float]]) -> Trace:
    jobs: list[Job] = []
    without, never, shares = 0, 0, 0
    first_s = min(submit for _, _, submit, _, _ in rows)
    for identity, tenant, submit, run, gpus in sorted(rows, key=lambda row: row[2]):
        if gpus <= 0:
            without += 1
        elif run <= 0:
            never += 1
        else:
            shares += gpus % 1 > 0
            jobs.append(
                Job(id=identity, tenant=tenant, gpus=-int(-gpus // 1), submit_s=submit - first_s, run_s=run)
            )
    return Trace(jobs=jobs, num_without_gpu=without, num_never_ran=never, num_shares_rounded=shares)


def _csv_rows(lines: TextIO, path: Path) -> Iterator[tuple[str, str, float, float, float]]:
    reader = csv.reader(lines)
    header = [name.strip().lower() for name in next(reader, [])]
    at = {field: _column(field, header, path) for field in _NAMES}
    for line, row in enumerate(reader, 2):
        if not row:
            continue
        if len(row) != len(header):
            raise InvalidInput(f"{path}, line {line}: {len(row)} columns; its header has {len(header)}")

        def number(field: str, read: Callable[[str], float], line: int = line, row: list[str] = row) -> float:
            return _number(row[at[field]], read, f"{path}, line {line}, column {header[at[field]]!r}")

        yield (
            row[at["id"]],
            row[at["tenant"]] or "nobody",
            number("submit", _read_time),
            number("run", lambda text: float(text or 0)),
            number("gpus", lambda text: float(text or 0)),
        )


def _column(field: str, header: list[str], path: Path) -> int:
    for name in _NAMES[field]:
        if name in header:
            return header.index(name)
    raise InvalidInput(
        f"{path} has no column for {field}: one of {', '.join(_NAMES[field])} (it has {', '.join(header)})"
    )


def _swf_rows(lines: TextIO, path: Path) -> Iterator[tuple[str, str, float, float, float]]:
    for number, line in enumerate(lines, 1):
        cells = line.split()
        if not cells or cells[0].startswith(";"):
            continue
        if len(cells) < 18:
            raise InvalidInput(
                f"{path}, line {number}: {len(cells)} fields; the Standard Workload Format has 18"
            )
        where = f"{path}, line {number}"
        submit, run, used = (_number(cells[i], lambda text: max(float(text), 0.0), where) for i in (1, 3, 4))
        yield cells[0], f"group-{cells[12]}", submit, run, used


def _read_time(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return datetime.fromisoformat(text).timestamp()


def _number(text: str, read: Callable[[str], float], where: str) -> float:
    try:
        value = read(text)
    except ValueError:
        raise InvalidInput(f"{where}: {text!r} is not a number; correct the line or leave it out") from None
    if not 0 <= value < float("inf"):
        raise InvalidInput(f"{where}: {text!r} must be 0 or more; correct the line or leave it out")
    return value
