import datetime as dt
from importlib.resources import files
from itertools import product

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.errors import InvalidInput
from hubbub.fleet.deliveries import Orders, Readiness, Shipment, plan_deliveries, read_orders

DAY0 = dt.date(2024, 1, 1)


def _december():
    return read_orders(str(files("hubbub.fleet") / "data" / "december_2023.toml"))


def test_the_swap_of_december_2023_is_found():
    plan = plan_deliveries(_december())
    moved = [(h.shipment, h.goes_to, h.gpus) for h in plan.handings if h.is_swap]
    assert moved == [
        ("tesla-december", "x", 12_000),
        ("x-january", "tesla", 6_000),
        ("x-june", "tesla", 6_000),
    ]
    waits = (
        (dt.date(2024, 6, 15) - dt.date(2023, 12, 15)).days,
        (dt.date(2024, 6, 15) - dt.date(2024, 1, 15)).days,
    )
    assert plan.idle_gpu_days_before == 12_000 * waits[0]
    assert plan.idle_gpu_days == 6_000 * waits[1]
    assert plan.saved_gpu_days == 12_000 * waits[0] - 6_000 * waits[1]


def test_a_delayed_shipment_replans():
    orders = _december()
    late = tuple(
        msgspec.structs.replace(s, arrives=dt.date(2024, 7, 1)) if s.id == "tesla-december" else s
        for s in orders.shipments
    )
    plan = plan_deliveries(msgspec.structs.replace(orders, shipments=late))
    assert not any(handing.is_swap for handing in plan.handings)  # nothing lies idle any more
    assert plan.idle_gpu_days == plan.idle_gpu_days_before == 0


def test_what_nobody_can_switch_on_is_said():
    orders = Orders(shipments=(Shipment(id="a", tenant="t", gpus=5, arrives=DAY0),), readiness=())
    (handing,) = plan_deliveries(orders).handings
    assert handing.switched_on is None


_small = st.integers(1, 2)
_day = st.integers(0, 6)


@settings(max_examples=80)
@given(
    shipped=st.lists(st.tuples(st.sampled_from("ab"), _small, _day), min_size=1, max_size=4),
    ready=st.lists(st.tuples(st.sampled_from("ab"), _small, _day), max_size=4),
)
def test_no_plan_has_fewer_idle_days_and_nobody_is_worse_off(shipped, ready):
    orders = Orders(
        shipments=tuple(
            Shipment(id=str(n), tenant=t, gpus=g, arrives=DAY0 + dt.timedelta(d))
            for n, (t, g, d) in enumerate(shipped)
        ),
        readiness=tuple(Readiness(tenant=t, gpus=g, ready=DAY0 + dt.timedelta(d)) for t, g, d in ready),
        horizon=DAY0 + dt.timedelta(20),
    )
    plan = plan_deliveries(orders)
    for key, names in (("ordered_by", "ab"), ("goes_to", "ab")):
        for name in names:
            wanted = sum(s.gpus for s in orders.shipments if s.tenant == name)
            assert sum(h.gpus for h in plan.handings if getattr(h, key) == name) == wanted
    assert plan.idle_gpu_days == _fewest_idle_days(orders) <= plan.idle_gpu_days_before


def _fewest_idle_days(orders):
    """Try every way to hand single GPUs out to tenants."""
    units = [(s.arrives.toordinal(), s.tenant) for s in orders.shipments for _ in range(s.gpus)]
    rooms = {
        name: sorted(r.ready.toordinal() for r in orders.readiness if r.tenant == name for _ in range(r.gpus))
        for name in "ab"
    }

    def on_days(name, arrivals):
        slots = rooms[name] + [orders.horizon.toordinal()] * len(arrivals)
        return [max(pair) for pair in zip(sorted(arrivals), slots, strict=False)]

    own = {name: on_days(name, [a for a, t in units if t == name]) for name in "ab"}
    best = None
    for given_to in product("ab", repeat=len(units)):
        arrivals = {
            name: [a for (a, _), to in zip(units, given_to, strict=True) if to == name] for name in "ab"
        }
        if any(len(arrivals[name]) != len(own[name]) for name in "ab"):
            continue
        days = {name: on_days(name, arrivals[name]) for name in "ab"}
        if any(new > old for name in "ab" for new, old in zip(days[name], own[name], strict=True)):
            continue
        idle = sum(sum(days[name]) - sum(arrivals[name]) for name in "ab")
        best = idle if best is None else min(best, idle)
    return best


def test_orders_that_cannot_be_are_named(tmp_path):
    with pytest.raises(InvalidInput, match="no shipments"):
        Orders(shipments=(), readiness=())
    path = tmp_path / "orders.toml"
    path.write_text('[[shipments]]\nid = "a"\ntenant = "t"\ngpus = 0\narrives = 2024-01-01\n')
    with pytest.raises(InvalidInput, match="shipment 'a': gpus is 0"):
        read_orders(path)
