"""Draw charts as inline SVG whose colours come from the page; it knows no machines and writes no page.

Charts are 400 units wide, so that their text stays readable on a phone. Lines differ in dashes and bars in
patterns of lightness as well as in colour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import msgspec

WIDTH, HEIGHT = 400.0, 250.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 10.0, 12.0, 40.0
_BAR_LEFT = 96.0  # names stand there
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "12 4", "4 2", "1 2", "6 6")
NUM_COLORS = 8


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    """One axis: its name with the unit, its ends, and what is written at its ticks."""

    label: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    is_log: bool = False

    def place(self, value: float) -> float:
        """Return where a value lies, 0 to 1."""
        low, high = (math.log(self.low), math.log(self.high)) if self.is_log else (self.low, self.high)
        at = math.log(max(value, self.low)) if self.is_log else value
        return min(1.0, max(0.0, (at - low) / (high - low))) if high > low else 0.0


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line through points, with its 80% band if any; where stepped, a point ends what held until it."""

    name: str
    points: tuple[tuple[float, float], ...]
    band: tuple[tuple[float, float, float], ...] = ()
    is_stepped: bool = False


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """A place on a chart worth a word; without a y, a line from top to bottom."""

    x: float
    text: str
    y: float | None = None


class Dot(msgspec.Struct, frozen=True, kw_only=True):
    """One point of a scatter; hollow ones do not fit."""

    x: float
    y: float
    text: str
    is_hollow: bool = False


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One bar of parts, each by the number of its colour; `text` stands behind it."""

    label: str
    parts: tuple[tuple[int, float], ...]
    text: str = ""


def nice_ticks(low: float, high: float, num: int = 5) -> list[float]:
    """Return round values from below the lowest to above the highest (1, 2 or 5 times a power of ten)."""
    span = max(high - low, abs(high) * 1e-9, 1e-12)
    power = 10.0 ** math.floor(math.log10(span / num))
    step = next(power * n for n in (1, 2, 5, 10) if span / (power * n) <= num)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(n * step, 12) for n in range(first, last + 1)]


def linear_axis(label: str, values: Sequence[float], *, from_zero: bool = True) -> Axis:
    """Return an axis with round ticks that holds all values."""
    low, high = min([*values, 0.0] if from_zero else values), max(values)
    ticks = nice_ticks(low, high if high > low else low + 1)
    return Axis(label=label, low=ticks[0], high=ticks[-1], ticks=tuple((t, short(t)) for t in ticks))


def log_axis(label: str, low: float, high: float, texts: Sequence[tuple[float, str]]) -> Axis:
    """Return a logarithmic axis with the ticks that are given."""
    ticks = tuple((value, text) for value, text in texts if low <= value <= high)
    return Axis(label=label, low=low, high=high, ticks=ticks, is_log=True)


def short(value: float) -> str:
    """Write a number in few signs: 1.2k, 3.4M, 5G, 60T."""
    for limit, sign in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{sign}"
    return f"{value:.3g}"


def line_chart(lines: Sequence[Line], x: Axis, y: Axis, marks: Sequence[Mark] = ()) -> str:
    """Draw lines over two axes."""
    parts = [_frame(x, y)]
    parts += [_band(line, n, x, y) for n, line in enumerate(lines) if line.band]
    parts += [_line(line, n, x, y) for n, line in enumerate(lines)]
    parts += [_mark(mark, n, x, y) for n, mark in enumerate(marks)]
    return _svg(parts, HEIGHT)


def scatter(dots: Sequence[Dot], x: Axis, y: Axis, marks: Sequence[Mark] = ()) -> str:
    """Draw points over two axes; each tells itself to who points at it."""
    parts = [_frame(x, y)]
    for dot in dots:
        title = tag("title", escape(dot.text))
        kind = "dot hollow" if dot.is_hollow else "dot"
        parts.append(tag("circle", title, class_=kind, cx=_x(x, dot.x), cy=_y(y, dot.y), r=4))
    parts += [_mark(mark, n, x, y) for n, mark in enumerate(marks)]
    return _svg(parts, HEIGHT)


def stacked_bars(
    bars: Sequence[Bar], axis: Axis, limit: tuple[float, str] | None = None, *, left: float = _BAR_LEFT
) -> str:
    """Draw horizontal bars of parts, with a limit across them where there is one; names stand `left`."""
    pitch, top = 26.0, _TOP + (12 if limit else 0)
    bottom = top + pitch * len(bars)
    out = [_frame(axis, Axis(label="", low=0, high=1, ticks=()), bottom, left)]
    for n, bar in enumerate(bars):
        at, y = 0.0, top + n * pitch + 3
        out.append(_words(left - 5, y + 14, "end", bar.label, "tick"))
        for color, value in bar.parts:
            low, high = _x(axis, at, left), _x(axis, at + value, left)
            at += value
            if high > low:
                kind = f"f{color % NUM_COLORS}"
                out.append(tag("rect", class_=kind, x=low, y=y, width=high - low, height=20))
        if bar.text:
            out.append(_words(_x(axis, at, left) + 5, y + 14, "start", bar.text, "tick"))
    if limit:
        x = _x(axis, limit[0], left)
        out.append(tag("line", class_="limit", x1=x, x2=x, y1=top - 6, y2=bottom))
        out.append(_words(x - 3, top - 8, "end", limit[1]))
    return _svg(out, bottom + _BOTTOM)


def swatch(number: int, *, is_line: bool) -> str:
    """Draw a key's sign: a dashed stroke or a filled square."""
    n = number % NUM_COLORS
    sign, width = tag("rect", class_=f"f{n}", width=12, height=12), 12
    if is_line:
        sign, width = tag("line", class_=f"l{n}", x1=0, x2=28, y1=6, y2=6, stroke_dasharray=_DASHES[n]), 28
    return tag("svg", sign, class_="key", viewBox=f"0 0 {width} 12", width=width, aria_hidden="true")


def tag(name: str, body: str = "", **attributes: str | float) -> str:
    """Write an element; a trailing underline of an attribute's name falls, inner ones are hyphens."""
    told = []
    for key, value in attributes.items():
        text = f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else escape(str(value))
        told.append(f' {key.rstrip("_").replace("_", "-")}="{text}"')
    return f"<{name}{''.join(told)}>{body}</{name}>"


def _svg(parts: Sequence[str], height: float) -> str:
    return tag(
        "svg", "".join(parts), class_="chart", viewBox=f"0 0 {WIDTH:.0f} {height:.0f}", aria_hidden="true"
    )


def _x(axis: Axis, value: float, left: float = _LEFT) -> float:
    return left + axis.place(value) * (WIDTH - left - _RIGHT)


def _y(axis: Axis, value: float) -> float:
    return HEIGHT - _BOTTOM - axis.place(value) * (HEIGHT - _TOP - _BOTTOM)


def _frame(x: Axis, y: Axis, bottom: float = HEIGHT - _BOTTOM, left: float = _LEFT) -> str:
    out = []
    for value, text in y.ticks:
        at = _y(y, value)
        out.append(tag("line", class_="grid", x1=left, x2=WIDTH - _RIGHT, y1=at, y2=at))
        out.append(_words(left - 5, at + 4, "end", text, "tick"))
    for value, text in x.ticks:
        at = _x(x, value, left)
        is_last = at > WIDTH - _RIGHT - 14
        out.append(tag("line", class_="grid", x1=at, x2=at, y1=bottom, y2=bottom + 4))
        out.append(
            _words(WIDTH - 2 if is_last else at, bottom + 17, "end" if is_last else "middle", text, "tick")
        )
    out.append(tag("line", class_="axis", x1=left, x2=WIDTH - _RIGHT, y1=bottom, y2=bottom))
    out.append(_words((WIDTH + left - _RIGHT) / 2, bottom + 34, "middle", x.label, "label"))
    turn = f"translate(11 {(_TOP + bottom) / 2:.0f}) rotate(-90)"
    out.append(tag("text", escape(y.label), class_="label", text_anchor="middle", transform=turn))
    return "".join(out)


def _line(line: Line, number: int, x: Axis, y: Axis) -> str:
    steps = []
    for n, (px, py) in enumerate(line.points):
        at_x, at_y = _x(x, px), _y(y, py)
        stepped = f"V{at_y:.1f}H{at_x:.1f}" if line.is_stepped else f"L{at_x:.1f} {at_y:.1f}"
        steps.append(stepped if n else f"M{at_x:.1f} {at_y:.1f}")
    n = number % NUM_COLORS
    return tag("path", class_=f"l{n}", stroke_dasharray=_DASHES[n], d="".join(steps))


def _band(line: Line, number: int, x: Axis, y: Axis) -> str:
    there = [f"{_x(x, px):.1f} {_y(y, high):.1f}" for px, _, high in line.band]
    back = [f"{_x(x, px):.1f} {_y(y, low):.1f}" for px, low, _ in reversed(line.band)]
    return tag("path", class_=f"b{number % NUM_COLORS}", d=f"M{'L'.join(there + back)}Z")


def _mark(mark: Mark, number: int, x: Axis, y: Axis) -> str:
    at = _x(x, mark.x)
    anchor, shift = ("end", -5) if at > (WIDTH + _LEFT) / 2 else ("start", 5)
    if mark.y is None:
        line = tag("line", class_="limit", x1=at, x2=at, y1=_TOP, y2=HEIGHT - _BOTTOM)
        return line + _words(at + shift, _TOP + 10 + 14 * number, anchor, mark.text)
    y_at = _y(y, mark.y)
    dot = tag("circle", class_="point", cx=at, cy=y_at, r=4.5)
    return dot + _words(at + shift, y_at - 8 if y_at > 40 else y_at + 18, anchor, mark.text)


def _words(x: float, y: float, anchor: str, text: str, kind: str = "note") -> str:
    return tag("text", escape(text), class_=kind, text_anchor=anchor, x=x, y=y)
