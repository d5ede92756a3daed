"""The rows of recorded jobs in the tables that clusters publish; what becomes of them is `trace.py`'s.

Column names tell a table's format:

| format | id | tenant | GPUs | from | for |
|---|---|---|---|---|---|
| hubbub | job_id | tenant | gpus | submit_s | run_s |
| Helios, and Philly as Helios published it | job_id | vc | gpu_num | submit_time | duration |
| Acme | job_id | type | gpu_num | submit_time | duration |
| Alibaba PAI 2020 (its simulator's) | job_id | user | num_gpu x num_inst | submit_time | duration |
| Alibaba pods 2023 | name | qos | num_gpu | creation_time | from scheduled_time to deletion_time |
| Alibaba spot 2026 | job_name | organization | gpu_request x worker_num | submit_time | duration |

Philly as Microsoft published it is a JSON list: a job runs for all its attempts; the largest tells its GPUs.
The Standard Workload Format (Feitelson; `.swf`) has processors for GPUs, and -1 for what is not known. Times
without a zone are UTC.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import NoReturn, TextIO

import msgspec

from hubbub.errors import InvalidInput

_NAMES = {
    "id": ("job_id", "jobid", "job_name", "name"),
    "tenant": ("tenant", "vc", "organization", "type", "user", "qos"),
    "gpus": ("gpus", "gpu_num", "num_gpus", "num_gpu", "gpu_request"),
    "submit": ("submit_s", "submit_time", "timestamp", "creation_time"),
    "run": ("run_s", "duration", "runtime", "deletion_time"),
}
_TIMES_GPUS = ("num_inst", "worker_num")
_LATEST_S, _LONGEST_S = 1e11, 1e9
"""The year 5138; 31 years. Times in milliseconds since 1970 are above the first."""
_MOST_GPUS = 10_000_000


class Row(msgspec.Struct, frozen=True, gc=False):
    """One job as a table tells it."""

    line: int
    """In the file; below 0: the number of its entry in a list."""
    id: str
    tenant: str
    submit_s: float
    run_s: float
    gpus: float

    @property
    def place(self) -> str:
        """Say where it stands."""
        return f"line {self.line}" if self.line > 0 else f"entry {-self.line}"


def rows_of(lines: TextIO, path: Path) -> Iterator[Row]:
    """Yield the jobs of a table or list; `path` is for messages, and tells the Standard Workload Format.

    Raises:
        InvalidInput: as `trace.read_trace`.
    """
    if path.name.removesuffix(".gz").endswith(".swf"):
        return _swf_rows(lines, path)
    first = lines.readline()
    if first.lstrip().startswith("["):
        return _philly_rows(first + lines.read(), path)
    return _csv_rows(lines, path, first)


class _Detail(msgspec.Struct):
    gpus: list[str] = []


class _Attempt(msgspec.Struct):
    start_time: str | None = None
    end_time: str | None = None
    detail: list[_Detail] = []


class _PhillyJob(msgspec.Struct):
    jobid: str
    vc: str
    submitted_time: str
    attempts: list[_Attempt] = []


def _philly_rows(text: str, path: Path) -> Iterator[Row]:
    try:
        jobs = msgspec.json.decode(text, type=list[_PhillyJob])
    except msgspec.DecodeError as error:
        raise InvalidInput(f"trace {str(path)!r} is no list of Philly's jobs: {error}") from error
    for number, job in enumerate(jobs, 1):
        try:
            yield _philly_row(-number, job)
        except InvalidInput as error:
            raise InvalidInput(f"{path}, entry {number}, {error}") from None


def _philly_row(line: int, job: _PhillyJob) -> Row:
    run_s, gpus = 0.0, 0
    for attempt in job.attempts:
        run_s += _between(attempt.start_time or "", attempt.end_time or "", "'end_time'")
        gpus = max(gpus, sum(len(detail.gpus) for detail in attempt.detail))
    return Row(line, job.jobid, job.vc, _time(job.submitted_time, "'submitted_time'"), run_s, gpus)


def _csv_rows(lines: TextIO, path: Path, first: str) -> Iterator[Row]:
    reader = csv.reader(chain([first], lines))
    header = [name.strip().lower() for name in next(reader, [])]
    read = _reader_of(header, path)
    for row in reader:
        if row:
            try:
                yield read(reader.line_num, row)
            except InvalidInput as error:
                raise InvalidInput(f"{path}, line {reader.line_num}{error}") from None


def _reader_of(header: list[str], path: Path) -> Callable[[int, list[str]], Row]:
    """Return what reads a line of a table with such a header; its errors begin after the line's number."""
    at = {field: _column(field, header, path) for field in _NAMES}
    name, tenant, submit, run, gpus = (at[field] for field in ("id", "tenant", "submit", "run", "gpus"))
    told = [f", column {title!r}" for title in header]
    is_pod = header[run] == "deletion_time" and "scheduled_time" in header
    start = header.index("scheduled_time") if is_pod else None
    workers = next((header.index(title) for title in _TIMES_GPUS if title in header), None)

    def read(line: int, row: list[str]) -> Row:
        if len(row) != len(header):
            raise InvalidInput(f": {len(row)} columns; its header has {len(header)}")
        if not row[name].strip():
            raise InvalidInput(f"{told[name]}: the job has no id; give it one")
        submit_s = _time(row[submit], told[submit])
        if start is None:
            run_s = _number(row[run], told[run], _LONGEST_S, "seconds")
        else:
            run_s = _between(row[start], row[run], told[run])
        asked = _number(row[gpus], told[gpus], _MOST_GPUS, "GPUs")
        if workers is not None:
            asked *= _number(row[workers], told[workers], _MOST_GPUS, "workers")
        return Row(line, row[name], row[tenant] or "nobody", submit_s, run_s, asked)

    return read


def _column(field: str, header: list[str], path: Path) -> int:
    for name in _NAMES[field]:
        if name in header:
            return header.index(name)
    raise InvalidInput(
        f"{path} has no column for {field}: one of {', '.join(_NAMES[field])} (it has {', '.join(header)})"
    )


def _swf_rows(lines: TextIO, path: Path) -> Iterator[Row]:
    for line, text in enumerate(lines, 1):
        cells = text.split()
        if not cells or cells[0].startswith(";"):
            continue
        if len(cells) < 18:
            raise InvalidInput(
                f"{path}, line {line}: {len(cells)} fields; the Standard Workload Format has 18"
            )
        submit, run, gpus = ("0" if cells[at] == "-1" else cells[at] for at in (1, 3, 4))
        try:
            yield Row(
                line,
                cells[0],
                f"group-{cells[12]}",
                _number(submit, "field 2 (submit time)", _LATEST_S, "seconds"),
                _number(run, "field 4 (run time)", _LONGEST_S, "seconds"),
                _number(gpus, "field 5 (processors)", _MOST_GPUS, "processors"),
            )
        except InvalidInput as error:
            raise InvalidInput(f"{path}, line {line}, {error}") from None


def _between(start: str, end: str, what: str) -> float:
    """Return how long something ran; what was not started, or has not ended yet, never ran."""
    if {start.strip(), end.strip()} & {"", "None"}:
        return 0.0
    started_s, ended_s = _time(start, what), _time(end, what)
    if ended_s < started_s:
        _refuse(end, what, f"is before the start, {start!r}")
    return ended_s - started_s


def _time(text: str, what: str) -> float:
    """Return seconds of a number, or of a date as ISO 8601 writes it."""
    try:
        value = float(text)
    except ValueError:
        try:
            date = datetime.fromisoformat(text.strip())
        except ValueError:
            _refuse(text, what, "is no time in seconds and no date like 2026-11-22 20:30:00")
        value = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    if not 0 <= value <= _LATEST_S:
        _refuse(text, what, _beyond(value, _LATEST_S, "seconds; are these milliseconds?"))
    return value


def _number(text: str, what: str, most: float, unit: str) -> float:
    try:
        value = float(text or 0)
    except ValueError:
        _refuse(text, what, "is not a number")
    if not 0 <= value <= most:
        _refuse(text, what, _beyond(value, most, unit))
    return value


def _beyond(value: float, most: float, unit: str) -> str:
    return f"is more than {most:,.0f} {unit}" if most < value < float("inf") else "must be 0 or more"


def _refuse(text: str, what: str, why: str) -> NoReturn:
    shown = text if len(text) <= 40 else f"{text[:40]}..."
    raise InvalidInput(f"{what}: {shown!r} {why}; correct the line or leave it out")
