"""Which shipment goes to which tenant, so that no GPU lies idle for want of a place to switch it on.

Every tenant keeps the count that it ordered, and no GPU of anybody is switched on later than without swaps.
Among such plans the one with the fewest idle GPU-days is chosen; then the one that switches on earliest,
higher priorities first; then the one that moves least. It is a transportation problem, solved exactly by
successive shortest paths (Ahuja, Magnanti, Orlin, Network Flows, 1993, section 9.7).
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TypeAlias

import msgspec

from hubbub.errors import InvalidInput, StorageError


class Shipment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GPUs that arrive on a date, as ordered by a tenant."""

    id: str
    tenant: str
    gpus: int
    arrives: dt.date


class Readiness(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From a date on, a tenant can switch on so many GPUs more."""

    tenant: str
    gpus: int
    ready: dt.date
    pool: str = ""
    """Of a fleet: where; empty: its first own pool."""


class Delay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """On a day it is told that a shipment comes on another."""

    shipment: str
    told: dt.date
    arrives: dt.date


class Orders(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was ordered, who can switch on what when, and whose turn it is when both could."""

    shipments: tuple[Shipment, ...]
    readiness: tuple[Readiness, ...] = ()
    priorities: dict[str, int] = {}
    delays: tuple[Delay, ...] = ()
    """What a simulation will hear of later."""
    horizon: dt.date | None = None
    """When what nobody can switch on is counted no further; else a year after the last date."""

    def __post_init__(self) -> None:
        """Refuse what cannot be planned."""
        names = [shipment.id for shipment in self.shipments]
        for delay in self.delays:
            if delay.shipment not in names:
                raise InvalidInput(f"delay of shipment {delay.shipment!r}: the shipments are {names}")
        for what, gpus in [(f"shipment {s.id!r}", s.gpus) for s in self.shipments] + [
            (f"readiness of {r.tenant!r}", r.gpus) for r in self.readiness
        ]:
            if gpus < 1:
                raise InvalidInput(f"{what}: gpus is {gpus}; it must be 1 or more")
        for name in names:
            if names.count(name) > 1:
                raise InvalidInput(
                    f"shipment {name!r} is named {names.count(name)} times; give each its own id"
                )
        if not names:
            raise InvalidInput("there are no shipments to plan; give at least one [[shipments]]")


class Handing(msgspec.Struct, frozen=True, kw_only=True):
    """GPUs of a shipment, who gets them, and when they are switched on."""

    shipment: str
    ordered_by: str
    goes_to: str
    gpus: int
    arrives: dt.date
    switched_on: dt.date | None
    """None: not before the horizon."""

    @property
    def is_swap(self) -> bool:
        """Whether somebody else gets them than who ordered them."""
        return self.ordered_by != self.goes_to


class DeliveryPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Who gets what, and what that saves."""

    handings: tuple[Handing, ...]
    idle_gpu_days_before: int
    idle_gpu_days: int

    @property
    def saved_gpu_days(self) -> int:
        """Return the GPU-days that no longer lie idle."""
        return self.idle_gpu_days_before - self.idle_gpu_days


class _Slot(msgspec.Struct):
    """Room for GPUs of one tenant: ready from a day on, and filled by a day without any swap."""

    tenant: str
    gpus: int
    ready_day: int
    filled_day: int


_Cost: TypeAlias = tuple[int, int, int]


def read_orders(path: str | Path) -> Orders:
    """Read orders from TOML.

    Raises:
        StorageError: the file cannot be read.
        InvalidInput: a field is wrong; file and field are named.
    """
    try:
        return msgspec.toml.decode(Path(path).read_bytes(), type=Orders)
    except FileNotFoundError:
        raise InvalidInput(f"there are no orders {str(path)!r}: look at the name") from None
    except OSError as error:
        raise StorageError(f"cannot read orders {str(path)!r}: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"orders {str(path)!r}: {error}") from error


def plan_deliveries(orders: Orders) -> DeliveryPlan:
    """Find the plan; call it again whenever a shipment or a hall is late."""
    last = max([s.arrives for s in orders.shipments] + [r.ready for r in orders.readiness])
    horizon_day = (orders.horizon or last + dt.timedelta(days=365)).toordinal()
    slots, before = _slots(orders, horizon_day)
    flows = _transport(orders, slots)
    handings, idle = [], 0
    for (s, k), gpus in sorted(flows.items()):
        shipment, slot = orders.shipments[s], slots[k]
        on_day = max(slot.ready_day, shipment.arrives.toordinal())
        idle += gpus * (on_day - shipment.arrives.toordinal())
        handings.append(
            Handing(
                shipment=shipment.id,
                ordered_by=shipment.tenant,
                goes_to=slot.tenant,
                gpus=gpus,
                arrives=shipment.arrives,
                switched_on=dt.date.fromordinal(on_day) if slot.ready_day < horizon_day else None,
            )
        )
    return DeliveryPlan(handings=_joined(handings), idle_gpu_days_before=before, idle_gpu_days=idle)


def _joined(handings: list[Handing]) -> tuple[Handing, ...]:
    """Write what goes the same way as one."""
    sums: dict[Handing, int] = {}
    for each in handings:
        alike = msgspec.structs.replace(each, gpus=0)
        sums[alike] = sums.get(alike, 0) + each.gpus
    return tuple(msgspec.structs.replace(each, gpus=gpus) for each, gpus in sums.items())


def _slots(orders: Orders, horizon_day: int) -> tuple[list[_Slot], int]:
    """Cut each tenant's room where its readiness or its shipments step; count idle days as ordered."""
    slots, idle = [], 0
    for tenant in dict.fromkeys(shipment.tenant for shipment in orders.shipments):
        arrivals = sorted((s.arrives.toordinal(), s.gpus) for s in orders.shipments if s.tenant == tenant)
        rooms = sorted((r.ready.toordinal(), r.gpus) for r in orders.readiness if r.tenant == tenant)
        rooms.append((horizon_day, sum(gpus for _, gpus in arrivals)))
        while arrivals:
            (arrives, num), (ready, room) = arrivals.pop(0), rooms.pop(0)
            gpus = min(num, room)
            slots.append(_Slot(tenant, gpus, ready, max(arrives, ready)))
            idle += gpus * (max(arrives, ready) - arrives)
            if num > gpus:
                arrivals.insert(0, (arrives, num - gpus))
            if room > gpus:
                rooms.insert(0, (ready, room - gpus))
    return slots, idle


def _cost(orders: Orders, shipment: Shipment, slot: _Slot) -> _Cost | None:
    """Return (idle days, lateness by priority, moved) of one GPU, None where it would come too late."""
    arrives = shipment.arrives.toordinal()
    on_day = max(arrives, slot.ready_day)
    if on_day > slot.filled_day:
        return None
    weight = 1 + orders.priorities.get(slot.tenant, 0)
    return on_day - arrives, weight * (on_day - slot.ready_day), int(shipment.tenant != slot.tenant)


def _transport(orders: Orders, slots: list[_Slot]) -> dict[tuple[int, int], int]:
    """Send every GPU from its shipment to a slot at the least cost, compared part by part."""
    left = [shipment.gpus for shipment in orders.shipments]
    room = [slot.gpus for slot in slots]
    costs = {
        (s, k): cost
        for s, shipment in enumerate(orders.shipments)
        for k, slot in enumerate(slots)
        if (cost := _cost(orders, shipment, slot)) is not None
    }
    flows: dict[tuple[int, int], int] = {}
    while any(left):
        path = _cheapest_path(left, room, costs, flows)
        amount = min(left[path[0][0]], room[path[-1][1]], *(flows[edge] for edge in path[1::2]), 1 << 60)
        left[path[0][0]] -= amount
        room[path[-1][1]] -= amount
        for n, edge in enumerate(path):
            flows[edge] = flows.get(edge, 0) + (-amount if n % 2 else amount)
            if not flows[edge]:
                del flows[edge]
    return flows


def _cheapest_path(
    left: list[int],
    room: list[int],
    costs: dict[tuple[int, int], _Cost],
    flows: dict[tuple[int, int], int],
) -> list[tuple[int, int]]:
    """Return the edges from a shipment with GPUs left to a slot with room: forward, back, forward ..."""
    far = (1 << 60, 0, 0)
    to_shipment: dict[int, _Cost] = {s: (0, 0, 0) for s, gpus in enumerate(left) if gpus}
    to_slot: dict[int, _Cost] = {}
    came_to_slot: dict[int, int] = {}
    came_to_shipment: dict[int, int] = {}
    has_changed = True
    while has_changed:
        has_changed = False
        for (s, k), cost in costs.items():
            if s in to_shipment and (new := _plus(to_shipment[s], cost, 1)) < to_slot.get(k, far):
                to_slot[k], came_to_slot[k], has_changed = new, s, True
        for s, k in flows:
            if k in to_slot and (new := _plus(to_slot[k], costs[s, k], -1)) < to_shipment.get(s, far):
                to_shipment[s], came_to_shipment[s], has_changed = new, k, True
    k = min((k for k, gpus in enumerate(room) if gpus and k in to_slot), key=lambda k: to_slot[k])
    path = []
    while True:
        s = came_to_slot[k]
        path.append((s, k))
        if s not in came_to_shipment:
            return path[::-1]
        k = came_to_shipment[s]
        path.append((s, k))


def _plus(one: _Cost, other: _Cost, sign: int) -> _Cost:
    return one[0] + sign * other[0], one[1] + sign * other[1], one[2] + sign * other[2]
