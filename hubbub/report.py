"""One self-contained page: its figures, its pictures, the table behind each; it computes nothing.

The page has no script and asks for nothing: its policy forbids both. It follows the reader's light or dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path

import msgspec

from hubbub.drawing import swatch, tag
from hubbub.errors import StorageError

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """One chart; `keys` name its colours in order, `finding` says in words what it shows."""

    title: str
    finding: str
    svg: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    keys: tuple[str, ...] = ()
    is_lines: bool = True
    note: str = ""


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One figure at the top of the page; `band` is its 80% band in words."""

    name: str
    value: str
    band: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a page tells, from top to bottom; `sources` say where its figures come from."""

    title: str
    lead: str
    facts: tuple[Fact, ...]
    pictures: tuple[Picture, ...]
    samples: tuple[str, ...] = ()
    """Texts of others, shown as they are."""
    sources: tuple[str, ...] = ()
    note: str = ""
    """What must be known to read the figures."""


def write_report(report: Report, path: Path) -> None:
    """Write the page.

    Raises:
        StorageError: the file cannot be written.
    """
    try:
        path.write_text(format_report(report), encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"report {str(path)!r} cannot be written: {error.strerror}; name another file"
        ) from None


def format_report(report: Report) -> str:
    """Return the page as HTML."""
    head = [
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        '<link rel="icon" href="data:,">',
        tag("title", escape(report.title)),
        f"<style>{_style()}</style>",
    ]
    body = [
        tag("header", tag("h1", escape(report.title)) + tag("p", escape(report.lead), class_="lead")),
        _facts(report.facts),
        tag("main", "".join(_figure(n, each) for n, each in enumerate(report.pictures))),
        _samples(report.samples),
        _footer(report),
    ]
    parts = tag("head", "".join(head)) + "\n" + tag("body", "".join(body))
    return "<!doctype html>\n" + tag("html", parts, lang="en") + "\n"


@cache
def _style() -> str:
    return (files("hubbub") / "report.css").read_text(encoding="ascii")


def _facts(facts: Sequence[Fact]) -> str:
    if not facts:
        return ""
    cells = [
        tag(
            "div",
            tag("dt", escape(fact.name))
            + tag("dd", escape(fact.value) + (tag("small", escape(fact.band)) if fact.band else "")),
        )
        for fact in facts
    ]
    return tag("dl", "".join(cells), class_="facts")


def _figure(number: int, picture: Picture) -> str:
    keys = "".join(
        tag("li", swatch(n, is_line=picture.is_lines) + escape(key)) for n, key in enumerate(picture.keys)
    )
    chart = tag("div", picture.svg, role="img", aria_label=f"{picture.title}. {picture.finding}")
    parts = [
        tag("h2", escape(picture.title), id=f"picture-{number}"),
        tag("figcaption", escape(picture.finding)),
        chart,
        tag("ul", keys, class_="keys") if keys else "",
        tag("p", escape(picture.note), class_="aside") if picture.note else "",
        _table(picture),
    ]
    return tag("figure", "".join(parts), aria_labelledby=f"picture-{number}")


def _table(picture: Picture) -> str:
    head = "".join(tag("th", escape(name), scope="col") for name in picture.header)
    rows = []
    for row in picture.rows:
        first, *rest = row
        cells = tag("th", escape(first), scope="row") + "".join(tag("td", escape(cell)) for cell in rest)
        rows.append(tag("tr", cells))
    table = tag("thead", tag("tr", head)) + tag("tbody", "".join(rows))
    label = f"Figures: {picture.title}"
    scroll = tag("div", tag("table", table), class_="scroll", tabindex="0", role="region", aria_label=label)
    return tag("details", tag("summary", "Figures") + scroll)


def _samples(samples: Sequence[str]) -> str:
    told = "".join(tag("li", escape(each), dir="auto") for each in samples)
    return tag("section", tag("h2", "Samples") + tag("ul", told), class_="samples") if told else ""


def _footer(report: Report) -> str:
    told = "".join(tag("li", escape(each)) for each in report.sources)
    note = tag("p", escape(report.note)) if report.note else ""
    return tag("footer", note + (tag("h2", "Where it comes from") + tag("ul", told) if told else ""))
