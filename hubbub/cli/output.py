"""What commands print: results to stdout, everything else to stderr; nothing here knows posts."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

import click
import msgspec


def print_json(value: object, stream: TextIO | None = None) -> None:
    """Print one value as a line of JSON on stdout."""
    click.echo(msgspec.json.encode(value).decode(), file=stream)


def print_note(text: str) -> None:
    """Say something to the person at the terminal, on stderr."""
    click.echo(text, err=True)


def format_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lay out rows under a header; numbers to the right, words to the left, a row on a line of its own.

    A table wider than the terminal becomes several, each beginning with the first column: nothing is lost.
    """
    cells = [["".join(c if c.isprintable() else "?" for c in str(cell)) for cell in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(header), *cells]) for i in range(len(header))]
    is_number = [
        all(isinstance(row[i], int | float) for row in rows) and bool(rows) for i in range(len(header))
    ]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    blocks: list[list[int]] = []
    for place in range(len(header)):
        if not blocks or sum(widths[i] + 2 for i in blocks[-1]) + widths[place] > room:
            blocks.append([0] if place else [])
        blocks[-1].append(place)
    laid = [
        [c.rjust(w) if num else c.ljust(w) for c, w, num in zip(line, widths, is_number, strict=True)]
        for line in [list(header), *cells]
    ]
    return "\n\n".join(
        "\n".join("  ".join(line[i] for i in block).rstrip() for line in laid) for block in blocks
    )


class Progress:
    """One line on stderr that is rewritten at most ten times a second, and only on a terminal."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty()
        self._next_s = 0.0
        self._width = 0

    def show(self, text: str) -> None:
        """Replace the line by `text`."""
        now_s = time.monotonic()
        if not self._is_shown or now_s < self._next_s:
            return
        self._next_s = now_s + 0.1
        sys.stderr.write("\r" + text.ljust(self._width))
        sys.stderr.flush()
        self._width = len(text)

    def clear(self) -> None:
        """Wipe the line."""
        if self._is_shown and self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()
            self._width = 0


@contextmanager
def progress() -> Iterator[Progress]:
    """Show progress inside the block and wipe it after."""
    line = Progress()
    try:
        yield line
    finally:
        line.clear()
