"""Read recorded jobs from the tables that clusters publish; each column name tells which one it is.

Known: hubbub's own (`job_id, submit_s, tenant, gpus, run_s`), Helios and Philly as Helios published it
(`vc, gpu_num, submit_time, duration`), Acme (`type` for tenant), Alibaba's pods of 2023 (their run: from
`scheduled_time` to `deletion_time`), and the Standard Workload Format (Feitelson; `.swf`, processors as GPUs,
-1 for not known). All of a file is read or nothing: a bad line is named. Times without a zone are UTC.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn, TextIO

import msgspec

from hubbub.errors import InvalidInput, StorageError
from hubbub.fleet.jobs import Job
from hubbub.fleet.spec import FleetSpec

_NAMES = {
    "id": ("job_id", "jobid", "name"),
    "tenant": ("tenant", "vc", "type", "user", "qos"),
    "gpus": ("gpus", "gpu_num", "num_gpus", "num_gpu"),
    "submit": ("submit_s", "submit_time", "timestamp", "creation_time"),
    "run": ("run_s", "duration", "runtime", "deletion_time"),
}
_LATEST_S, _LONGEST_S = 1e11, 1e9
"""The year 5138; 31 years. Times in milliseconds since 1970 are above the first."""
_MOST_GPUS = 10_000_000


class _Row(msgspec.Struct, frozen=True, gc=False):
    line: int
    id: str
    tenant: str
    submit_s: float
    run_s: float
    gpus: float


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """Jobs in order of submission, the first at second 0, and what was left out."""

    jobs: list[Job]
    num_without_gpu: int = 0
    num_never_ran: int = 0
    num_shares_rounded: int = 0
    """Jobs on a part of a GPU, which count as one."""


def read_trace(path: str | Path, spec: FleetSpec | None = None) -> Trace:
    """Read a trace, gzipped or not; with a fleet, see that it can run every job and knows every tenant.

    Raises:
        StorageError: the file cannot be read.
        InvalidInput: a column is missing, or a value is no number, negative, beyond all reason, or an id that
            another line has; no pool ever has a job's GPUs; a fleet that names tenants does not name a job's.
            File, line, column and value are named.
    """
    path = Path(path)
    try:
        with _open(path) as lines:
            is_swf = path.name.removesuffix(".gz").endswith(".swf")
            rows = list((_swf_rows if is_swf else _csv_rows)(lines, path))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise StorageError(
            f"cannot read trace {str(path)!r}: {error}; copy it again, or unpack what is whole of it"
        ) from error
    except csv.Error as error:
        raise InvalidInput(f"trace {str(path)!r} is no table of columns: {error}") from error
    if not rows:
        raise InvalidInput(
            f"trace {str(path)!r} holds no job; give a file with a line for each below its header"
        )
    _refuse_doubles(rows, path)
    trace = _collect(rows)
    if not trace.jobs:
        raise InvalidInput(
            f"trace {str(path)!r} holds no job to run: {trace.num_without_gpu:,} ask for no GPU, "
            f"{trace.num_never_ran:,} never ran"
        )
    if spec is not None:
        _check_fleet(rows, spec, path)
    return trace


def _open(path: Path) -> TextIO:
    with path.open("rb") as file:
        is_packed = file.read(2) == b"\x1f\x8b"
    if is_packed:
        return io.TextIOWrapper(gzip.open(path), encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _collect(rows: list[_Row]) -> Trace:
    jobs: list[Job] = []
    without, never, shares = 0, 0, 0
    first_s = min(row.submit_s for row in rows)
    for row in sorted(rows, key=lambda row: row.submit_s):
        if row.gpus <= 0:
            without += 1
        elif row.run_s <= 0:
            never += 1
        else:
            shares += row.gpus % 1 > 0
            submit_s = row.submit_s - first_s
            jobs.append(
                Job(
                    id=row.id,
                    tenant=row.tenant,
                    gpus=-int(-row.gpus // 1),
                    submit_s=submit_s,
                    run_s=row.run_s,
                )
            )
    return Trace(jobs=jobs, num_without_gpu=without, num_never_ran=never, num_shares_rounded=shares)


def _refuse_doubles(rows: list[_Row], path: Path) -> None:
    lines: dict[str, int] = {}
    for row in rows:
        if (before := lines.setdefault(row.id, row.line)) != row.line:
            raise InvalidInput(
                f"{path}, line {row.line}: job {row.id!r} is on line {before} already; give each its own id"
            )


def _check_fleet(rows: list[_Row], spec: FleetSpec, path: Path) -> None:
    """Refuse what the fleet never runs, and who is none of its tenants, if it names any."""
    largest = max(pool.num_nodes * pool.gpus_per_node for pool in spec.pools)
    known = {tenant.name for tenant in spec.tenants}
    for row in rows:
        if row.gpus > largest:
            raise InvalidInput(
                f"{path}, line {row.line}: job {row.id!r} asks for {row.gpus:,.0f} GPUs; the fleet's largest "
                f"pool has {largest:,}: leave the job out or give a larger fleet"
            )
        if known and row.gpus > 0 and row.tenant not in known:
            raise InvalidInput(
                f"{path}, line {row.line}: tenant {row.tenant!r} is none of the fleet's "
                f"({', '.join(sorted(known))}); add it to the fleet's file as [[tenants]], or give --gpus "
                "instead of a fleet"
            )


def _csv_rows(lines: TextIO, path: Path) -> Iterator[_Row]:
    reader = csv.reader(lines)
    header = [name.strip().lower() for name in next(reader, [])]
    at = {field: _column(field, header, path) for field in _NAMES}
    submit, run, gpus = (at[field] for field in ("submit", "run", "gpus"))
    start = (
        header.index("scheduled_time")
        if header[run] == "deletion_time" and "scheduled_time" in header
        else None
    )
    for row in reader:
        line = reader.line_num
        if not row:
            continue
        if len(row) != len(header):
            raise InvalidInput(f"{path}, line {line}: {len(row)} columns; its header has {len(header)}")
        where = f"{path}, line {line}, column "
        submit_s = _time(row[submit], f"{where}{header[submit]!r}")
        if start is not None:
            run_s = _run_of_pod(row[start], row[run], f"{where}'deletion_time'")
        else:
            run_s = _number(row[run], f"{where}{header[run]!r}", _LONGEST_S, "seconds")
        asked = _number(row[gpus], f"{where}{header[gpus]!r}", _MOST_GPUS, "GPUs")
        if not row[at["id"]].strip():
            raise InvalidInput(f"{where}{header[at['id']]!r}: the job has no id; give it one")
        yield _Row(line, row[at["id"]], row[at["tenant"]] or "nobody", submit_s, run_s, asked)


def _column(field: str, header: list[str], path: Path) -> int:
    for name in _NAMES[field]:
        if name in header:
            return header.index(name)
    raise InvalidInput(
        f"{path} has no column for {field}: one of {', '.join(_NAMES[field])} (it has {', '.join(header)})"
    )


def _swf_rows(lines: TextIO, path: Path) -> Iterator[_Row]:
    for line, text in enumerate(lines, 1):
        cells = text.split()
        if not cells or cells[0].startswith(";"):
            continue
        if len(cells) < 18:
            raise InvalidInput(
                f"{path}, line {line}: {len(cells)} fields; the Standard Workload Format has 18"
            )
        submit, run, gpus = ("0" if cells[at] == "-1" else cells[at] for at in (1, 3, 4))
        where = f"{path}, line {line}, field "
        yield _Row(
            line,
            cells[0],
            f"group-{cells[12]}",
            _number(submit, f"{where}2 (submit time)", _LATEST_S, "seconds"),
            _number(run, f"{where}4 (run time)", _LONGEST_S, "seconds"),
            _number(gpus, f"{where}5 (processors)", _MOST_GPUS, "processors"),
        )


def _run_of_pod(start: str, end: str, where: str) -> float:
    """Return how long a pod ran; one that was not placed, or is not gone yet, never ran."""
    if not (start.strip() and end.strip()):
        return 0.0
    started_s, ended_s = _time(start, where), _time(end, where)
    if ended_s < started_s:
        _refuse(end, where, f"is before the start, {start!r}")
    return ended_s - started_s


def _time(text: str, where: str) -> float:
    """Return seconds of a number, or of a date as ISO 8601 writes it."""
    try:
        value = float(text)
    except ValueError:
        try:
            date = datetime.fromisoformat(text.strip())
        except ValueError:
            _refuse(text, where, "is no time in seconds and no date like 2026-11-22 20:30:00")
        value = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    return _within(value, text, where, _LATEST_S, "seconds; are these milliseconds?")


def _number(text: str, where: str, most: float, unit: str) -> float:
    try:
        value = float(text or 0)
    except ValueError:
        _refuse(text, where, "is not a number")
    return _within(value, text, where, most, unit)


def _within(value: float, text: str, where: str, most: float, unit: str) -> float:
    if not 0 <= value < float("inf"):
        _refuse(text, where, "must be 0 or more")
    if value > most:
        _refuse(text, where, f"is more than {most:,.0f} {unit}")
    return value


def _refuse(text: str, where: str, why: str) -> NoReturn:
    shown = text if len(text) <= 40 else f"{text[:40]}..."
    raise InvalidInput(f"{where}: {shown!r} {why}; correct the line or leave it out")
