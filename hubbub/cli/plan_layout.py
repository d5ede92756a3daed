"""`hubbub plan layout`: a model's layouts on so many GPUs, fastest first, and why others were refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hubbub.cli.options import json_option
from hubbub.cli.output import format_table, print_json, print_note
from hubbub.cli.plan_options import search_asked, search_options

if TYPE_CHECKING:
    from hubbub.plan.layouts import Found, LayoutSearch

_HEADER = ("layout", "step s", "80% band", "TFLOP/s", "GiB", "bubble", "traffic", "idle GPUs")


@click.command()
@search_options
@click.option("--top", type=click.IntRange(1, 1000), default=10, show_default=True, help="Show so many.")
@json_option
def layout(model_name: str, cluster_name: str, gpus: int, top: int, as_json: bool, **flags: Any) -> int:
    """Rank the layouts of a model on so many GPUs; exit code 1 if none fits.

    Names: tp tensor, pp pipeline, vpp interleaved chunks, cp context, ep expert, etp tensor within an
    expert, dp data parallelism, mbs micro batch, zero the stage of ZeRO where it is not 1 (3 is FSDP), shard
    its group. Traffic is what of it shows; idle GPUs are spares.
    """
    found = search_asked(model_name, cluster_name, gpus, flags, top)
    if as_json:
        print_json(found)
    else:
        _print(found)
    return 0 if found.ranked else 1


def _print(found: LayoutSearch) -> None:
    run = found.run
    print_note(
        f"{run.model.name} on {found.num_gpus:,} {run.cluster.gpu.name}, {run.precision}, batch "
        f"{run.global_batch:,} x {run.seq_len:,} tokens, stack {run.stack}: {found.num_tried:,} legal "
        f"layouts, of which {found.num_fit:,} fit"
    )
    if found.ranked:
        click.echo(format_table(_HEADER, [_row(each) for each in found.ranked]))
    if found.misses:
        click.echo("\nshort of memory, the fastest" if found.ranked else "short of memory, the nearest")
        for each in found.misses:
            click.echo(f"  {each.name}: {each.prediction.step_s.mid:.3g} s; {each.prediction.verdict}")
    if found.refused:
        click.echo("\nrefused")
        for refusal in found.refused:
            click.echo(f"  {refusal.count:,} {refusal.reason}")
    for note in found.notes:
        print_note(note)


def _row(each: Found) -> tuple[object, ...]:
    told = each.prediction
    step, parts = told.step_s, told.parts_s
    traffic = sum(parts[name] for name in ("tensor", "expert", "context", "pipeline", "data"))
    return (
        each.name,
        f"{step.mid:.4g}",
        f"{step.low:.3g} to {step.high:.3g}",
        round(told.tflops_per_gpu.mid),
        round(told.memory_gib, 1),
        f"{parts['bubble'] / step.mid:.1%}",
        f"{traffic / step.mid:.1%}",
        each.num_idle,
    )
