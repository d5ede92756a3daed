"""`hubbub train weeks`: a release each week from a trunk that goes on, and how fast releases age."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hubbub.cli.options import json_option
from hubbub.cli.output import format_table, print_json, print_note, progress
from hubbub.cli.train import Teller
from hubbub.cli.train_live import archive_option, deletions, trainer
from hubbub.units import format_time

if TYPE_CHECKING:
    from hubbub.train.weeks import Aged


@click.command()
@click.argument("corpus", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--params", required=True, help="Size of the model, as 3M.")
@click.option(
    "--first-days", type=float, default=0.0, help="Days of the first release [default: half of all]."
)
@click.option("--days", type=float, default=7.0, show_default=True, help="Days from release to release.")
@click.option("--epochs", type=float, default=1.0, show_default=True)
@click.option("--seq", type=int, default=0, help="Longest text in tokens [default: 1024].")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--precision", default="bf16", show_default=True, help="bf16 or fp32.")
@archive_option
@json_option
def weeks(corpus: Path, out: Path, archive: Path | None, as_json: bool, **flags: Any) -> None:
    """Train on week by week, release an annealed branch of each, and measure each on every week.

    The trunk is trained at a constant rate and goes on from week to week; a release is a branch whose rate
    falls, and nothing is ever trained on from it. One document of ten is never trained on: the table tells
    bits per byte of each release on those of each week.
    """
    keep_up = trainer("weeks", "keep_up")
    with progress() as line, deletions(archive, corpus):
        found = keep_up(corpus, out, tell=None if as_json else Teller(line, False, out), **flags)
    if found is None:
        print_note("saved; the same command goes on from here")
        return
    from hubbub.train.weeks_page import write_page

    write_page(found, out / "weeks.html")
    if as_json:
        print_json({"starts_us": found.starts_us, "bits": found.bits, "staleness": found.staleness})
    else:
        click.echo(_table(found))
        print_note(f"as a picture: {out / 'weeks.html'}")


def _table(found: Aged) -> str:
    days = [format_time(start)[:10] for start in found.starts_us]
    rows = [(day, *(f"{value:.3f}" for value in row)) for day, row in zip(days, found.bits, strict=True)]
    return format_table(("release \\ posts of", *days), rows)
