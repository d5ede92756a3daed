"""`hubbub train evaluate`: bits per byte, new names, replies; on held-out posts, beside simple baselines."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hubbub.cli.options import json_option
from hubbub.cli.output import format_table, print_json, progress
from hubbub.errors import InvalidInput, MissingExtra

if TYPE_CHECKING:
    from hubbub.assistant.examine import Marks

_SHARES = ("answered", "chosen", "passed", "right", "abstained")


@click.command()
@click.argument("directory", metavar="RUN_OR_MODEL", type=click.Path(path_type=Path, exists=True))
@click.argument("corpus", type=click.Path(path_type=Path), required=False)
@click.option("--limit", type=click.IntRange(1), default=4000, show_default=True, help="Held-out documents.")
@click.option("--lessons", type=click.Path(path_type=Path, exists=True), help="Ask these, made --held-out.")
@click.option("--replies", type=click.IntRange(1), default=100, show_default=True, help="Lessons to ask.")
@click.option(
    "--citations",
    type=click.Path(path_type=Path, exists=True),
    help="JSON of benchmarks.citation_quality with this model, to be kept with the rest.",
)
@json_option
def evaluate(
    directory: Path,
    corpus: Path | None,
    limit: int,
    lessons: Path | None,
    replies: int,
    citations: Path | None,
    as_json: bool,
) -> None:
    """Measure a model on the held-out posts of a corpus [default: the one that it was trained on].

    With --lessons also its replies, as llama.cpp writes them for `hubbub ask` (words held to a record), and
    with no hold on its words; beside quoting the record that has most words of the question. The teacher,
    the assistant without a model, would have all of them right.
    """
    try:
        from hubbub.train.evaluate import evaluate as work
    except ModuleNotFoundError as error:
        raise MissingExtra(f"this needs {error.name!r}; run: pip install 'hubbub[train]'") from None
    marks = _examined(directory, lessons, replies) if lessons else []
    also = {f"replies, {name}, {each.writer}": getattr(each, name) for each in marks for name in _SHARES}
    told = work(directory, corpus, limit=limit, citations=citations, also=also)
    if as_json:
        print_json(told)
        return
    rows = [
        (name, f"{value:.4f}" if isinstance(value, float) else value)
        for name, value in told.items()
        if name not in also
    ]
    click.echo(format_table(("what", "value"), rows))
    if marks:
        click.echo(f"\n{marks[0].num_lessons} lessons of posts held out, shares:")
        shares = [(each.writer, *(f"{getattr(each, name):.2f}" for name in _SHARES)) for each in marks]
        click.echo(format_table(("writer", *_SHARES), shares))


def _examined(directory: Path, lessons: Path, limit: int) -> list[Marks]:
    from hubbub.assistant.examine import by_model, by_words, examine
    from hubbub.assistant.gguf import open_gguf
    from hubbub.model.gguf_file import export_gguf
    from hubbub.train.card import model_dir
    from hubbub.train.lessons import read_lessons

    about, asked = read_lessons(lessons)
    if not about.is_held_out:
        raise InvalidInput(f"the lessons in {str(lessons)!r} may have been taught; make some with --held-out")
    asked = asked[:limit]
    with tempfile.TemporaryDirectory() as scratch, progress() as line:
        path = Path(scratch) / f"{directory.resolve().name}.gguf"
        export_gguf(model_dir(directory), path, "F32")
        model = open_gguf(path)
        try:
            line.show("asking ...")
            return [
                examine("no model: the record with most words", by_words, asked),
                examine("as hubbub ask has it", by_model(model), asked),
                examine("free in its words", by_model(model, is_free=True), asked),
            ]
        finally:
            model.close()
