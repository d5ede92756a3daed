"""`hubbub plan`: predict training runs on any cluster; its verbs, and those that show what is known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from hubbub.cli.lazy import LazyVerbs
from hubbub.cli.options import json_option
from hubbub.cli.output import format_table, print_json, print_note

if TYPE_CHECKING:
    from hubbub.plan.validate import Score, Validation

# Verbs with a file of their own: the file, and what the list of verbs says of each.
VERBS = {
    "run": ("plan_run", "Predict one run: time, memory, layout, goodput, power, cost, each with a band."),
    "layout": (
        "plan_layout",
        "Rank the layouts of a model on so many GPUs, and say why others were refused.",
    ),
    "build": ("plan_build", "Follow plans of rented and owned GPUs until a model is trained."),
}


@click.group(cls=LazyVerbs, files=VERBS)
def plan() -> None:
    """Predict a training run on any cluster, and say how wrong such predictions usually are."""


@plan.command()
@click.option(
    "--runs", metavar="CSV", help="Score this file (columns of runs.csv) with the shipped constants."
)
@click.option("--refit", is_flag=True, help="Fit the folds of the cross-validation again; takes a minute.")
@json_option
def validate(runs: str | None, refit: bool, as_json: bool) -> None:
    """Show how wrong predictions are, group by group, on published runs."""
    from hubbub.plan.validate import validate as score

    table = score(runs, refit=refit)
    if as_json:
        print_json(table)
    else:
        _print_validation(table)


def _print_validation(table: Validation) -> None:
    header = ("group", "rows", "error %", "bias %", "p90 %", "in band %")
    click.echo(f"step time, {table.method}: mean absolute error in percent; bias above 0 predicts too slow")
    rows = [_score_row(name, score) for name, score in table.groups.items()]
    click.echo(format_table(header, rows))
    click.echo("")
    click.echo(format_table(("set", *header[1:]), [_score_row(n, s) for n, s in table.sets.items()]))
    click.echo("")
    click.echo(
        f"all: {table.rows} rows, micro {table.micro_mape_pct:.1f} %, macro {table.macro_mape_pct:.1f} %, "
        f"bias {table.bias_pct:+.1f} %, p90 {table.p90_ape_pct:.1f} %, "
        f"in the 80% band {table.band_coverage_pct:.1f} %"
    )
    for each in table.memory:
        click.echo(
            f"memory {each.group}: {each.rows} rows, {each.mape_pct:.1f} %, bias {each.bias_pct:+.1f} %"
        )
    for a in table.anchors:
        off = 100 * (a.predicted / a.published - 1)
        told = f"{a.predicted:.3g} {a.unit} against {a.published:g} ({off:+.1f} %)"
        click.echo(f"anchor {'ok  ' if a.is_met else 'MISS'} {a.name}: {told}, bound {a.within_pct:g} %")
    reasons: dict[str, list[str]] = {}
    for row in table.unscored:
        reasons.setdefault(f"{row.group}: {row.reason}", []).append(row.id)
    for reason, ids in reasons.items():
        print_note(f"not scored: {len(ids)} rows of {reason} ({', '.join(ids)})")


def _score_row(name: str, score: Score) -> tuple[object, ...]:
    figures = (score.mape_pct, score.bias_pct, score.p90_ape_pct, score.band_coverage_pct)
    return (name, score.rows, *(round(figure, 1) for figure in figures))


@plan.command()
@json_option
def models(as_json: bool) -> None:
    """List the built-in models."""
    from hubbub.plan.models import models as known

    header = ("model", "parameters (billion)", "active (billion)", "layers", "source")
    rows = [
        (m.name, round(m.num_params / 1e9, 1), round(m.num_matmul_params / 1e9, 1), m.num_layers, m.source)
        for m in known().values()
    ]
    _list(known().values(), header, rows, as_json)


def _list(known: Iterable[object], header: tuple[str, ...], rows: list[Any], as_json: bool) -> None:
    if not as_json:
        click.echo(format_table(header, rows))
        return
    for each in known:
        print_json(each)


@plan.command()
@json_option
def clusters(as_json: bool) -> None:
    """List the built-in clusters."""
    from hubbub.plan.hardware import clusters as known

    header = ("cluster", "GPU", "GiB", "NVLink domain", "NIC Gb/s a GPU", "source")
    rows = []
    for c in known().values():
        sizes = round(c.gpu.memory_bytes / 2**30), c.link_domain, round(c.nic_bytes_per_s / 125e6)
        rows.append((c.name, c.gpu.name, *sizes, c.source))
    _list(known().values(), header, rows, as_json)


@plan.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show what is known of a model, cluster, GPU or stack, with sources; `stacks` lists the last."""
    found = _find(name)
    if as_json:
        print_json(found)
        return
    click.echo(format_table(("", ""), [(key, _told(value)) for key, value in _fields(found)]).strip("\n"))


def _find(name: str) -> Any:
    from hubbub.plan.hardware import choose, gpus
    from hubbub.plan.hardware import clusters as all_clusters
    from hubbub.plan.models import find_model
    from hubbub.plan.models import models as all_models
    from hubbub.plan.stacks import stacks

    if name.endswith((".json", ".toml")):
        return find_model(name)
    if name == "stacks":
        return {stack.name: stack.date for stack in stacks().values()}
    tables: tuple[dict[str, Any], ...] = (all_models(), all_clusters(), gpus(), stacks())
    known = {key: value for table in reversed(tables) for key, value in table.items()}
    return known[choose("name", name, sorted(known))]


def _fields(found: Any, inside: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what is known, those of a part as `gpu.tdp_w`; what is nothing is left out."""
    import msgspec

    fields: dict[str, Any] = msgspec.to_builtins(found)
    if "num_layers" in fields:
        fields = {**fields, "num_params": found.num_params, "flops_per_token": found.flops_per_token()}
    for key, value in fields.items():
        if isinstance(value, dict):
            yield from _fields(value, f"{inside}{key}.")
        elif value:
            yield f"{inside}{key}", value


def _told(value: Any) -> str:
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, tuple):
        return ", ".join(value)
    scale, sign = next((each for each in ((1e12, "T"), (1e9, "G"), (1e6, "M")) if value >= each[0]), (1, ""))
    return f"{value / scale:,.4g}{sign}" if sign else f"{value:,g}"


@plan.command()
@click.option("--from", "path", required=True, metavar="CSV", help="Measured steps, columns as in runs.csv.")
@click.option("--out", metavar="FILE", help="Write the calibration, for `plan run --calibration FILE`.")
@json_option
def calibrate(path: str, out: str | None, as_json: bool) -> None:
    """Pull predictions to your own measured steps."""
    from hubbub.plan.calibrate import calibrate as fit
    from hubbub.plan.calibrate import write_calibration

    found = fit(path)
    if out:
        write_calibration(found, out)
        print_note(f"the calibration is in {out}")
    if as_json:
        print_json(found)
        return
    low, high = (100 * math.expm1(log) for log in found.band)
    click.echo(
        f"{found.rows} measured steps ({found.what}) take {found.scale:.3f} times what is predicted; "
        f"the 80% band is then {low:+.1f} to {high:+.1f} %"
    )
