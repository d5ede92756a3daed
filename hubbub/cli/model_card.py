"""`hubbub model card`: what a model learnt from and how good it is; or which models saw a post."""

from __future__ import annotations

from pathlib import Path

import click

from hubbub.cli.options import json_option
from hubbub.cli.output import format_table, print_json, print_note
from hubbub.errors import InvalidInput, MissingExtra


@click.command()
@click.argument("directories", metavar="DIR...", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--saw", metavar="POST_URL", help="List the models under DIR... that were trained on this post."
)
@json_option
def card(directories: tuple[Path, ...], saw: str | None, as_json: bool) -> None:
    """Write a model's card (README.md and card.json) and print it; DIR is a run or an exported model.

    With --saw: every checkpoint, export, adapter and GGUF under DIR... that was trained on a post before its
    deletion was honoured, or began with weights that were; computed from the order of batches, not guessed.
    """
    if not directories:
        raise InvalidInput("name the directory of a run or of a model")
    try:
        from hubbub.train.card import make_card, model_dir, write_card
        from hubbub.train.lineage import models, who_saw
    except ModuleNotFoundError as error:
        raise MissingExtra(f"this needs {error.name!r}; run: pip install 'hubbub[train]'") from None
    if saw is not None:
        found = who_saw(saw, directories)
        if as_json:
            print_json(found)
        elif found:
            rows = [
                (each.kind, each.path, each.run, each.batch, "yes" if each.is_inherited else "-")
                for each in found
            ]
            click.echo(format_table(("model", "path", "saw it in run", "batch", "inherited"), rows))
        else:
            print_note("none of the models there was trained on it")
        for path in models(directories)[1]:
            print_note(f"{path}: no run is known that made it, so what it saw cannot be told")
        return
    for directory in directories:
        made = make_card(directory)
        write_card(made, directory)
        if as_json:
            print_json(made)
        else:
            click.echo((model_dir(directory) / "README.md").read_text(encoding="utf-8"))
