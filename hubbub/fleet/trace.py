"""Read recorded jobs, all of a file or nothing: a bad line is named. `tables.py` knows the formats."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from pathlib import Path
from typing import TextIO

import msgspec

from hubbub.errors import InvalidInput, StorageError
from hubbub.fleet.jobs import Job
from hubbub.fleet.spec import FleetSpec
from hubbub.fleet.tables import Row, rows_of


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
            rows = list(rows_of(lines, path))
    except FileNotFoundError:
        raise InvalidInput(f"there is no trace {str(path)!r}: look at the name") from None
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


def _collect(rows: list[Row]) -> Trace:
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


def _refuse_doubles(rows: list[Row], path: Path) -> None:
    before: dict[str, Row] = {}
    for row in rows:
        if (other := before.setdefault(row.id, row)) is not row:
            raise InvalidInput(
                f"{path}, {row.place}: job {row.id!r} is on {other.place} already; give each its own id"
            )


def _check_fleet(rows: list[Row], spec: FleetSpec, path: Path) -> None:
    """Refuse what the fleet never runs, and who is none of its tenants, if it names any."""
    largest = max(pool.num_nodes * pool.gpus_per_node for pool in spec.pools)
    known = {tenant.name for tenant in spec.tenants}
    for row in rows:
        if row.gpus > largest:
            raise InvalidInput(
                f"{path}, {row.place}: job {row.id!r} asks for {row.gpus:,.0f} GPUs; the fleet's largest "
                f"pool has {largest:,}: leave the job out or give a larger fleet"
            )
        if known and row.gpus > 0 and row.tenant not in known:
            raise InvalidInput(
                f"{path}, {row.place}: tenant {row.tenant!r} is none of the fleet's "
                f"({', '.join(sorted(known))}); add it to the fleet's file as [[tenants]], or give --gpus "
                "instead of a fleet"
            )
