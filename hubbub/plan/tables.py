"""Read the tables shipped in `data/`: rows as structs, and figures by key; it computes nothing."""

from __future__ import annotations

import csv
import io
from functools import cache
from typing import TypeVar

import msgspec

from hubbub.errors import Corruption
from hubbub.plan.estimate import Estimate
from hubbub.plan.hardware import read_data

Row = TypeVar("Row", bound=msgspec.Struct)


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One published figure, its 80% bounds where there are any, and where it comes from."""

    key: str
    value: float
    low: float | None
    high: float | None
    unit: str
    source: str
    verified: str


def read_table(name: str, row_type: type[Row]) -> list[Row]:
    """Read a shipped CSV file; an empty cell is None, or the field's default where None is not allowed.

    Raises:
        Corruption: a row does not fit its type; the message names the file and the line.
    """
    rows = []
    for number, cells in enumerate(csv.DictReader(io.StringIO(read_data(name))), start=2):
        try:
            values = {key: value or None for key, value in cells.items()}
            rows.append(msgspec.convert(values, row_type, strict=False))
        except msgspec.ValidationError as error:
            raise Corruption(f"{name} line {number}: {error}; install hubbub again") from None
    return rows


@cache
def figures() -> dict[str, Figure]:
    """Return every figure of `economics.csv` by its key."""
    return {row.key: row for row in read_table("economics.csv", Figure)}


def figure(key: str) -> float:
    """Return the value of a figure."""
    return figures()[key].value


def bounded(key: str) -> Estimate:
    """Return a figure with its bounds; without any, the bounds are the value."""
    row = figures()[key]
    low = row.value if row.low is None else row.low
    high = row.value if row.high is None else row.high
    return Estimate(low=low, mid=row.value, high=high)
