"""Flags of the verbs that look for a layout, and the search that they ask for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hubbub.errors import InvalidInput

if TYPE_CHECKING:
    from hubbub.plan.layouts import LayoutSearch

Command = TypeVar("Command", bound=Callable[..., Any])

_COUNT = re.compile(r"(\d+(?:\.\d+)?(?:e\d+)?)\s*([kmbtKMBT]?)", re.ASCII)
_SCALES = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
_TOKENS = {"k": 2**10, "m": 2**20}
_SIZES = ("tp", "pp", "vpp", "cp", "ep", "etp", "dp", "zero", "micro_batch")


def search_options(command: Command) -> Command:
    """Add what a search takes: model, cluster, GPUs, batch, precision, stack, and sizes to hold fast."""
    fixed = [
        click.option(
            f"--{name.replace('_', '-')}", name, type=int, help=f"Fix {name}; left free it is searched."
        )
        for name in _SIZES
    ]
    options = (
        click.option(
            "--model", "model_name", required=True, metavar="NAME", help="Built-in, config.json or TOML."
        ),
        click.option(
            "--cluster", "cluster_name", required=True, metavar="NAME", help="Built-in, or a TOML file."
        ),
        click.option("--gpus", required=True, type=int, help="How many GPUs."),
        click.option(
            "--batch",
            metavar="COUNT",
            help="Sequences a step, or tokens in k or M (2^20), as 16M [default: about 1,024 tokens a GPU].",
        ),
        click.option("--seq", type=int, default=0, help="Tokens a sequence [default: the model's]."),
        click.option(
            "--precision", default="bf16", show_default=True, help="fp16, bf16, fp8, mxfp8 or nvfp4."
        ),
        click.option("--stack", default="", help="Software profile; `plan show stacks` lists them."),
        *fixed,
        click.option("--recompute", help="Fix none, selective or full; left free it is searched."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def parse_count(text: str, field: str = "tokens") -> float:
    """Read a count such as `15.6T`, `300B` or `2e12`.

    Raises:
        InvalidInput: the text is no such count, or not above 0.
    """
    match = _COUNT.fullmatch(text.strip())
    value = float(match[1]) * _SCALES[match[2].lower()] if match else 0.0
    if not 0 < value < 1e18:
        raise InvalidInput(f"{field} is {text[:40]!r}; write a number above 0 with k, M, B or T, as 15.6T")
    return value


def parse_batch(text: str | None, seq: int) -> int:
    """Read a batch as sequences: a bare number is so many; one with k or M is tokens; nothing is 0.

    k and M are 2^10 and 2^20, as in published batches: Llama 3's 16M are 2,048 x 8,192 (arXiv 2407.21783).

    Raises:
        InvalidInput: the text is no count, or fewer tokens than one sequence has.
    """
    if text is None:
        return 0
    match = _COUNT.fullmatch(text.strip())
    scale = _TOKENS.get(match[2].lower(), 0.0) / seq if match else 0.0
    count = int(text) if text.strip().isdecimal() else round(float(match[1]) * scale) if match else 0
    if count < 1:
        raise InvalidInput(
            f"batch is {text[:40]!r}; write sequences, as 2048, or at least {seq} tokens in k or M, as 16M"
        )
    return count


def search_asked(
    model_name: str, cluster_name: str, gpus: int, flags: dict[str, Any], top: int
) -> LayoutSearch:
    """Search as the flags ask.

    Raises:
        InvalidInput: a value cannot be used.
    """
    from hubbub.plan.hardware import find_cluster
    from hubbub.plan.layouts import search
    from hubbub.plan.models import find_model

    model = find_model(model_name)
    return search(
        model,
        find_cluster(cluster_name),
        gpus,
        global_batch=parse_batch(flags["batch"], flags["seq"] if flags["seq"] > 0 else model.seq),
        seq=flags["seq"],
        precision=flags["precision"].lower(),
        stack=flags["stack"],
        fixed={name: flags[name] for name in (*_SIZES, "recompute") if flags[name] is not None},
        top=top,
    )
