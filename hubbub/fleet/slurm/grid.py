"""Grid events on a Slurm: what is cut is a reservation of licences, which Slurm itself ends in time.

So nothing starts above the cap while the event lasts, and all starts again after it, also when hubbub died.
Who runs already is not touched here: the policy takes the weakest off (`steer`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hubbub.fleet.slurm.config import licensed_watts
from hubbub.fleet.spec import FleetSpec, GridEvent

if TYPE_CHECKING:
    from hubbub.fleet.slurm.cluster import Cluster

_PREFIX = "hubbub_"
_TOLD = re.compile(rf"^ReservationName={_PREFIX}(\S+) .*? EndTime=(\S+) .*? Licenses=watt_\S+?:(\d+) ", re.M)


def reserve(cluster: Cluster, now_s: float) -> None:
    """Let Slurm keep back what the grid events of now (or soon: their notice) cut, and no more."""
    due = _due(cluster.spec, now_s)
    told = cluster.run("scontrol", "show", "reservation", "--oneliner")
    held = {site: int(watts) for site, _, watts in _TOLD.findall(told)}
    for site in held.keys() | due.keys():
        watts, event = due.get(site, (0, None))
        if held.get(site) == watts:
            continue
        if site in held:
            cluster.run("scontrol", "delete", f"ReservationName={_PREFIX}{site}")
        if event is not None:
            _create(cluster, site, watts, event)


def _create(cluster: Cluster, site: str, watts: int, event: GridEvent) -> None:
    cluster.run(
        "scontrol",
        "create",
        "reservation",
        f"ReservationName={_PREFIX}{site}",
        f"Licenses=watt_{site}:{watts}",
        "Flags=LICENSE_ONLY,ANY_NODES",
        "Users=root",
        "StartTime=now",
        f"EndTime=uts{round(event.start_s + event.duration_s)}",
    )


def _due(spec: FleetSpec, now_s: float) -> dict[str, tuple[int, GridEvent]]:
    """Return by site how many watts are cut, and by which event: the deepest of those that hold."""
    watts, found = licensed_watts(spec), dict[str, tuple[int, GridEvent]]()
    caps = {site.name: site.cap_kw for site in spec.sites}
    for event in spec.grid_events:
        if event.start_s - event.notice_s <= now_s < event.start_s + event.duration_s - 1:
            cut = min(round(event.cut * caps[event.site] * 1_000), watts[event.site])
            if cut > found.get(event.site, (0, None))[0]:
                found[event.site] = (cut, event)
    return found
