"""A fleet as Kueue's objects: a queue a tenant, its guarantee as quota, watts as a resource; it applies none.

What a tenant is guaranteed is its ClusterQueue's nominal quota, what is left belongs to the cohort. So rights
and priorities are those of `policy.py`: who is within its quota takes it back from any borrower
(reclaimWithinCohort Any), who borrows takes from borrowers of lower priority only (borrowWithinCohort
LowerPriority), and the head of a queue is not passed (StrictFIFO). Watts are a resource beside the GPUs,
added to each GPU that a pod asks for; whole watts, because Kueue rounds every amount but cpu up to whole
numbers (pkg/resources/requests.go, ResourceValue).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Literal

import msgspec

from hubbub.errors import InvalidInput
from hubbub.fleet.kubernetes import LabelSelector, Namespace, ObjectMeta, amount
from hubbub.fleet.kueue_schema import (
    BorrowWithinCohort,
    ClusterQueue,
    ClusterQueueSpec,
    Cohort,
    CohortSpec,
    Configuration,
    FlavorFungibility,
    FlavorQuotas,
    Kueue,
    LocalQueue,
    LocalQueueSpec,
    Preemption,
    ResourceFlavor,
    ResourceFlavorSpec,
    ResourceGroup,
    ResourceQuota,
    Resources,
    Transformation,
    WorkloadPriorityClass,
)
from hubbub.fleet.spec import FleetSpec, Pool, Tenant, idle_kw_of
from hubbub.fleet.strict import check

GPU, WATTS = "nvidia.com/gpu", "hubbub.fleet/watts"
COHORT = "fleet"
_API: Literal["kueue.x-k8s.io/v1beta2"] = "kueue.x-k8s.io/v1beta2"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")


def render(spec: FleetSpec) -> list[Kueue]:
    """Return a fleet's objects, in the order in which they can be applied.

    Raises:
        InvalidInput: Kubernetes refuses a name or a number, or more is guaranteed than there is.
    """
    _check(spec)
    rights = _rights(spec)
    watts = {pool.name: _watts(spec, pool) for pool in spec.pools}
    objects: list[Kueue] = [
        Namespace(api_version="v1", metadata=ObjectMeta(name=tenant.name)) for tenant in spec.tenants
    ]
    objects += [_flavor(pool) for pool in spec.pools]
    left = {p.name: _size(p) - sum(held[p.name] for held in rights.values()) for p in spec.pools}
    power = {
        p.name: watts[p.name] - sum(_share(spec, p, rights, t, watts) for t in rights) for p in spec.pools
    }
    groups = _group(spec, spec.pools, left, power)
    objects.append(
        Cohort(api_version=_API, metadata=ObjectMeta(name=COHORT), spec=CohortSpec(resource_groups=groups))
    )
    for tenant in spec.tenants:
        pools = [
            p for p in spec.pools if not p.is_rented or p.usd_per_gpu_hour <= tenant.max_usd_per_gpu_hour
        ]
        power = {p.name: _share(spec, p, rights, tenant.name, watts) for p in pools}
        objects += _queue(spec, tenant, pools, _group(spec, pools, rights[tenant.name], power))
    return [check(msgspec.to_builtins(each), Kueue) for each in objects]


def render_configuration(spec: FleetSpec) -> Configuration | None:
    """Return what the Kueue manager's configuration must hold, so that each GPU takes its watts."""
    if not (watts := _watts_of_gpu(spec)):
        return None
    rule = Transformation(input=GPU, strategy="Retain", outputs={WATTS: watts})
    return Configuration(
        api_version="config.kueue.x-k8s.io/v1beta2", resources=Resources(transformations=(rule,))
    )


def _check(spec: FleetSpec) -> None:
    if not spec.tenants:
        raise InvalidInput("the fleet names no tenants, and a queue belongs to one; add [[tenants]]")
    for kind, name in [("tenant", t.name) for t in spec.tenants] + [("pool", p.name) for p in spec.pools]:
        if not _NAME.match(name):
            near = re.sub(r"[^a-z0-9]+", "-", name.lower())[:63].strip("-") or "a name"
            raise InvalidInput(
                f"{kind} {name!r:.80} cannot be named so in Kubernetes: use up to 63 lower-case letters, "
                f"digits and -, a letter or digit at both ends, such as {near!r}"
            )
    total = sum(tenant.guaranteed_gpus for tenant in spec.tenants)
    if total > spec.num_gpus:
        raise InvalidInput(
            f"the tenants are guaranteed {total:,} GPUs, and the fleet owns {spec.num_gpus:,}; quotas sum up "
            "to that at most"
        )


def _size(pool: Pool) -> int:
    return pool.num_nodes * pool.gpus_per_node


def _rights(spec: FleetSpec) -> dict[str, dict[str, int]]:
    """Lay each guarantee into the owned pools, one after the other; rented ones are nobody's right."""
    left = {pool.name: 0 if pool.is_rented else _size(pool) for pool in spec.pools}
    rights: dict[str, dict[str, int]] = {}
    for tenant in spec.tenants:
        wanted, held = tenant.guaranteed_gpus, {}
        for name in left:
            held[name] = min(wanted, left[name])
            wanted, left[name] = wanted - held[name], left[name] - held[name]
        rights[tenant.name] = held
    return rights


def _watts_of_gpu(spec: FleetSpec) -> int:
    """Return what a busy GPU adds: one figure for all, the largest, so that no site is exceeded.

    A rented node is not there before, and so adds its idling too.
    """
    added_kw = (p.busy_kw_per_gpu - p.idle_kw_per_gpu * (not p.is_rented) for p in spec.pools if p.site)
    return math.ceil(max(added_kw, default=0.0) * 1000 - 1e-6)


def _watts(spec: FleetSpec, pool: Pool) -> int:
    """Return a pool's part of its site's watts beyond idling, by GPUs; without a site all it can take."""
    most = _size(pool) * _watts_of_gpu(spec)
    site = next((site for site in spec.sites if site.name == pool.site), None)
    if site is None:
        return most
    here = [p for p in spec.pools if p.site == site.name]
    budget = (site.cap_kw - sum(idle_kw_of(p) for p in here if not p.is_rented)) * 1000
    return min(most, math.floor(budget * _size(pool) / sum(map(_size, here)) + 1e-6))


def _share(
    spec: FleetSpec, pool: Pool, rights: dict[str, dict[str, int]], tenant: str, watts: dict[str, int]
) -> int:
    """Return a tenant's watts by right: those of its GPUs, or its part where power is short of that."""
    wanted = _watts_of_gpu(spec) * sum(held[pool.name] for held in rights.values())
    mine = _watts_of_gpu(spec) * rights[tenant][pool.name]
    return mine if wanted <= watts[pool.name] else mine * watts[pool.name] // wanted


def _flavor(pool: Pool) -> ResourceFlavor:
    return ResourceFlavor(
        api_version=_API,
        metadata=ObjectMeta(
            name=pool.name, labels={"hubbub.fleet/kind": "rented" if pool.is_rented else "own"}
        ),
        spec=ResourceFlavorSpec(node_labels={"hubbub.fleet/pool": pool.name}),
    )


def _group(
    spec: FleetSpec, pools: Sequence[Pool], gpus: dict[str, int], watts: dict[str, int]
) -> tuple[ResourceGroup, ...]:
    covered = (GPU, WATTS) if _watts_of_gpu(spec) else (GPU,)
    flavors = tuple(
        FlavorQuotas(
            name=pool.name,
            resources=tuple(
                ResourceQuota(name=name, nominal_quota=quotas[pool.name])
                for name, quotas in zip(covered, (gpus, watts), strict=False)
            ),
        )
        for pool in sorted(pools, key=lambda pool: (pool.is_rented, pool.usd_per_gpu_hour))
    )
    return (ResourceGroup(covered_resources=covered, flavors=flavors),) if flavors else ()


def _queue(
    spec: FleetSpec, tenant: Tenant, pools: Sequence[Pool], groups: tuple[ResourceGroup, ...]
) -> list[Kueue]:
    num_own = sum(not pool.is_rented for pool in pools)
    # It preempts before it rents, as the policy does; among several own pools it first looks for a free one.
    stops = num_own == 1 and len(pools) > 1
    queue = ClusterQueueSpec(
        resource_groups=groups,
        cohort_name=COHORT,
        queueing_strategy="StrictFIFO",
        namespace_selector=LabelSelector(match_labels={"kubernetes.io/metadata.name": tenant.name}),
        flavor_fungibility=FlavorFungibility(when_can_preempt="MayStopSearch" if stops else "TryNextFlavor"),
        preemption=Preemption(
            reclaim_within_cohort="Any",
            borrow_within_cohort=BorrowWithinCohort(policy="LowerPriority"),
            within_cluster_queue="LowerPriority",
        ),
    )
    meta = ObjectMeta(name=tenant.name)
    return [
        WorkloadPriorityClass(
            api_version=_API,
            metadata=meta,
            value=tenant.priority,
            description=f"label a job kueue.x-k8s.io/priority-class: {tenant.name}",
        ),
        ClusterQueue(api_version=_API, metadata=meta, spec=queue),
        LocalQueue(
            api_version=_API,
            metadata=ObjectMeta(name=tenant.name, namespace=tenant.name),
            spec=LocalQueueSpec(cluster_queue=tenant.name),
        ),
    ]


def check_against(objects: Sequence[Kueue], spec: FleetSpec) -> None:
    """Refuse queues of no tenant, and quotas of which a fleet has less.

    Raises:
        InvalidInput: it is so; names and numbers are given.
    """
    tenants = {tenant.name for tenant in spec.tenants}
    sizes = {p.name: {GPU: _size(p), WATTS: _watts(spec, p)} for p in spec.pools}
    sums: dict[tuple[str, str], int] = {}
    for each in objects:
        if isinstance(each, ClusterQueue) and each.metadata.name not in tenants:
            raise InvalidInput(
                f"ClusterQueue {each.metadata.name!r} is no tenant of the fleet; it has {sorted(tenants)}"
            )
        if not isinstance(each, ClusterQueue | Cohort) or not each.spec:
            continue
        for flavor in (flavor for group in each.spec.resource_groups for flavor in group.flavors):
            if flavor.name not in sizes:
                raise InvalidInput(f"flavor {flavor.name!r} is no pool of the fleet; it has {sorted(sizes)}")
            for quota in flavor.resources:
                key = flavor.name, quota.name
                sums[key] = sums.get(key, 0) + math.ceil(amount(quota.nominal_quota))
    for (flavor_name, resource), total in sums.items():
        if total > sizes[flavor_name].get(resource, math.inf):
            raise InvalidInput(
                f"the quotas of {resource} in flavor {flavor_name!r} sum up to {total:,}; the fleet has "
                f"{sizes[flavor_name][resource]:,}"
            )


def check_together(objects: Sequence[Kueue]) -> None:
    """Refuse what no object shows alone: doubles, cohorts in a circle, queues and flavors that lack.

    Raises:
        InvalidInput: it is so; the names are given.
    """
    held: dict[str, set[str]] = {}
    seen: set[tuple[str, str | None, str]] = set()
    for each in objects:
        if isinstance(each, Configuration):
            continue
        kind, meta = type(each).__name__, each.metadata
        if (kind, meta.namespace, meta.name) in seen:
            raise InvalidInput(f"{kind} {meta.name!r} is given twice; keep one")
        seen.add((kind, meta.namespace, meta.name))
        held.setdefault(kind, set()).add(meta.name)
    _refuse_circles(objects)
    for each in objects:
        if isinstance(each, LocalQueue) and each.spec and each.spec.cluster_queue:
            _known(each, "ClusterQueue", each.spec.cluster_queue, held)
        if isinstance(each, ClusterQueue | Cohort) and each.spec:
            for flavor in (flavor for group in each.spec.resource_groups for flavor in group.flavors):
                _known(each, "ResourceFlavor", flavor.name, held)


def _known(user: Kueue, kind: str, name: str, held: dict[str, set[str]]) -> None:
    """Refuse a name that is not among the objects of its kind; where there are none, they stand elsewhere."""
    if kind in held and name not in held[kind]:
        assert not isinstance(user, Configuration)
        raise InvalidInput(
            f"{type(user).__name__} {user.metadata.name!r} names {kind} {name!r}, which is not described; "
            f"there are {', '.join(sorted(held[kind]))}"
        )


def _refuse_circles(objects: Sequence[Kueue]) -> None:
    above = {o.metadata.name: o.spec.parent_name for o in objects if isinstance(o, Cohort) and o.spec}
    for name in above:
        way = [name]
        while (parent := above.get(way[-1])) is not None:
            way.append(parent)
            if parent in way[:-1]:
                circle = way[way.index(parent) :]
                raise InvalidInput(
                    f"cohorts lend in a circle: {' -> '.join(circle)}; Kueue would admit nothing in any of "
                    "them: take one parentName away"
                )
