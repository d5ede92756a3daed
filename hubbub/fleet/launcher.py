"""What every engine that runs tenants' jobs can do, and how one is found by its URL; it starts none itself.

`local:DIR` runs processes on this machine, `slurm:DIR` leads a real Slurm, `ray://HOST:PORT` a Ray cluster.
None of them uses a shell: every name and argument is handed over as it is.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Protocol, TypeAlias

import msgspec

from hubbub.errors import InvalidInput
from hubbub.fleet.actions import Action
from hubbub.fleet.spec import FleetSpec, GridEvent, Pool, Site, Tenant
from hubbub.fleet.state import FleetState

KINDS = ("local", "slurm", "ray")
NO_LIMIT_S = 10 * 365 * 86_400.0
"""What a job is taken to need of which nobody said how long it takes."""


class Waiting(msgspec.Struct, frozen=True):
    """Why the engine itself says that a job waits, and since when by its clock."""

    reason: str
    submitted_s: float


class Truth(msgspec.Struct):
    """A moment of an engine: what runs where, what waits, what has ended of late."""

    state: FleetState
    waiting: dict[str, Waiting]
    names: dict[str, str]
    """Job names by id; they never reach a shell."""
    held: dict[str, str] = {}
    """Why the engine holds a waiting job back for now, whatever is free."""
    ended: dict[str, str] = {}
    """How the last jobs ended, by id, in a few words; empty where the engine does not tell."""
    out: dict[tuple[str, int], str] = {}
    """Why a node (pool, number) is out of order: `drained: ...` or `down: ...`."""
    lemons: dict[tuple[str, int], str] = {}
    """What makes a node suspicious, by `health`."""
    notes: tuple[str, ...] = ()
    """What a person has to know now: nobody decides, the disk is full."""


Edit: TypeAlias = Callable[[FleetSpec], FleetSpec]
"""What makes of the fleet as it is another; a whole one that was made before would undo others' changes."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A command that a tenant wants to run."""

    tenant: str
    gpus: int
    command: Sequence[str]
    name: str
    expected_s: float | None
    min_gpus: int
    directory: Path | None


class Launcher(Protocol):
    """An engine that runs."""

    url: str
    spec: FleetSpec

    def look(self) -> Truth:
        """Read this moment; nothing changes."""

    def submit(
        self,
        tenant: str,
        gpus: int,
        command: Sequence[str],
        *,
        name: str = "job",
        expected_s: float | None = None,
        min_gpus: int = 0,
        directory: Path | None = None,
    ) -> str:
        """Let a command wait for its GPUs, and return the job's id; SIGTERM tells it to save and leave.

        With `min_gpus` it is content with so many: it is told to leave, and starts again with fewer or more.
        It gets this process's environment, and runs in this directory where none is given.

        Raises:
            InvalidInput: the tenant is not known, or the gang has no place.
            StorageError: the disk refused; there is no job then.
        """
        wish = Wish(
            tenant=tenant, gpus=gpus, command=command, name=name, expected_s=expected_s, min_gpus=min_gpus,
            directory=directory,
        )  # fmt: skip
        return self.hand_in(wish)

    def hand_in(self, wish: Wish) -> str:
        """Do what `submit` says."""

    def cancel(self, job: str) -> None:
        """End a job that waits or runs; who may is for the caller to check."""

    def carry_out(self, action: Action) -> None:
        """Do what was decided; InvalidInput names what this engine cannot."""

    def output_of(self, job: str) -> Path | None:
        """Return where a job's output is written, None where that is no file of this machine."""

    def change(self, to: FleetSpec | Edit) -> None:
        """Take another fleet's tenants and caps over, or edit those of now; the nodes stay.

        Nobody else changes the fleet between the reading and the writing.
        """

    def stop(self) -> None:
        """Cancel all jobs and end what was brought up."""


def kind_of(url: str) -> tuple[str, str]:
    """Split a URL into the engine's kind and its place.

    Raises:
        InvalidInput: it names none that we know.
    """
    kind, _, where = url.partition(":")
    where = where.removeprefix("//") if kind == "ray" else where
    if kind not in KINDS or not where:
        near = get_close_matches(kind, KINDS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InvalidInput(f"fleet {url[:80]!r}: write local:DIR, slurm:DIR or ray://HOST:PORT{hint}")
    return kind, where


def open_launcher(url: str, *, make: bool = False) -> Launcher:
    """Find what runs at a URL; `make` makes a local one where there is none.

    Raises:
        InvalidInput: nothing does; how to bring it up is said.
        MissingExtra: what it needs is not installed.
    """
    kind, where = kind_of(url)
    if kind == "slurm":
        from hubbub.fleet.slurm.cluster import find

        return find(Path(where))
    if kind == "ray":
        from hubbub.fleet.ray.launcher import open_ray

        return open_ray(url, where, make=make)
    from hubbub.fleet.local.launcher import open_local

    return open_local(Path(where), make=make)


def bring_up(
    url: str,
    spec: FleetSpec | None,
    tell: Callable[[str], None] | None = None,
    *,
    has_accounts: bool = False,
    grace_s: float | None = None,
) -> Launcher:
    """Start an engine with a fleet at a URL (None: what it had, or the usual), and return when it takes jobs.

    `has_accounts` is for a Slurm: with accounts, quotas and fair shares in its own database. `grace_s` is
    what jobs have from SIGTERM to SIGKILL; a Slurm has its own, and the others 30 s where nothing is said.

    Raises:
        InUse: one runs there already.
        MissingExtra: what it needs is not installed.
        StorageError: it did not come up.
    """
    kind, where = kind_of(url)
    if kind == "slurm":
        from hubbub.fleet.slurm.bring_up import start

        if grace_s is not None:
            raise InvalidInput(f"fleet {url!r}: a Slurm's grace is its own (KillWait, slurm.conf)")
        return start(Path(where), spec, has_accounts=has_accounts, tell=tell)
    if has_accounts:
        raise InvalidInput(f"fleet {url!r}: only a Slurm keeps accounts; write slurm:DIR")
    if kind == "ray":
        from hubbub.fleet.ray.launcher import start_ray

        return start_ray(url, where, spec, grace_s)
    from hubbub.fleet.local.launcher import start_local

    return start_local(Path(where), spec, grace_s)


def check_same_pools(url: str, now: FleetSpec, then: FleetSpec) -> None:
    """Refuse a change that would need other nodes.

    Raises:
        InvalidInput: the pools differ.
    """
    ours, theirs = (
        [(pool.name, pool.num_nodes, pool.gpus_per_node, pool.gpu) for pool in spec.pools]
        for spec in (now, then)
    )
    if ours != theirs:
        raise InvalidInput(
            f"{url} runs with the pools (name, nodes, GPUs each, GPU) {ours}, the fleet has {theirs}; its "
            f"nodes stay as they are: hubbub fleet down --on {url}, then up --fleet"
        )


def changed(url: str, now: FleetSpec, to: FleetSpec | Edit) -> FleetSpec:
    """Return what a running fleet becomes, its grid events dated; to be called while nobody changes it.

    Raises:
        InvalidInput: the pools differ, or the edit refused.
    """
    then = to(now) if callable(to) else to
    check_same_pools(url, now, then)
    return dated(then)


def capped(spec: FleetSpec, site: str, cap_kw: float) -> FleetSpec:
    """Return a fleet in which a site may draw so much.

    Raises:
        InvalidInput: there is no such site, or the cap is below what its nodes draw when idle.
    """
    if site not in [each.name for each in spec.sites]:
        raise InvalidInput(f"site {site!r} is not known; the fleet has {[each.name for each in spec.sites]}")
    sites = tuple(
        msgspec.structs.replace(each, cap_kw=cap_kw) if each.name == site else each for each in spec.sites
    )
    return msgspec.structs.replace(spec, sites=sites)


_NOTICE_S = 10.0
"""Jobs that a grid event takes off leave so long before it: what they need to save and end."""


def announced(spec: FleetSpec, site: str, cap_kw: float, start_s: float, duration_s: float) -> FleetSpec:
    """Return a fleet that knows of one more grid event (seconds of the epoch), without those that are over.

    Raises:
        InvalidInput: there is no such site, or the event does not lower its cap.
    """
    full_kw = {each.name: each.cap_kw for each in spec.sites}.get(site)
    if full_kw is None or not 0 < cap_kw < full_kw or duration_s <= 0:
        raise InvalidInput(
            f"site {site!r}, {cap_kw:g} kW for {duration_s:g} s: the sites may draw "
            f"{ {each.name: each.cap_kw for each in spec.sites} } kW, and a grid event takes some of it"
        )
    event = GridEvent(
        site=site, start_s=start_s, duration_s=duration_s, cut=1 - cap_kw / full_kw, notice_s=_NOTICE_S
    )
    kept = [known for known in spec.grid_events if known.start_s + known.duration_s > time.time()]
    return msgspec.structs.replace(spec, grid_events=(*kept, event))


def dated(spec: FleetSpec) -> FleetSpec:
    """Return a fleet whose grid events are seconds since 1970; a file's count from now."""
    events = tuple(
        event if event.start_s > 1e9 else msgspec.structs.replace(event, start_s=time.time() + event.start_s)
        for event in spec.grid_events
    )
    return msgspec.structs.replace(spec, grid_events=events)


_NAME = re.compile(r"[\w.+-]{1,64}\Z", re.ASCII)


def check_wish(spec: FleetSpec, wish: Wish) -> Pool:
    """Refuse a job that no engine can run, and return the first pool that is large enough.

    Raises:
        InvalidInput: the tenant is not known, the name does not do, there is no command or no place.
    """
    gpus = wish.gpus
    if wish.tenant not in (known := [tenant.name for tenant in spec.tenants]):
        raise InvalidInput(f"tenant {wish.tenant!r} is not known; the fleet has {known}")
    if not _NAME.match(wish.name):
        raise InvalidInput(f"job name {wish.name!r}: use 1 to 64 letters, digits, . _ + -")
    if not wish.command:
        raise InvalidInput("there is no command to run; write it after --")
    if wish.min_gpus and not 1 <= wish.min_gpus <= gpus:
        raise InvalidInput(f"{wish.min_gpus} GPUs at least, of {gpus}: give 1 to {gpus}")
    pool = next((p for p in spec.pools if gpus <= p.num_nodes * p.gpus_per_node), None)
    if pool is None or gpus < 1:
        largest = max(pool.num_nodes * pool.gpus_per_node for pool in spec.pools)
        raise InvalidInput(f"{gpus} GPUs: ask for 1 to {largest}")
    return pool


USUAL_TENANTS = (
    Tenant(name="xai", priority=20),
    Tenant(name="x", priority=20),
    Tenant(name="tesla", priority=10),
)


def pretend_fleet(num_nodes: int = 4, gpus_per_node: int = 8) -> FleetSpec:
    """Return a hall of so many nodes for xai and x, who go first, and tesla."""
    pool = Pool(
        name="hall", num_nodes=num_nodes, gpus_per_node=gpus_per_node, site="hall", busy_kw_per_gpu=1.0
    )
    return FleetSpec(
        pools=(pool,),
        tenants=USUAL_TENANTS,
        sites=(Site(name="hall", cap_kw=float(num_nodes * gpus_per_node)),),
    )
