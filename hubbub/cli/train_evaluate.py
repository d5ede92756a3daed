"""`hubbub train evaluate`: bits per byte and new names on the held-out posts, beside simple baselines."""

from __future__ import annotations

from pathlib import Path

import click

from hubbub.cli.options import json_option
from hubbub.cli.output import format_table, print_json
from hubbub.errors import MissingExtra


@click.command()
@click.argument("directory", metavar="RUN_OR_MODEL", type=click.Path(path_type=Path, exists=True))
@click.argument("corpus", type=click.Path(path_type=Path), required=False)
@click.option("--limit", type=click.IntRange(1), default=4000, show_default=True, help="Held-out documents.")
@click.option(
    "--citations",
    type=click.Path(path_type=Path, exists=True),
    help="JSON of benchmarks.citation_quality with this model, to be kept with the rest.",
)
@json_option
def evaluate(directory: Path, corpus: Path | None, limit: int, citations: Path | None, as_json: bool) -> None:
    """Measure a model on the held-out posts of a corpus [default: the one that it was trained on]."""
    try:
        from hubbub.train.evaluate import evaluate as work
    except ModuleNotFoundError as error:
        raise MissingExtra(f"this needs {error.name!r}; run: pip install 'hubbub[train]'") from None
    told = work(directory, corpus, limit=limit, citations=citations)
    if as_json:
        print_json(told)
    else:
        rows = [(name, f"{value:.4f}" if isinstance(value, float) else value) for name, value in told.items()]
        click.echo(format_table(("what", "value"), rows))
