"""What every engine that runs tenants' jobs can do, and how one is found by its URL; it starts none itself.

`local:DIR` runs processes on this machine, `slurm:DIR` leads a real Slurm, `ray://HOST:PORT` a Ray cluster.
None of them uses a shell: every name and argument is handed over as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from hubbub.errors import InvalidInput
from hubbub.fleet.actions import Action
from hubbub.fleet.spec import FleetSpec, Pool, Site, Tenant
from hubbub.fleet.state import FleetState

KINDS = ("local", "slurm", "ray")
DEFAULT_URL = "local:.hubbub-fleet"
NO_LIMIT_S = 10 * 365 * 86_400.0
"""What a job is taken to need of which nobody said how long it takes."""


class Waiting(msgspec.Struct, frozen=True):
    """Why the engine itself says that a job waits, and since when by its clock."""

    reason: str
    submitted_s: float
    expected_start_s: float


class Truth(msgspec.Struct):
    """A moment of an engine: what runs where, what waits, what has ended of late."""

    state: FleetState
    waiting: dict[str, Waiting]
    names: dict[str, str]
    """Job names by id; they never reach a shell."""
    ended: dict[str, str] = {}
    """How the last jobs ended, by id, in a few words; empty where the engine does not tell."""
    out: dict[tuple[str, int], str] = {}
    """Why a node (pool, number) is out of order: `drained: ...` or `down: ...`."""
    lemons: dict[tuple[str, int], str] = {}
    """What makes a node suspicious, by `health`."""
    notes: tuple[str, ...] = ()
    """What a person has to know now: nobody decides, the disk is full."""


@runtime_checkable
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
        directory: Path | None = None,
    ) -> str:
        """Let a command wait for its GPUs, and return the job's id; SIGTERM tells it to save and leave."""

    def cancel(self, job: str) -> None:
        """End a job that waits or runs; who may is for the caller to check."""

    def carry_out(self, action: Action) -> None:
        """Do what was decided; InvalidInput names what this engine cannot."""

    def change(self, spec: FleetSpec) -> None:
        """Take another fleet's tenants and caps over; the nodes stay."""

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


def open_launcher(url: str) -> Launcher:
    """Find what runs at a URL.

    Raises:
        InvalidInput: nothing does; how to bring it up is said.
        MissingExtra: what it needs is not installed.
    """
    kind, where = kind_of(url)
    if kind == "slurm":
        from hubbub.fleet.slurm.cluster import find

        cluster: object = find(Path(where))
        assert isinstance(cluster, Launcher)
        return cluster
    raise InvalidInput(f"fleet {url!r}: {kind} is not there yet")


def bring_up(url: str, spec: FleetSpec, tell: Callable[[str], None] | None = None) -> Launcher:
    """Start an engine with a fleet at a URL, and return when it takes jobs.

    Raises:
        InUse: one runs there already.
        MissingExtra: what it needs is not installed.
        StorageError: it did not come up.
    """
    kind, where = kind_of(url)
    if kind == "slurm":
        from hubbub.fleet.slurm.cluster import start

        cluster: object = start(Path(where), spec, tell=tell)
        assert isinstance(cluster, Launcher)
        return cluster
    raise InvalidInput(f"fleet {url!r}: {kind} is not there yet")


def pretend_fleet(num_nodes: int = 4, gpus_per_node: int = 8) -> FleetSpec:
    """Return a hall of so many nodes for xai and x, who go first, and tesla."""
    pool = Pool(
        name="hall", num_nodes=num_nodes, gpus_per_node=gpus_per_node, site="hall", busy_kw_per_gpu=1.0
    )
    return FleetSpec(
        pools=(pool,),
        tenants=(
            Tenant(name="xai", priority=20),
            Tenant(name="x", priority=20),
            Tenant(name="tesla", priority=10),
        ),
        sites=(Site(name="hall", cap_kw=float(num_nodes * gpus_per_node)),),
    )
