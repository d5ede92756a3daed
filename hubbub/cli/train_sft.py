"""`hubbub train sft`: teach a model of ours to answer from posts, with citations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hubbub.cli.options import json_option
from hubbub.cli.output import print_note
from hubbub.cli.train import teach
from hubbub.cli.train_live import archive_option, trainer


@click.command()
@click.argument("start_from", metavar="RUN_OR_MODEL", type=click.Path(path_type=Path, exists=True))
@click.argument("lessons", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@archive_option
@click.option("--corpus", type=click.Path(path_type=Path), help="Where the lessons' corpus lies by now.")
@click.option("--epochs", type=float, default=3.0, show_default=True)
@click.option("--rate", type=float, default=0.0, help="Learning rate [default: 0.3 of the recipe's].")
@click.option("--batch-tokens", type=int, default=8192, show_default=True)
@click.option("--seq", type=int, default=0, help="Leave out longer lessons [default: none].")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--precision", default="bf16", show_default=True, help="bf16 or fp32.")
@json_option
def sft(start_from: Path, lessons: Path, out: Path, as_json: bool, **flags: Any) -> None:
    """Train a run's model, or a Hugging Face directory, on lessons; the same command resumes.

    The loss lies on the replies alone. A lesson is left out of every batch after one of its posts was
    deleted. The model's context grows to the longest lesson.
    """
    work = trainer("sft", "sft")
    report = teach(work, start_from, lessons, out, as_json=as_json, **flags)
    if not as_json:
        click.echo(f"step {report.step}, loss {report.loss:.4f}")
        print_note(f"next: hubbub model export {out} {out}.gguf; hubbub ask --model {out}.gguf")
