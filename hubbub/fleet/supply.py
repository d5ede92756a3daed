"""GPUs on their way to a fleet: when each shipment is switched on and by whom; replanned as dates move."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence

import msgspec

from hubbub.fleet.actions import SwapDelivery
from hubbub.fleet.deliveries import DeliveryPlan, Handing, Orders, Readiness, Shipment, plan_deliveries

_DAY_S = 86_400.0


class Supply:
    """What is known of deliveries at one moment of a simulation; `begins` is the day of its second 0."""

    def __init__(self, orders: Orders, begins: dt.date) -> None:
        self.orders, self.begins = orders, begins
        self.plan: DeliveryPlan | None = plan_deliveries(orders)
        self._agreed: set[SwapDelivery] = set()
        self._joined: list[Handing] = []

    def at_s(self, day: dt.date) -> float:
        """Return a day's first second, not before second 0."""
        return max((day - self.begins).days * _DAY_S, 0.0)

    def dates_s(self) -> list[float]:
        """Return when something is switched on or told, as far as is known."""
        days = [each.switched_on for each in self.plan.handings if each.switched_on] if self.plan else []
        return [self.at_s(day) for day in (*days, *(delay.told for delay in self.orders.delays))]

    def swaps(self) -> Sequence[SwapDelivery]:
        """Return what the plan gives to others than who ordered it, and nobody agreed to yet."""
        handings = self.plan.handings if self.plan else ()
        return [swap for each in handings if each.is_swap and (swap := _swap(each)) not in self._agreed]

    def agree(self, swap: SwapDelivery) -> None:
        """Take a swap as settled; GPUs that are switched on are not handed back."""
        self._agreed.add(swap)

    def arrived(self, now_s: float) -> list[Handing]:
        """Return what is switched on now and was not before; it has joined from here on."""
        new = [
            each
            for each in (self.plan.handings if self.plan else ())
            if each.switched_on and self.at_s(each.switched_on) <= now_s and each not in self._joined
        ]
        self._joined += new
        return new

    def learn(self, now_s: float) -> bool:
        """Take in the delays told by now; True: the rest was planned anew."""
        told = [delay for delay in self.orders.delays if self.at_s(delay.told) <= now_s]
        if not told:
            return False
        arrives = {delay.shipment: delay.arrives for delay in told}
        shipments, rooms = self._left(arrives)
        self._joined.clear()
        if not shipments:
            self.plan, self.orders = None, msgspec.structs.replace(self.orders, delays=())
            return True
        names = [shipment.id for shipment in shipments]
        later = [each for each in self.orders.delays if each not in told and each.shipment in names]
        self.orders = msgspec.structs.replace(
            self.orders, delays=tuple(later), shipments=tuple(shipments), readiness=tuple(rooms)
        )
        self.plan = plan_deliveries(self.orders)
        return True

    def _left(self, arrives: dict[str, dt.date]) -> tuple[list[Shipment], list[Readiness]]:
        """Return the shipments and the room that nothing switched on has used up.

        Who got GPUs of others gives of its own shipments that are still to come: these are theirs now.
        """
        sent, used, ahead = Counter[str](), Counter[str](), Counter[str]()
        for each in self._joined:
            sent[each.shipment] += each.gpus
            used[each.goes_to] += each.gpus
            ahead.update({each.goes_to: each.gpus, each.ordered_by: 0})
            ahead[each.ordered_by] -= each.gpus
        shipments, rooms = [], []
        for shipment in self.orders.shipments:
            left, day = shipment.gpus - sent[shipment.id], arrives.get(shipment.id, shipment.arrives)
            for owed in [name for name, gpus in ahead.items() if gpus < 0]:
                given = min(left, ahead[shipment.tenant], -ahead[owed])
                if given > 0:
                    name = f"{shipment.id} for {owed}" if given < left else shipment.id
                    shipments.append(Shipment(id=name, tenant=owed, gpus=given, arrives=day))
                    ahead.update({shipment.tenant: -given, owed: given})
                    left -= given
            if left:
                shipments.append(msgspec.structs.replace(shipment, gpus=left, arrives=day))
        for room in sorted(self.orders.readiness, key=lambda each: each.ready):
            filled = min(used[room.tenant], room.gpus)
            used[room.tenant] -= filled
            if room.gpus > filled:
                rooms.append(msgspec.structs.replace(room, gpus=room.gpus - filled))
        return shipments, rooms

    def pool_of(self, tenant: str) -> str:
        """Return the pool in which a tenant switches on; empty: any."""
        return next((room.pool for room in self.orders.readiness if room.tenant == tenant), "")

    def copied(self) -> Supply:
        """Return another one that knows the same."""
        twin = Supply.__new__(Supply)
        twin.orders, twin.begins, twin.plan = self.orders, self.begins, self.plan
        twin._agreed, twin._joined = set(self._agreed), list(self._joined)
        return twin


def _swap(each: Handing) -> SwapDelivery:
    why = f"{each.goes_to} can switch them on {each.switched_on}, {each.ordered_by} later"
    return SwapDelivery(each.shipment, each.ordered_by, each.goes_to, each.gpus, why)
