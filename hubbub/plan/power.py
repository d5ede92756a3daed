"""What a cluster draws: servers by what the step does, switches, the hall, a cap; it knows no prices.

Servers are measured ones, never TDP: P = P_wait + (P_busy - P_wait) u, where u is the share of the step in
which the GPUs compute. P_busy is one server on its own; P_wait follows from the same work on 64 servers,
which took longer than a 64th and drew less (MLPerf Training v4.0 power logs). Other GPUs take the same
shares of their servers' rated maximum. What a power source must provide (`provisioned`) is another
figure: rated servers times what Colossus 1 shows for the whole hall.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from difflib import get_close_matches
from functools import cache

import msgspec

from hubbub.errors import InvalidInput
from hubbub.plan.estimate import Estimate, exact, product, total, within
from hubbub.plan.tables import bounded, figure, read_table


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A server (or rack) of `gpus` GPUs and its rated maximum."""

    gpu: str
    gpus: int
    rated_w: float
    source: str


class Draw(msgspec.Struct, frozen=True, kw_only=True):
    """What a cluster draws from its power source, and what the source must be able to give."""

    num_gpus: int
    busy_share: float
    server_w: Estimate
    switches_w: float
    pue: Estimate
    mean_mw: Estimate
    provisioned_mw: Estimate


class Capped(msgspec.Struct, frozen=True, kw_only=True):
    """How many GPUs run, at what clock, under a power cap; `clock_speed` is relative to the full clock."""

    num_gpus: int
    clock_mhz: float
    clock_speed: Estimate
    mean_mw: float
    way: str


@cache
def servers() -> dict[str, Server]:
    """Return every known server by its GPU."""
    return {row.gpu: row for row in read_table("servers.csv", Server)}


def find_server(gpu: str) -> Server:
    """Find the server of a GPU by the GPU's name.

    Raises:
        InvalidInput: none is known; the message names the nearest.
    """
    wanted = gpu.strip().lower().replace("_", "-")
    found = servers().get(wanted) or servers().get(wanted.split("-")[0])
    if found:
        return found
    near = get_close_matches(wanted, list(servers()), n=3, cutoff=0.3) or list(servers())
    raise InvalidInput(f"gpu {gpu[:40]!r} has no known server; nearest are {', '.join(near)}")


def busy_server_w(server: Server, busy_share: float, *, is_air: bool = True) -> Estimate:
    """Return a server's mean draw at its plug, in watts.

    Raises:
        InvalidInput: the share is not from 0 to 1.
    """
    if not 0 <= busy_share <= 1:
        raise InvalidInput(f"busy_share is {busy_share}; give the share of the step that computes, 0 to 1")
    busy, wait = figure("power.one_server_w"), _waiting_w()
    watts = (wait + (busy - wait) * busy_share) * server.rated_w / figure("power.anchor_rated_w")
    return within(watts * (figure("power.air_factor") if is_air else 1.0), figure("power.spread"))


def switches_w(num_gpus: int, server: Server) -> float:
    """Return what the switches of a full fat tree draw: a leaf's measured watts for each of its tiers.

    Of switches of radix k, k/2 GPUs need 1 tier, k^2/2 two (with half as many spines as leaves), k^3/4 three.
    """
    radix = figure("power.switch_ports")
    if num_gpus <= server.gpus:
        return 0.0
    tiers = next(
        (n for limit, n in ((radix, 1.0), (radix**2 / 2, 1.5), (radix**3 / 4, 2.5)) if num_gpus <= limit), 3.5
    )
    return figure("power.leaf_switch_w") * num_gpus / radix * tiers


def draw(
    gpu: str, num_gpus: int, *, busy_share: float, pue: float | None = None, is_air: bool = True
) -> Draw:
    """Return the draw of a cluster that trains.

    Raises:
        InvalidInput: the GPU is unknown, there are none, or the PUE is under 1.
    """
    server = find_server(gpu)
    if num_gpus < 1:
        raise InvalidInput(f"num_gpus is {num_gpus}; a cluster has 1 or more")
    if pue is not None and not (math.isfinite(pue) and pue >= 1):
        raise InvalidInput(f"pue is {pue}; it is 1 or more, and 1.1 in a modern hall")
    watts = busy_server_w(server, busy_share, is_air=is_air)
    count, switches = num_gpus / server.gpus, switches_w(num_gpus, server)
    overhead = bounded("power.pue") if pue is None else exact(pue)
    hall = product(total(watts.scaled(count), exact(switches)), overhead)
    return Draw(
        num_gpus=num_gpus,
        busy_share=busy_share,
        server_w=watts,
        switches_w=switches,
        pue=overhead,
        mean_mw=hall.scaled(1e-6),
        provisioned_mw=bounded("power.facility_per_rated").scaled(count * server.rated_w * 1e-6),
    )


def under_cap(
    full: Draw, firm_mw: float, peak_mw: float | None = None, tokens_per_s: Callable[[int], float] = float
) -> Capped:
    """Return the best way to live under a cap: fewer GPUs, lower clocks on all, or both.

    `firm_mw` (grid, generators) must carry the mean draw; `peak_mw` (those and batteries) what a source has
    to provide. The best is by `tokens_per_s` of the GPUs that run. A lower clock c takes c^k of the GPUs'
    share of the power, and the computing share of the step 1/c of the time; k and the slowdown are bounded
    (`clock.*`), and c is not taken below what was run.

    Raises:
        InvalidInput: the cap is not a number above 0.
    """
    peak_mw = firm_mw if peak_mw is None else peak_mw
    for name, value in (("firm_mw", firm_mw), ("peak_mw", peak_mw)):
        if not value >= 0:
            raise InvalidInput(f"{name} is {value}; give megawatts, 0 or more")
    fit = min(firm_mw / full.mean_mw.mid, peak_mw / full.provisioned_mw.mid)
    lowest, gpus = figure("clock.min_mhz") / figure("clock.full_mhz"), figure("power.gpu_share")
    steps = [1.0] if fit >= 1 else [1 - n * (1 - lowest) / 16 for n in range(17)]
    if clock_power(lowest) < fit < 1:  # the clock at which all of them just fit
        steps.append(((fit - 1 + gpus) / gpus) ** (1 / figure("clock.exponent")))
    runs = [(c, math.floor(full.num_gpus * min(1.0, fit / clock_power(c)) + 1e-6)) for c in steps]
    clock, num_gpus = max(runs, key=lambda r: tokens_per_s(r[1]) * clock_speed(r[0], full.busy_share).mid)
    ways = [*(["fewer gpus"] if num_gpus < full.num_gpus else []), *(["lower clocks"] if clock < 1 else [])]
    return Capped(
        num_gpus=num_gpus,
        clock_mhz=clock * figure("clock.full_mhz"),
        clock_speed=clock_speed(clock, full.busy_share),
        mean_mw=full.mean_mw.mid * num_gpus / full.num_gpus * clock_power(clock),
        way=" and ".join(ways) or "none",
    )


def require_power(full: Draw, cap_mw: float) -> None:
    """Refuse a cluster that its power cap does not carry.

    Raises:
        InvalidInput: the hall must provide more than `power_cap_mw`; the message names what would work.
    """
    if cap_mw >= full.provisioned_mw.mid:
        return
    fewer = math.floor(full.num_gpus * max(0.0, cap_mw) / full.provisioned_mw.mid)
    raise InvalidInput(
        f"power_cap_mw is {cap_mw:g}, but {full.num_gpus:,} GPUs need {full.provisioned_mw.mid:.4g} MW; "
        f"{fewer:,} GPUs fit, or raise the cap to {full.provisioned_mw.mid:.4g}"
    )


def clock_power(clock: float) -> float:
    """Return the share of a server's power left at a share of the full clock."""
    gpus = figure("power.gpu_share")
    return 1 - gpus + gpus * math.exp(figure("clock.exponent") * math.log(clock))


def clock_speed(clock: float, busy_share: float) -> Estimate:
    """Return the speed left at a share of the full clock: the computing share slows, the rest does not.

    Its bounds: nothing slows; or as much as NVIDIA's Max-Q scripts allow for, as a power of the clock.
    """
    ratio = figure("clock.maxq_mhz") / figure("clock.full_mhz")
    worst = math.exp(-math.log(figure("clock.maxq_walltime")) / math.log(ratio) * math.log(clock))
    mid = 1 / (1 + busy_share * (1 / clock - 1))
    return Estimate(low=min(worst, mid), mid=mid, high=1.0)


@cache
def _waiting_w() -> float:
    """Solve the two runs of one job for the draw at u = 0, where one server alone has u = 1."""
    busy, many = figure("power.one_server_w"), figure("power.many_servers_w")
    share = figure("power.one_server_min") / figure("power.many_servers") / figure("power.many_servers_min")
    return (many - busy * share) / (1 - share)


def energy_kwh(mean_mw: Estimate, hours: Estimate) -> Estimate:
    """Return the energy of a run."""
    return product(mean_mw, hours).scaled(1000)


def carbon_kg(energy: Estimate, g_per_kwh: Estimate) -> Estimate:
    """Return the carbon dioxide of energy, in kilograms."""
    return product(energy, g_per_kwh).scaled(1e-3)
