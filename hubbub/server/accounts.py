"""`GET /api/tenants`: who may use this house, how much of it, and what each has used today."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hubbub.server.desk import Desk, desk_of
from hubbub.server.keys import Key, Tenant
from hubbub.web.wire import json_response


async def tenants(request: Request) -> Response:
    """Give all tenants by name, the page (`-`) among them; secrets and rules' texts are not told."""
    desk = desk_of(request)
    ring, usage = desk.tenants.ring, desk.tenants.usage
    known = ring.tenants() if ring else [Tenant(name=name) for name in usage.since_start]
    keys = ring.all() if ring else []
    told = [_describe(desk, one, [key for key in keys if key.tenant == one.name]) for one in known]
    stopped = ring.stopped if ring else None
    return json_response({"tenants": told, "stopped": stopped, "day": usage.day})


def _describe(desk: Desk, tenant: Tenant, keys: list[Key]) -> dict[str, object]:
    spent = desk.tenants.usage.today(tenant.name)
    now = {
        "num_streams": desk.streams.num_open_of(tenant.name),
        "num_waiting": desk.num_waiting_of(tenant.name),
    }
    return {
        "tenant": tenant.name,
        "priority": tenant.priority,
        "is_stopped": tenant.stopped is not None,
        "stopped": tenant.stopped,
        "limits": {
            "requests_per_minute": tenant.requests_per_minute,
            "streams": tenant.streams,
            "tokens_per_day": tenant.tokens_per_day,
        },
        "usage": msgspec.to_builtins(spent) | now,
        "keys": [
            {name: getattr(key, name) for name in key.__struct_fields__ if name not in ("digest", "tenant")}
            for key in keys
        ],
        "rules_version": tenant.house_rules.version if tenant.house_rules else None,
    }
