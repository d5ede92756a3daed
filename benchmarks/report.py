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
    machine = f"{platform.machine()}, {cores()} cores, Python {platform.python_version()}"
    print(f"\n{machine}{_describe_theft()}")


def _describe_theft() -> str:
    """Say how much of the machine others took meanwhile: on a rented one a run is worth no more than this."""
    stolen, total = (after - before for after, before in zip(_processor_ticks(), _AT_START, strict=True))
    return f"; {100 * stolen / total:.0f} % of the processor's time taken by its host" if total else ""


def _processor_ticks() -> tuple[int, int]:
    """Return the ticks that the hypervisor stole, and all of them; zeros where the system does not tell."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            ticks = [int(number) for number in file.readline().split()[1:9]]
    except OSError:
        return 0, 0
    return ticks[7], sum(ticks)


_AT_START = _processor_ticks()


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
