"""What the pages of one run and of one scenario hold: their facts, pictures and sources; it draws nothing."""

from __future__ import annotations

from collections.abc import Sequence

from hubbub.plan.cost import find_price, has_price
from hubbub.plan.estimate import Estimate
from hubbub.plan.hardware import GIB
from hubbub.plan.outlook import Circumstances, Outlook, outlook
from hubbub.plan.pictures import LayoutPoint, layout_picture, memory_picture, step_picture
from hubbub.plan.pictures_of_ramp import ramp_pictures
from hubbub.plan.pictures_of_running import goodput_picture, money_picture, power_picture
from hubbub.plan.power import find_server
from hubbub.plan.predict import Prediction, StageReport
from hubbub.plan.prospect import Prospect
from hubbub.plan.ramp import Comparison
from hubbub.plan.scenario import Scenario
from hubbub.plan.tables import figures
from hubbub.plan.wording import tell, tell_layout, tell_usd
from hubbub.report import Fact, Picture, Report
from hubbub.specs import RunSpec

_NOTE = "Bands hold eight of ten outcomes where the data allow one."
_KEYS = ("rate.llama3", "checkpoint.bytes_per_param", "power.one_server_w", "power.facility_per_rated")
_OWN_KEYS = ("capex.interconnect_share", "capex.volume_at_100k", "capex.hall_usd_per_mw")


def report_of_run(
    run: RunSpec, told: Prediction, ahead: Outlook | None, layouts: Sequence[LayoutPoint] = ()
) -> Report:
    """Return the page of one run; without an outlook (no tokens were given), of one step."""
    gpu, capacity = run.cluster.gpu.name, run.cluster.gpu.memory_bytes
    pictures: list[Picture] = [
        step_picture({name.replace("_", " "): seconds for name, seconds in told.parts_s.items()}),
        memory_picture([_parts(stage) for stage in told.memory], capacity),
    ]
    if layouts:
        pictures.append(layout_picture(layouts, capacity))
    if ahead:
        pictures += [goodput_picture(ahead.goodput), power_picture(ahead.draw)]
        if ahead.owned and ahead.rent_usd:
            pictures.append(money_picture(ahead.owned, gpu, ahead.when))
    return Report(
        title=f"{run.model.name} on {told.num_gpus:,} {gpu.upper()}",
        lead=f"{run.precision}, {run.global_batch:,} sequences of {run.seq_len:,} a step, "
        f"{tell_layout(run.layout)}, stack {told.stack}",
        facts=(*_step_facts(told), *(_outlook_facts(ahead) if ahead else ())),
        pictures=tuple(pictures),
        sources=_sources(run, ahead),
        note=_NOTE,
    )


def report_of_build(scenario: Scenario, told: Comparison, prospect: Prospect) -> Report:
    """Return the page of a scenario; what surrounds the run is shown for its largest cluster."""
    facts = [
        Fact(
            name=f"{each.plan}: done",
            value=str(each.done or "not in 30 years"),
            band=f"{each.done_early} to {each.done_late or 'after 30 years'}; {tell_usd(each.run_usd)}",
        )
        for each in told.outcomes
    ]
    sources = [f"{key}: {figures()[key].source}" for key in (*_KEYS, *_OWN_KEYS)]
    return Report(
        title=f"Building up: {scenario.name}",
        lead=f"{scenario.tokens / 1e12:.4g}T tokens of {scenario.model} on {scenario.gpu.upper()}; "
        f"earliest: {told.earliest or 'none'}, cheapest: {told.cheapest or 'none'}.",
        facts=tuple(facts),
        pictures=(*ramp_pictures(told), *_surroundings(scenario, told, prospect)),
        sources=(*scenario.notes, *sources),
        note=_NOTE,
    )


def _surroundings(scenario: Scenario, told: Comparison, prospect: Prospect) -> list[Picture]:
    most = max((point.state.num_gpus for each in told.outcomes for point in each.curve), default=0)
    if not most:
        return []
    ahead = outlook(
        scenario.gpu,
        most,
        prospect.model.num_params,
        scenario.tokens,
        prospect.speed_of(most),
        Circumstances(region=scenario.region, when=scenario.plans[0].phases[0].date, pue=scenario.pue),
    )
    pictures = [goodput_picture(ahead.goodput), power_picture(ahead.draw)]
    if ahead.owned and ahead.rent_usd:
        pictures.append(money_picture(ahead.owned, scenario.gpu, ahead.when))
    return pictures


def _parts(stage: StageReport) -> dict[str, float]:
    names = [name for name in stage.__struct_fields__ if name != "stage"]
    return {name.removesuffix("_gib"): getattr(stage, name) * GIB for name in names}


def _step_facts(told: Prediction) -> tuple[Fact, ...]:
    fits = "fits" if told.fits else "does not fit"
    return (
        _fact("Step", told.step_s, "s"),
        _fact("Million tokens a second", told.tokens_per_s.scaled(1e-6), ""),
        _fact("MFU", told.mfu, "", ".1%"),
        Fact(name="Memory", value=f"{told.memory_gib:.1f} GiB", band=f"{fits}, of {told.capacity_gib:.0f}"),
    )


def _outlook_facts(ahead: Outlook) -> tuple[Fact, ...]:
    facts = [
        _fact("Wall time", ahead.days, "days"),
        _fact("Goodput", ahead.goodput.goodput, "", ".0%"),
        _fact("Mean power", ahead.draw.mean_mw, "MW"),
        _fact("Energy", ahead.energy_mwh, "MWh", ",.0f"),
        _fact("Carbon", ahead.carbon_t, "t CO2", ",.0f"),
    ]
    if ahead.rent_usd:
        facts.append(_fact("Rented", ahead.rent_usd.scaled(1e-6), "M USD"))
    if ahead.own_usd:
        facts.append(_fact("Owned", ahead.own_usd.scaled(1e-6), "M USD"))
    return tuple(facts)


def _fact(name: str, figure: Estimate, unit: str, form: str = ".3g") -> Fact:
    value, _, band = tell(figure, form).partition(" (")
    return Fact(name=name, value=f"{value} {unit}".strip(), band=band.rstrip(")"))


def _sources(run: RunSpec, ahead: Outlook | None) -> tuple[str, ...]:
    gpu = run.cluster.gpu
    told = [
        f"model {run.model.name}: {run.model.source}" if run.model.source else "",
        f"GPU {gpu.name}: {gpu.source}",
        f"cluster {run.cluster.name}: {run.cluster.source}" if run.cluster.source else "",
    ]
    if ahead:
        told += [f"{key}: {figures()[key].source}" for key in _KEYS]
        told += [
            f"server: {find_server(gpu.name).source}",
            f"region {ahead.region.code}: {ahead.region.source}",
        ]
        for kind in ("rent", "buy"):
            if has_price(gpu.name, kind):
                price = find_price(gpu.name, kind, ahead.when)
                told.append(f"{kind}, {price.year}, {price.num_quotes} quotes: {price.source}")
    return tuple(filter(None, told))
