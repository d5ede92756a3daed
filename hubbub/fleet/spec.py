"""What a fleet is made of: tenants, pools of nodes, sites with power, grid events; it holds no state."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from pathlib import Path

import msgspec

from hubbub.errors import InvalidInput, StorageError
from hubbub.fleet.deliveries import Orders


class Tenant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A company on the fleet. What it holds within its guarantee is its right; beyond, it borrows."""

    name: str
    priority: int = 0
    """Higher goes first, and may take from lower what these borrow."""
    guaranteed_gpus: int = 0
    max_usd_per_gpu_hour: float = 0.0
    """It rents for a job that waits, up to this price, and uses what costs no more; 0: never."""
    max_gpus: int = 0
    """It never holds more; 0: no limit."""


class Pool(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Equal nodes at one site; a rented pool starts empty and holds at most so many."""

    name: str
    num_nodes: int
    gpus_per_node: int = 8
    gpu: str = "h100"
    site: str = ""
    is_rented: bool = False
    usd_per_gpu_hour: float = 0.0
    busy_kw_per_gpu: float = 0.0
    """Of the whole server and its cooling; what `hubbub plan` states for a cluster."""
    idle_kw_per_gpu: float = 0.0
    lead_s: float = 0.0
    """From ordering a rented node to running on it."""
    idle_release_s: float = 600.0
    """A rented node goes back after so long without work."""
    mttf_node_days: float = 0.0
    """Mean time to a failure of one node; 0: never. Llama 3: 3.79 a 1,000 node-days (arXiv 2407.21783)."""
    repair_s: float = 3600.0
    lemon_share: float = 0.0
    """Of its nodes, so many fail `lemon_factor` times as often as the others; for simulations."""
    lemon_factor: float = 1.0
    mend_s: float = 604_800.0
    """A drained node is back after so long, with what was broken replaced."""
    nodes_per_leaf: int = 0
    """Nodes under one leaf switch, numbered one leaf after another; 0: not known."""
    num_spares: int = 0
    """Nodes kept idle, on which a gang goes on at once when one of its nodes fails."""
    min_clock: float = 1.0
    """How far the GPUs' clock may be lowered when power lacks, as a share of the full one (see `clocks`)."""


class Site(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A hall on one feed."""

    name: str
    cap_kw: float


class GridEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The grid asks a site to draw less for a while: `cut` is the share of its cap that is taken."""

    site: str
    start_s: float
    duration_s: float
    cut: float
    notice_s: float = 0.0
    """So long before it starts jobs leave: they have saved, and the cut holds from its first second."""


class FleetSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fleet as its file describes it."""

    pools: tuple[Pool, ...]
    tenants: tuple[Tenant, ...] = ()
    sites: tuple[Site, ...] = ()
    grid_events: tuple[GridEvent, ...] = ()
    deliveries: Orders | None = None
    """GPUs on their way: in a simulation they join, with their tenant's guarantee, when switched on."""
    begins: dt.date | None = None
    """The day of second 0; deliveries need it."""
    half_life_days: float = 7.0
    """Of what a tenant used, for fair shares over time; Slurm's PriorityDecayHalfLife is a week, too."""

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        for kind, things in (("tenant", self.tenants), ("pool", self.pools), ("site", self.sites)):
            _refuse_doubles(kind, [thing.name for thing in things])
        for thing in (*self.tenants, *self.pools, *self.sites, *self.grid_events):
            _refuse_numbers(thing)
        if not self.pools:
            raise InvalidInput("the fleet has no pools; give at least one [[pools]]")
        sites = {site.name: site for site in self.sites}
        for pool in self.pools:
            _check_pool(pool, sites)
        for event in self.grid_events:
            if event.site not in sites or not 0 < event.cut < 1 or event.duration_s <= 0:
                raise InvalidInput(
                    f"grid event at second {event.start_s:g}: site {event.site!r} must be one of "
                    f"{sorted(sites)}, cut {event.cut:g} between 0 and 1, duration_s above 0"
                )
        self._check_power(sites)
        promised = sum(tenant.guaranteed_gpus for tenant in self.tenants)
        if promised > self.num_gpus:
            raise InvalidInput(
                f"the tenants are guaranteed {promised:,} GPUs, and the fleet owns {self.num_gpus:,}; "
                "nobody can take back what does not exist: lower guaranteed_gpus"
            )
        if self.deliveries is not None:
            self._check_deliveries(self.deliveries)

    def _check_power(self, sites: dict[str, Site]) -> None:
        for name, site in sites.items():
            idle_kw = sum(idle_kw_of(pool) for pool in self.pools if pool.site == name and not pool.is_rented)
            cut = max((event.cut for event in self.grid_events if event.site == name), default=0.0)
            if idle_kw > site.cap_kw * (1 - cut):
                least = f"{site.cap_kw * (1 - cut):g} kW" + (f" that a cut of {cut:g} leaves" if cut else "")
                raise InvalidInput(
                    f"site {name!r}: its nodes draw {idle_kw:g} kW when idle, above its cap of {least}; "
                    "raise cap_kw or take nodes away"
                )

    def _check_deliveries(self, orders: Orders) -> None:
        own = {pool.name: pool for pool in self.pools if not pool.is_rented}
        if self.begins is None or not own:
            raise InvalidInput("deliveries need `begins`, the day of second 0, and a pool that is owned")
        for room in orders.readiness:
            if room.pool and room.pool not in own:
                raise InvalidInput(
                    f"readiness of {room.tenant!r}: pool {room.pool!r} is not owned here: {sorted(own)}"
                )
        size = max(pool.gpus_per_node for pool in own.values())
        for gpus in (each.gpus for some in (orders.shipments, orders.readiness) for each in some):
            if gpus % size:
                raise InvalidInput(f"a delivery or readiness of {gpus} GPUs is not whole nodes of {size}")

    @property
    def num_gpus(self) -> int:
        """Count the GPUs that are owned."""
        return sum(pool.num_nodes * pool.gpus_per_node for pool in self.pools if not pool.is_rented)


def idle_kw_of(pool: Pool) -> float:
    """Return what a pool draws with nothing running."""
    return pool.num_nodes * pool.gpus_per_node * pool.idle_kw_per_gpu


def _check_pool(pool: Pool, sites: dict[str, Site]) -> None:
    if pool.num_nodes < 1 or pool.gpus_per_node < 1:
        raise InvalidInput(
            f"pool {pool.name!r}: {pool.num_nodes} nodes of {pool.gpus_per_node} GPUs; give 1 or more of each"
        )
    if pool.site and pool.site not in sites:
        raise InvalidInput(f"pool {pool.name!r}: site {pool.site!r} is not described; known: {sorted(sites)}")
    if not 0 <= pool.idle_kw_per_gpu <= pool.busy_kw_per_gpu:
        raise InvalidInput(
            f"pool {pool.name!r}: busy_kw_per_gpu {pool.busy_kw_per_gpu:g} is below idle_kw_per_gpu "
            f"{pool.idle_kw_per_gpu:g}"
        )
    if pool.num_spares >= pool.num_nodes or not 0.1 <= pool.min_clock <= 1:
        raise InvalidInput(
            f"pool {pool.name!r}: num_spares {pool.num_spares} must be below num_nodes {pool.num_nodes}, and "
            f"min_clock {pool.min_clock:g} from .1 to 1"
        )
    if pool.lemon_share > 1 or pool.lemon_factor < 1:
        raise InvalidInput(
            f"pool {pool.name!r}: lemon_share {pool.lemon_share:g} must be 0 to 1, lemon_factor "
            f"{pool.lemon_factor:g} 1 or more"
        )


def _refuse_numbers(thing: msgspec.Struct) -> None:
    """Refuse what is negative, infinite or no number: TOML knows inf and nan, which compare as false."""
    for field in thing.__struct_fields__:
        value = getattr(thing, field)
        if isinstance(value, int | float) and field != "priority" and not 0 <= value < math.inf:
            name = getattr(thing, "name", "at a site")
            raise InvalidInput(
                f"{type(thing).__name__.lower()} {name!r}: {field} is {value:g}; it must be 0 or more"
            )


def _refuse_doubles(kind: str, names: Sequence[str]) -> None:
    for name in names:
        if not name or names.count(name) > 1:
            raise InvalidInput(f"{kind} {name!r} is named {names.count(name)} times; give each its own name")


def read_fleet(path: str | Path) -> FleetSpec:
    """Read a fleet's TOML file, or the built-in one of the name `memphis`.

    Raises:
        StorageError: the file cannot be read.
        InvalidInput: it is no TOML, or a field is wrong; file and field are named.
    """
    built_in = Path(__file__).with_name("data") / "memphis.toml"
    try:
        data = (built_in if path == "memphis" else Path(path)).read_bytes()
    except FileNotFoundError:
        raise InvalidInput(f"there is no fleet {str(path)!r}: look at the name, or say memphis") from None
    except OSError as error:
        raise StorageError(f"cannot read fleet {str(path)!r}: {error.strerror}") from error
    try:
        return msgspec.toml.decode(data, type=FleetSpec)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"fleet {str(path)!r}: {error}") from error
