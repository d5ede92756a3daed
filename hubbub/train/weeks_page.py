"""The page of weekly releases: how fast they age, as pictures and tables; it measures nothing."""

from __future__ import annotations

from pathlib import Path

from hubbub.drawing import NUM_COLORS, Line, line_chart, linear_axis
from hubbub.report import Fact, Picture, Report, write_report
from hubbub.train.weeks import Aged
from hubbub.units import format_time


def write_page(found: Aged, path: Path) -> None:
    """Write the page.

    Raises:
        StorageError: the file cannot be written.
    """
    staleness = found.staleness
    report = Report(
        title="Weekly releases",
        lead=f"{len(found.bits)} releases, each measured on posts of every week that none was trained on.",
        facts=(
            Fact(
                name="newest release on its own week", value=f"{found.bits[-1][-1]:.3f}", band="bits per byte"
            ),
            Fact(name="a week later", value=f"{staleness[1]:+.4f}", band="bits per byte, mean"),
        ),
        pictures=(_matrix(found), _staleness(staleness)),
        note="Bits per byte: what a model needs to write a byte of text down; less is better. Releases are "
        "annealed branches of one trunk; weeks differ in how hard their posts are to predict.",
    )
    write_report(report, path)


def _matrix(found: Aged) -> Picture:
    days = [format_time(start)[:10] for start in found.starts_us]
    shown = found.bits[-NUM_COLORS:]
    keys = tuple(f"release of {day}" for day in days[-NUM_COLORS:])
    lines = [
        Line(name=key, points=tuple((float(week), value) for week, value in enumerate(row)))
        for key, row in zip(keys, shown, strict=True)
    ]
    values = [value for row in shown for value in row]
    return Picture(
        title="Each release on each week's posts",
        finding=f"From {min(values):.3f} to {max(values):.3f} bits per byte.",
        svg=line_chart(
            lines,
            linear_axis("week of the posts", [float(len(days) - 1)]),
            linear_axis("bits per byte", values, from_zero=False),
        ),
        header=("release", *days),
        rows=tuple(
            (day, *(f"{value:.4f}" for value in row)) for day, row in zip(days, found.bits, strict=True)
        ),
        keys=keys,
    )


def _staleness(staleness: tuple[float, ...]) -> Picture:
    points = tuple((float(age), value) for age, value in enumerate(staleness))
    return Picture(
        title="What waiting costs",
        finding=f"After {len(points) - 1} releases the first needs {staleness[-1]:+.4f} bits per byte more "
        "than the one of that week.",
        svg=line_chart(
            [Line(name="extra", points=points)],
            linear_axis("releases behind", [float(len(points) - 1)]),
            linear_axis("extra bits per byte", list(staleness)),
        ),
        header=("releases behind", "extra bits per byte"),
        rows=tuple((str(age), f"{value:+.4f}") for age, value in enumerate(staleness)),
    )
