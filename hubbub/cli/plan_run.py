"""`hubbub plan run`: one run, in a given layout or the best, with its outlook and its page of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from hubbub.cli.options import Moment, json_option
from hubbub.cli.output import print_json, print_note
from hubbub.cli.plan_options import parse_count, search_asked, search_options
from hubbub.errors import InvalidInput

if TYPE_CHECKING:
    from hubbub.plan.outlook import Outlook
    from hubbub.plan.predict import Prediction
    from hubbub.specs import RunSpec


@click.command()
@search_options
@click.option(
    "--tokens", metavar="COUNT", help="Tokens to train on, as 15.6T; without, one step is predicted."
)
@click.option(
    "--region", help="Where the grid's carbon and prices are from [default: the cluster's, or usa]."
)
@click.option("--at", type=Moment(), help="When prices are of [default: today].")
@click.option("--power-cap-mw", type=float, help="Refuse a cluster that draws more.")
@click.option("--calibration", metavar="FILE", help="From `plan calibrate --out`.")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Write one HTML page.")
@json_option
def run(
    model_name: str, cluster_name: str, gpus: int, tokens: str | None, as_json: bool, **flags: Any
) -> None:
    """Predict one run: step, MFU, memory, layout, goodput, MW, USD and CO2, each with an 80% band."""
    from hubbub.plan.calibrate import read_calibration
    from hubbub.plan.predict import predict

    num_tokens = parse_count(tokens) if tokens else 0.0
    found = search_asked(model_name, cluster_name, gpus, flags, top=1)
    if not found.ranked:
        raise InvalidInput("; ".join((f"no layout of {model_name} fits {gpus} GPUs", *found.notes[:2])))
    spec = msgspec.structs.replace(found.run, num_tokens=num_tokens)
    own = read_calibration(flags["calibration"]) if flags["calibration"] else None
    told = predict(spec, scale=own.scale, step_band=own.band) if own else predict(spec)
    ahead = _outlook(spec, told, gpus, flags) if num_tokens else None
    if flags["report"]:
        from hubbub.plan.report_of_run import report_of_run
        from hubbub.report import write_report

        write_report(report_of_run(spec, told, ahead, found.points), flags["report"])
        print_note(f"the pictures are in {flags['report']}")
    if as_json:
        print_json({"run": spec, "prediction": told, "outlook": ahead})
        return
    _print(spec, told, ahead)
    for note in found.notes:
        print_note(note)


def _outlook(spec: RunSpec, told: Prediction, gpus: int, flags: dict[str, Any]) -> Outlook:
    from hubbub.plan.outlook import Circumstances, outlook
    from hubbub.plan.throughput import Speed
    from hubbub.units import to_datetime

    where = Circumstances(
        region=flags["region"] or spec.cluster.region or "usa",
        when=to_datetime(flags["at"]).date() if flags["at"] is not None else None,
        pue=spec.cluster.pue,
        power_cap_mw=spec.cluster.power_cap_mw if flags["power_cap_mw"] is None else flags["power_cap_mw"],
    )
    speed = Speed(tokens_per_s=told.tokens_per_s, busy_share=told.busy_share)
    sizes = spec.model.num_params, spec.num_tokens
    idle = gpus - told.num_gpus
    return outlook(spec.cluster.gpu.name, told.num_gpus, *sizes, speed, where, num_idle=idle)


def _print(spec: RunSpec, told: Prediction, ahead: Outlook | None) -> None:
    from hubbub.plan.wording import tell, tell_layout, tell_usd

    lines = [
        ("run", f"{spec.model.name} on {told.num_gpus:,} {spec.cluster.gpu.name}, {spec.precision}, "
                f"{spec.global_batch:,} sequences of {spec.seq_len:,}, stack {told.stack}"),
        ("layout", tell_layout(spec.layout)),
        ("step", f"{tell(told.step_s)} s"),
        ("tokens", f"{tell(told.tokens_per_s, ',.0f')} a second"),
        ("FLOP/s", f"{tell(told.tflops_per_gpu, '.0f')} TFLOP/s a GPU, MFU {tell(told.mfu, '.1%')}"),
        ("goes to", _shares(told.parts_s)),
        ("memory", told.verdict),
    ]  # fmt: skip
    if ahead:
        lines += [
            ("goodput", tell(ahead.goodput.goodput, ".1%")),
            ("wall time", f"{tell(ahead.days)} days"),
            ("power", f"{tell(ahead.draw.mean_mw)} MW, {tell(ahead.energy_mwh, ',.0f')} MWh in all"),
            ("carbon", f"{tell(ahead.carbon_t.scaled(1e3), ',.0f')} kg CO2 ({ahead.region.name})"),
            ("rented", tell_usd(ahead.rent_usd) if ahead.rent_usd else "no price is known"),
            ("owned", tell_usd(ahead.own_usd) if ahead.own_usd else "no price is known"),
        ]
    for name, value in lines:
        click.echo(f"{name:10} {value}")


def _shares(parts: dict[str, float]) -> str:
    whole = sum(parts.values())
    order = sorted(parts, key=lambda name: -parts[name])
    return ", ".join(f"{name} {parts[name] / whole:.0%}" for name in order if parts[name] / whole >= 0.005)
