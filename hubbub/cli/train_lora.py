"""`hubbub train lora`: adapt a Hugging Face model of any kind to answer from posts, with citations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hubbub.cli.options import json_option
from hubbub.cli.train import teach
from hubbub.cli.train_live import archive_option, trainer


@click.command()
@click.argument("base", metavar="MODEL", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("lessons", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@archive_option
@click.option("--corpus", type=click.Path(path_type=Path), help="Where the lessons' corpus lies by now.")
@click.option("--rank", type=click.IntRange(1), default=8, show_default=True)
@click.option("--epochs", type=float, default=2.0, show_default=True)
@click.option("--rate", type=float, default=2e-4, show_default=True)
@click.option("--batch-tokens", type=int, default=16384, show_default=True)
@click.option("--seq", type=int, default=4096, show_default=True, help="Leave out longer lessons.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--precision", default="bf16", show_default=True, help="bf16 or fp32.")
@click.option("--merge", "is_merged", is_flag=True, help="Write the merged model as well.")
@json_option
def lora(base: Path, lessons: Path, out: Path, as_json: bool, **flags: Any) -> None:
    """Train low-rank matrices for a local instruct model on lessons (make them with --full).

    OUT/adapter is in peft's format, for vLLM and transformers; the base model is left as it is.
    """
    work = trainer("lora", "lora", "hf")
    report = teach(work, base, lessons, out, as_json=as_json, **flags)
    if not as_json:
        click.echo(f"step {report.step}, loss {report.loss:.4f}: {report.model_dir or out}")
