"""How every benchmark speaks: one table on stdout, or JSON on request."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence

from hubbub.cli.output import format_table


def show(rows: Sequence[Mapping[str, object]], as_json: bool) -> None:
    """Print rows (all with the keys of the first) as a table, or as one JSON list."""
    if as_json:
        print(json.dumps([dict(row) for row in rows]))
        return
    header = list(rows[0])
    print(format_table(header, [[_short(row[key]) for key in header] for row in rows]))
    print(f"\n{platform.machine()}, {cores()} cores, Python {platform.python_version()}")


def cores() -> int:
    """Count the cores that this process may use."""
    import os

    return len(os.sched_getaffinity(0))


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value below which `percent` of the values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(len(ordered) * percent) // 100) - 1))]


def _short(value: object) -> object:
    return round(value, 3) if isinstance(value, float) else value
