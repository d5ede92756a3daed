"""`hubbub model`: look at a trained model, let it write, export it, prove its exports equal."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from hubbub.cli.lazy import LazyVerbs
from hubbub.cli.options import json_option
from hubbub.cli.output import format_table, print_json, print_note
from hubbub.errors import InvalidInput, MissingExtra

_FILED = {"card": ("model_card", "Say what a model learnt from; or which models saw a post.")}
_model_argument = click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
_DTYPES = {"f32": "float32", "bf16": "bfloat16"}


@click.group(cls=LazyVerbs, files=_FILED)
def model() -> None:
    """Look at a trained model, let it write, export it, and prove that its exports are equal.

    DIR is a run of `hubbub train`, or any Hugging Face directory of a plain Llama.
    """


@model.command()
@_model_argument
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--kind", type=click.Choice(["F32", "BF16", "Q8_0"]), default="Q8_0", help="Numbers in a GGUF.",
    show_default=True,
)  # fmt: skip
@click.option("--dtype", type=click.Choice([*_DTYPES]), help="Numbers in a directory [default: as they are].")
@click.option("--step", type=int, metavar="N", help="This checkpoint of a run, not its finished model.")
@json_option
def export(directory: Path, out: Path, kind: Any, dtype: str | None, step: int | None, as_json: bool) -> None:
    """Write OUT.gguf for llama.cpp and `hubbub ask --model`, or a directory for transformers and vLLM."""
    with _extra("train"), _opened(directory, step) as source:
        if out.suffix == ".gguf":
            from hubbub.model.gguf_file import export_gguf

            num_bytes = export_gguf(source, out, kind)
        else:
            import torch

            from hubbub.model.hf import load_hf, save_hf

            loaded, shape = load_hf(source, dtype=None)
            save_hf(
                out, shape, loaded.state_dict(), source,
                dtype=getattr(torch, _DTYPES[dtype]) if dtype else None,
            )  # fmt: skip
            num_bytes = sum(each.stat().st_size for each in out.iterdir())
    if as_json:
        print_json({"model": str(directory), "out": str(out), "bytes": num_bytes})
    else:
        click.echo(f"{out}: {num_bytes / 1e6:,.1f} MB")


@model.command()
@_model_argument
@click.argument("gguf", metavar="[GGUF]", required=False, type=click.Path(path_type=Path))
@click.option("--text", type=click.File(encoding="utf-8"), help="Compare on the lines of this file.")
@json_option
def check(directory: Path, gguf: Path | None, text: Any, as_json: bool) -> int:
    """Prove that a model is the same in torch, transformers and, with a GGUF, in llama.cpp.

    Leaves with 1 when anything differs by more than rounding.
    """
    with _extra("train"), _opened(directory, None) as source:
        from hubbub.model.check import TEXTS, check_model

        lines = [line.rstrip("\n") for line in text or () if line.strip()]
        _hush()
        report = check_model(source, gguf, lines or TEXTS)
    if as_json:
        print_json({"is_equal": report.is_equal, "model": report.model, "gguf": report.gguf,
                    "comparisons": [
                        {"name": each.name, "is_equal": each.is_equal, "difference": each.difference,
                         "limit": each.limit, "unit": each.unit, "count": each.count}
                        for each in report.comparisons]})  # fmt: skip
    else:
        rows = [
            ("equal" if each.is_equal else "DIFFERS", each.name, f"{each.difference:.3g} {each.unit}",
             f"{each.limit:g}", f"{each.count:,}")
            for each in report.comparisons
        ]  # fmt: skip
        click.echo(format_table(("", "what", "apart by", "may be", "tokens"), rows))
    return 0 if report.is_equal else 1


@model.command()
@_model_argument
@json_option
def show(directory: Path, as_json: bool) -> None:
    """Show a model's shape, size and special tokens."""
    with _extra("train"), _opened(directory, None) as source:
        from hubbub.model.hf import read_shape
        from hubbub.model.tokens import Tokens

        shape, tokens = read_shape(source), Tokens(source)
        spec = shape.to_spec()
        facts = {
            "weights": shape.num_params,
            "layers": shape.num_layers,
            "width": shape.hidden,
            "heads": shape.num_heads,
            "pairs of key and value": shape.num_kv_heads,
            "width of a head": shape.head_dim,
            "feed-forward": shape.ffn,
            "vocabulary": shape.vocab,
            "context in tokens": shape.seq,
            "tied": shape.is_tied,
            "operations to train on a token": round(spec.flops_per_token()),
            "begins with": tokens.begin,
            "ends with": tokens.stops,
            "bytes": sum(each.stat().st_size for each in source.glob("*.safetensors")),
        }
    if as_json:
        print_json(facts)
    else:
        for name, value in facts.items():
            is_count = isinstance(value, int) and not isinstance(value, bool)
            click.echo(f"{name:<32}{f'{value:,}' if is_count else value}")


@model.command()
@_model_argument
@click.argument("prompt", nargs=-1, required=True)
@click.option("--chat", is_flag=True, help="The prompt is a question to a model that was taught to chat.")
@click.option("--max-tokens", type=click.IntRange(1), default=128, show_default=True)
@click.option(
    "--temperature", type=click.FloatRange(0), default=0.8, show_default=True, help="0: the likeliest."
)
@click.option("--top-p", type=click.FloatRange(0, 1, min_open=True), default=0.95, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@json_option
def generate(
    directory: Path, prompt: Sequence[str], chat: bool, max_tokens: int, as_json: bool, **how: Any
) -> None:
    """Let a model write on from PROMPT."""
    with _extra("train"), _opened(directory, None) as source:
        from hubbub.model.generate import generate as write
        from hubbub.model.hf import load_hf
        from hubbub.model.tokens import Tokens

        tokens, (loaded, _) = Tokens(source), load_hf(source)
        said = " ".join(prompt)
        ids = tokens.encode_chat([{"role": "user", "content": said}]) if chat else tokens.encode(said)
        new: list[int] = []

        def kept() -> Iterator[int]:
            for token in write(loaded, ids, max_tokens=max_tokens, stops=tokens.stops, **how):
                new.append(token)
                yield token

        pieces = tokens.stream(kept())
        if as_json:
            print_json({"prompt": said, "text": "".join(pieces), "ids": new})
            return
        for piece in pieces:
            click.echo(_printable(piece), nl=False)
            sys.stdout.flush()
        click.echo()


@contextmanager
def _opened(directory: Path, step: int | None) -> Iterator[Path]:
    """Yield the Hugging Face directory that DIR means; a checkpoint becomes one for the while.

    Raises:
        InvalidInput: DIR is neither a run nor a model, or the run has neither model nor checkpoint.
    """
    for each in (directory, directory / "model"):
        if step is None and (each / "config.json").is_file():
            yield each
            return
    if not (directory / "run.json").is_file():
        raise InvalidInput(
            f"{str(directory)!r} is neither a run of `hubbub train` nor a directory with config.json"
        )
    from tempfile import TemporaryDirectory

    from hubbub.corpus.reader import open_corpus
    from hubbub.model.hf import save_hf
    from hubbub.train.run import load_run
    from hubbub.train.rundir import read_run

    loaded, meta = load_run(directory, step)
    run = read_run(directory)
    assert run is not None
    print_note(f"checkpoint of step {meta.step}")
    with TemporaryDirectory(prefix="hubbub-model-", dir=directory) as temporary:
        source = Path(temporary) / "model"
        tokenizer_dir = open_corpus(Path(run.settings.corpus), verify=False).tokenizer_dir
        save_hf(source, loaded.shape, loaded.state_dict(), tokenizer_dir)
        yield source


@contextmanager
def _extra(name: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtra(f"this needs {error.name!r}; run: pip install 'hubbub[{name}]'") from None


def _hush() -> None:
    """Keep transformers from drawing its own progress."""
    try:
        from transformers.utils import logging as told
    except ImportError:
        return
    logging: Any = told
    logging.set_verbosity_error()
    logging.disable_progress_bar()


def _printable(text: str) -> str:
    """Leave out what would steer a terminal."""
    return "".join(letter for letter in text if letter.isprintable() or letter in "\n\t")
