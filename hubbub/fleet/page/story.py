"""What a page of a fleet is told once: the fleet's file, what was until now, deliveries; in plain values."""

from __future__ import annotations

from typing import Any

from hubbub.fleet.deliveries import DeliveryPlan, plan_deliveries
from hubbub.fleet.page.past import Bill, columns
from hubbub.fleet.pictures import Moment
from hubbub.fleet.spec import FleetSpec


def tell_spec(spec: FleetSpec) -> dict[str, Any]:
    """Return what of a fleet's file the pictures need."""
    return {
        "pools": [
            {
                "name": pool.name,
                "num_nodes": pool.num_nodes,
                "gpus_per_node": pool.gpus_per_node,
                "is_rented": pool.is_rented,
                "usd_per_gpu_hour": pool.usd_per_gpu_hour,
            }
            for pool in spec.pools
        ],
        "sites": [site.name for site in spec.sites],
        "events": [
            {
                "site": event.site,
                "start_s": event.start_s,
                "end_s": event.start_s + event.duration_s,
                "cut": event.cut,
            }
            for event in spec.grid_events
        ],
    }


def tell_past(moments: list[Moment], tenants: list[str], bill: Bill) -> dict[str, Any]:
    """Return what was until now."""
    return {"history": columns(moments, tenants), "tenants": tenants, "money": bill.days}


def tell_deliveries(plan: DeliveryPlan | None, spec: FleetSpec) -> dict[str, Any] | None:
    """Return who gets what when, by a plan or the fleet's own file; None where no orders are known."""
    if plan is None and spec.deliveries is not None:
        plan = plan_deliveries(spec.deliveries)
    if plan is None:
        return None
    return {
        "handings": plan.handings,
        "idle_gpu_days_before": plan.idle_gpu_days_before,
        "idle_gpu_days": plan.idle_gpu_days,
        "saved_gpu_days": plan.saved_gpu_days,
    }
