"""`hubbub plan run`: one run, in a given layout or the best, with its outlook and its page of pictures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from hubbub.cli.options import Moment, json_option
from hubbub.cli.output import print_json, print_note
from hubbub.errors import InvalidInput

if TYPE_CHECKING:
    from hubbub.plan.layouts import LayoutSearch
    from hubbub.plan.outlook import Outlook
    from hubbub.plan.predict import Prediction
    from hubbub.specs import RunSpec

_COUNT = re.compile(r"(\d+(?:\.\d+)?(?:e\d+)?)\s*([kmbtKMBT]?)")
_SCALES = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
_LAYOUT = ("tp", "pp", "vpp", "cp", "ep", "etp", "dp", "zero", "micro_batch")


def parse_count(text: str) -> float:
    """Read a count such as `15.6T`, `300B` or `2e12`.

    Raises:
        InvalidInput: the text is no such count, or not above 0.
    """
    match = _COUNT.fullmatch(text.strip())
    value = float(match[1]) * _SCALES[match[2].lower()] if match else 0.0
    if not 0 < value < 1e18:
        raise InvalidInput(f"tokens is {text[:40]!r}; write a number above 0 with k, M, B or T, as 15.6T")
    return value


def _layout_options(command: Any) -> Any:
    for name in _LAYOUT:
        flag = f"--{name.replace('_', '-')}"
        command = click.option(flag, name, type=int, help=f"Fix {name}; what is left free is searched.")(
            command
        )
    return command


@click.command()
@click.option(
    "--model", "model_name", required=True, metavar="NAME", help="Built-in, a config.json, or a TOML file."
)
@click.option("--cluster", "cluster_name", required=True, metavar="NAME", help="Built-in, or a TOML file.")
@click.option("--gpus", required=True, type=int, help="How many GPUs.")
@click.option(
    "--tokens", metavar="COUNT", help="Tokens to train on, as 15.6T; without, one step is predicted."
)
@click.option("--batch", type=int, default=0, help="Sequences a step [default: about 1,024 tokens a GPU].")
@click.option("--seq", type=int, default=0, help="Tokens a sequence [default: the model's].")
@click.option("--precision", default="bf16", show_default=True, help="fp16, bf16, fp8, mxfp8 or nvfp4.")
@click.option(
    "--stack", default="", help="Software profile [default: nemo-2025]; `plan show stacks` lists them."
)
@click.option("--recompute", type=str, help="none, selective or full; left free it is searched.")
@_layout_options
@click.option(
    "--region", default="usa", show_default=True, help="Where the grid's carbon and prices are from."
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
    found = _search(model_name, cluster_name, gpus, flags)
    if not found.ranked:
        raise InvalidInput("; ".join((f"no layout of {model_name} fits {gpus} GPUs", *found.notes[:2])))
    spec = msgspec.structs.replace(found.run, num_tokens=num_tokens)
    own = read_calibration(flags["calibration"]) if flags["calibration"] else None
    told = predict(spec, scale=own.scale, step_band=own.band) if own else predict(spec)
    ahead = _outlook(spec, told, flags) if num_tokens else None
    if flags["report"]:
        from hubbub.plan.report import write_report
        from hubbub.plan.report_of_run import report_of_run

        write_report(report_of_run(spec, told, ahead, found.points), flags["report"])
        print_note(f"the pictures are in {flags['report']}")
    if as_json:
        print_json({"run": spec, "prediction": told, "outlook": ahead})
        return
    _print(spec, told, ahead)
    for note in found.notes:
        print_note(note)


def _search(model_name: str, cluster_name: str, gpus: int, flags: dict[str, Any]) -> LayoutSearch:
    from hubbub.plan.hardware import find_cluster
    from hubbub.plan.layouts import search
    from hubbub.plan.models import find_model

    fixed = {name: flags[name] for name in (*_LAYOUT, "recompute") if flags[name] is not None}
    return search(
        find_model(model_name),
        find_cluster(cluster_name),
        gpus,
        global_batch=flags["batch"],
        seq=flags["seq"],
        precision=flags["precision"].lower(),
        stack=flags["stack"],
        fixed=fixed,
        top=1,
    )


def _outlook(spec: RunSpec, told: Prediction, flags: dict[str, Any]) -> Outlook:
    from hubbub.plan.outlook import Circumstances, outlook
    from hubbub.plan.throughput import Speed
    from hubbub.units import to_datetime

    where = Circumstances(
        region=flags["region"],
        when=to_datetime(flags["at"]).date() if flags["at"] is not None else None,
        pue=spec.cluster.pue,
        power_cap_mw=flags["power_cap_mw"] or spec.cluster.power_cap_mw,
    )
    speed = Speed(tokens_per_s=told.tokens_per_s, busy_share=told.busy_share)
    gpu = spec.cluster.gpu.name
    return outlook(gpu, told.num_gpus, spec.model.num_params, spec.num_tokens, speed, where)


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
