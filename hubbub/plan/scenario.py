"""A building scenario as a file tells it: a model, plans of phases, power sources; it computes nothing.

`read_scenario` takes a TOML file or the name of one that ships in `data/` (memphis).
"""

from __future__ import annotations

import datetime as dt
import math
import tomllib
from difflib import get_close_matches
from pathlib import Path

import msgspec

from hubbub.errors import InvalidInput
from hubbub.plan.cost import TERMS, OwnTerms
from hubbub.plan.hardware import read_data

HOWS = ("rent", "own")
SOURCES = ("grid", "generator", "battery")
BUILT_IN = ("memphis",)


class Phase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`gpus` more GPUs from a date on, rented (until a date, for a price) or owned."""

    date: dt.date
    gpus: int
    how: str
    until: dt.date | None = None
    term: str = "on-demand"
    usd_per_gpu_hour: float | None = None


class PowerSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Megawatts from a date on; a battery gives none on the mean, but carries what lies above it."""

    kind: str
    mw: float
    date: dt.date
    usd_per_kwh: float | None = None
    note: str = ""


class BuildPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to get the GPUs; the scenario's power feeds those that are owned."""

    name: str
    phases: tuple[Phase, ...]
    power: tuple[PowerSource, ...] = ()
    power_cap_mw: float | None = None


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be trained, on what, and the plans to compare.

    `global_batch` and `seq` are the step's; `stack` a dated software profile. `busy_share` is the share of
    the step in which the GPUs compute; left out, it comes from the prediction. `rate` names a published rate
    of interruptions; left out, the one that fits the GPU. Spare servers come on top of the GPUs of a phase.
    """

    name: str
    model: str
    tokens: float
    plans: tuple[BuildPlan, ...]
    gpu: str = "h100"
    cluster: str = ""
    start: dt.date | None = None
    deadline: dt.date | None = None
    region: str = "usa"
    precision: str = "bf16"
    stack: str = ""
    global_batch: int = 0
    seq: int = 0
    pue: float | None = None
    busy_share: float | None = None
    rate: str = ""
    restart_s: float | None = None
    own: OwnTerms = OwnTerms()
    notes: tuple[str, ...] = ()


def read_scenario(name: str) -> Scenario:
    """Read and check a scenario.

    Raises:
        InvalidInput: it cannot be read, or a field cannot be; the message names field, value and a remedy.
    """
    text = _text(name)
    try:
        scenario = msgspec.convert(tomllib.loads(text), Scenario)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InvalidInput(f"scenario {name!r}: {error}") from None
    _check(scenario)
    return scenario


def _text(name: str) -> str:
    stem = name.removesuffix(".toml")
    path = Path(name)
    if not path.exists() and stem in BUILT_IN:
        return read_data(f"{stem}.toml")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        near = get_close_matches(stem, BUILT_IN, n=1, cutoff=0.0)
        raise InvalidInput(f"scenario {name!r} cannot be read: {error}; {near[0]!r} is built in") from None


def _check(scenario: Scenario) -> None:
    if not (math.isfinite(scenario.tokens) and scenario.tokens > 0):
        raise InvalidInput(f"tokens is {scenario.tokens}; give the tokens to train on, as 15.6e12")
    for field in ("busy_share", "pue", "restart_s"):
        value = getattr(scenario, field)
        if value is not None and not (math.isfinite(value) and value > 0):
            raise InvalidInput(f"{field} is {value}; give a number above 0, or leave it out")
    if not scenario.plans:
        raise InvalidInput("plans is empty; give one [[plans]] with [[plans.phases]] at least")
    names = [plan.name for plan in scenario.plans]
    if len(set(names)) < len(names):
        raise InvalidInput(f"two plans have one name, of {', '.join(names)}; name each differently")
    for plan in scenario.plans:
        _check_plan(plan)


def _check_plan(plan: BuildPlan) -> None:
    if not plan.phases:
        raise InvalidInput(f"plan {plan.name!r}: phases is empty; give one date with GPUs at least")
    for before, after in zip(plan.phases, plan.phases[1:], strict=False):
        if after.date < before.date:
            raise InvalidInput(
                f"plan {plan.name!r}: date {after.date} comes after {before.date}; put the phases in order"
            )
    for phase in plan.phases:
        _check_phase(f"plan {plan.name!r}, phase {phase.date}", phase)
    for source in plan.power:
        where = f"plan {plan.name!r}, power {source.date}"
        _one_of(where, "kind", source.kind, SOURCES)
        if not (math.isfinite(source.mw) and source.mw >= 0):
            raise InvalidInput(f"{where}: mw is {source.mw}; give megawatts, 0 or more")
        _price(where, "usd_per_kwh", source.usd_per_kwh)
    cap = plan.power_cap_mw
    if cap is not None and not (math.isfinite(cap) and cap > 0):
        raise InvalidInput(f"plan {plan.name!r}: power_cap_mw is {cap}; give megawatts above 0")


def _check_phase(where: str, phase: Phase) -> None:
    if phase.gpus < 1:
        raise InvalidInput(f"{where}: gpus is {phase.gpus}; give how many are added, 1 or more")
    _one_of(where, "how", phase.how, HOWS)
    _one_of(where, "term", phase.term, TERMS)
    _price(where, "usd_per_gpu_hour", phase.usd_per_gpu_hour)
    if phase.until is not None and phase.until <= phase.date:
        raise InvalidInput(f"{where}: until {phase.until} is not after its date; give a later one")
    if phase.how == "own" and (phase.until or phase.usd_per_gpu_hour is not None):
        raise InvalidInput(f"{where}: until and usd_per_gpu_hour belong to how = 'rent'; leave them out")


def _one_of(where: str, field: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        near = get_close_matches(value, known, n=1, cutoff=0.0)[0]
        raise InvalidInput(f"{where}: {field} is {value!r}; nearest is {near!r}, of {', '.join(known)}")


def _price(where: str, field: str, value: float | None) -> None:
    if value is not None and not (math.isfinite(value) and value >= 0):
        raise InvalidInput(f"{where}: {field} is {value}; give dollars, 0 or more")
