"""Kueue's objects as structs that refuse what Kueue does not know; it renders none.

Fields, enums, bounds and rules are those of kubernetes-sigs/kueue, API v1beta2:
apis/kueue/v1beta2/clusterqueue_types.go at commit 013c8f252cf1, cohort_types.go and localqueue_types.go at
dfe977232310, resourceflavor_types.go at 38aefec9a72d, workloadpriorityclass_types.go at 3b009aaa5631,
fairsharing_types.go at 0f9c7986699b, apis/config/v1beta2/configuration_types.go at 0b91cc028a80; the custom
resource definitions are generated from these. What the definitions leave open (metadata, the order of
resources, amounts below 0) is checked as Kubernetes and Kueue's webhooks do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta

from hubbub.fleet.kubernetes import (
    Int32,
    LabelSelector,
    LabelValue,
    Name,
    Namespace,
    ObjectMeta,
    Part,
    Quantity,
    ResourceName,
    Taint,
    Toleration,
    amount,
)


class ResourceQuota(Part, frozen=True, kw_only=True):
    """How much of a resource in one flavor."""

    name: ResourceName
    nominal_quota: Quantity
    borrowing_limit: Quantity | None = None
    lending_limit: Quantity | None = None

    def __post_init__(self) -> None:
        """Refuse amounts below 0."""
        for field in ("nominal_quota", "borrowing_limit", "lending_limit"):
            value = getattr(self, field)
            if value is not None and amount(value) < 0:
                raise ValueError(f"{field.replace('_', ' ')} {value} of {self.name} is below 0")


class FlavorQuotas(Part, frozen=True, kw_only=True):
    """The quotas of one flavor."""

    name: Name
    resources: Annotated[tuple[ResourceQuota, ...], Meta(min_length=1, max_length=64)]


class ResourceGroup(Part, frozen=True, kw_only=True):
    """Resources, and the flavors that provide all of them."""

    covered_resources: Annotated[tuple[ResourceName, ...], Meta(min_length=1, max_length=64)]
    flavors: Annotated[tuple[FlavorQuotas, ...], Meta(min_length=1, max_length=64)]

    def __post_init__(self) -> None:
        """Refuse a flavor that lists other resources than the group, or in another order."""
        for flavor in self.flavors:
            if tuple(each.name for each in flavor.resources) != self.covered_resources:
                raise ValueError(
                    f"flavor {flavor.name!r} must list {', '.join(self.covered_resources)}, in this order"
                )


Groups: TypeAlias = Annotated[tuple[ResourceGroup, ...], Meta(max_length=16)]


def _check_groups(groups: Groups, *, may_borrow: bool) -> None:
    flavors = [flavor for group in groups for flavor in group.flavors]
    _refuse_doubles("flavor", [flavor.name for flavor in flavors])
    _refuse_doubles("resource", [name for group in groups for name in group.covered_resources])
    for quota in (quota for flavor in flavors for quota in flavor.resources):
        if not may_borrow and (quota.borrowing_limit is not None or quota.lending_limit is not None):
            raise ValueError(f"{quota.name} has a borrowing or lending limit, but there is no cohort above")


def _refuse_doubles(kind: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{kind} {name!r} stands in it {names.count(name)} times; once is allowed")


class FairSharing(Part, frozen=True, kw_only=True):
    """How much a queue weighs when idle quota is shared."""

    weight: Quantity | None = None


class BorrowWithinCohort(Part, frozen=True, kw_only=True):
    """Whether a borrower may preempt in other queues."""

    policy: Literal["Never", "LowerPriority"] = "Never"
    max_priority_threshold: Int32 | None = None


class Preemption(Part, frozen=True, kw_only=True):
    """Whom a waiting workload may preempt."""

    reclaim_within_cohort: Literal["Never", "LowerPriority", "Any"] = "Never"
    borrow_within_cohort: BorrowWithinCohort | None = None
    within_cluster_queue: Literal["Never", "LowerPriority", "LowerOrNewerEqualPriority"] = "Never"

    def __post_init__(self) -> None:
        """Refuse borrowing by preemption without reclaiming."""
        if self.reclaim_within_cohort == "Never" and (self.borrow_within_cohort or _NOBODY).policy != "Never":
            raise ValueError("borrowWithinCohort.policy must be Never while reclaimWithinCohort is Never")


_NOBODY = BorrowWithinCohort()


class FlavorFungibility(Part, frozen=True, kw_only=True):
    """Whether the next flavor is tried before borrowing or preempting in this one."""

    when_can_borrow: Literal["MayStopSearch", "TryNextFlavor"] = "MayStopSearch"
    when_can_preempt: Literal["MayStopSearch", "TryNextFlavor"] = "TryNextFlavor"
    preference: Literal["BorrowingOverPreemption", "PreemptionOverBorrowing"] | None = None

    def __post_init__(self) -> None:
        """Refuse a preference where the search stops."""
        if self.preference and (self.when_can_borrow, self.when_can_preempt) != ("TryNextFlavor",) * 2:
            raise ValueError("preference needs whenCanBorrow and whenCanPreempt to be TryNextFlavor")


class AdmissionCheckRule(Part, frozen=True, kw_only=True):
    """An admission check, and for which flavors."""

    name: Annotated[str, Meta(max_length=316)]
    on_flavors: Annotated[tuple[Name, ...], Meta(max_length=64)] = ()


class AdmissionChecks(Part, frozen=True, kw_only=True):
    """Which checks a workload passes."""

    admission_checks: Annotated[tuple[AdmissionCheckRule, ...], Meta(min_length=1, max_length=64)]


class AdmissionScope(Part, frozen=True, kw_only=True):
    """Whether usage over time decides the order."""

    admission_mode: Literal["UsageBasedAdmissionFairSharing", "NoAdmissionFairSharing"]


StopPolicy: TypeAlias = Literal["None", "Hold", "HoldAndDrain"]


class ClusterQueueSpec(Part, frozen=True, kw_only=True):
    """A tenant's quotas and its rules."""

    resource_groups: Groups = ()
    cohort_name: Name | None = None
    queueing_strategy: Literal["StrictFIFO", "BestEffortFIFO"] = "BestEffortFIFO"
    namespace_selector: LabelSelector | None = None
    flavor_fungibility: FlavorFungibility | None = None
    preemption: Preemption | None = None
    admission_checks_strategy: AdmissionChecks | None = None
    stop_policy: StopPolicy = "None"
    fair_sharing: FairSharing | None = None
    admission_scope: AdmissionScope | None = None
    concurrent_admission_policy: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        """Refuse a flavor or resource twice, and limits without a cohort."""
        _check_groups(self.resource_groups, may_borrow=self.cohort_name is not None)


class CohortSpec(Part, frozen=True, kw_only=True):
    """What queues share beside their own quotas."""

    parent_name: Name | None = None
    resource_groups: Groups = ()
    fair_sharing: FairSharing | None = None

    def __post_init__(self) -> None:
        """Refuse a flavor or resource twice, and limits without a parent."""
        _check_groups(self.resource_groups, may_borrow=self.parent_name is not None)


class ResourceFlavorSpec(Part, frozen=True, kw_only=True):
    """Which nodes a flavor is."""

    node_labels: Annotated[dict[str, LabelValue], Meta(max_length=8)] = {}
    node_taints: Annotated[tuple[Taint, ...], Meta(max_length=8)] = ()
    tolerations: Annotated[tuple[Toleration, ...], Meta(max_length=8)] = ()
    topology_name: Name | None = None

    def __post_init__(self) -> None:
        """Refuse a topology without a label."""
        if self.topology_name and not self.node_labels:
            raise ValueError("topologyName needs at least one of nodeLabels")


class LocalQueueSpec(Part, frozen=True, kw_only=True):
    """Where a namespace's jobs queue."""

    cluster_queue: Name | None = None
    stop_policy: StopPolicy = "None"
    fair_sharing: FairSharing | None = None


class _Kueue(Part, tag_field="kind", frozen=True, kw_only=True):
    api_version: Literal["kueue.x-k8s.io/v1beta2"]
    metadata: ObjectMeta


class _Global(_Kueue, frozen=True, kw_only=True):
    def __post_init__(self) -> None:
        if self.metadata.namespace is not None:
            raise ValueError("metadata.namespace: this kind belongs to no namespace; leave it out")


class ResourceFlavor(_Global, tag="ResourceFlavor", frozen=True, kw_only=True):
    """Nodes of one kind."""

    spec: ResourceFlavorSpec | None = None


class Cohort(_Global, tag="Cohort", frozen=True, kw_only=True):
    """Queues that lend to each other."""

    spec: CohortSpec | None = None
    status: Any = None


class ClusterQueue(_Global, tag="ClusterQueue", frozen=True, kw_only=True):
    """A tenant's queue over the whole cluster."""

    spec: ClusterQueueSpec | None = None
    status: Any = None


class WorkloadPriorityClass(_Global, tag="WorkloadPriorityClass", frozen=True, kw_only=True):
    """A priority by name."""

    value: Int32
    description: Annotated[str, Meta(max_length=2048)] = ""


class LocalQueue(_Kueue, tag="LocalQueue", frozen=True, kw_only=True):
    """A namespace's way into a ClusterQueue."""

    spec: LocalQueueSpec | None = None
    status: Any = None


class Transformation(Part, frozen=True, kw_only=True):
    """What else a unit of a resource takes."""

    input: ResourceName
    strategy: Literal["Retain", "Replace"] | None = None
    multiply_by: ResourceName | None = None
    outputs: dict[str, Quantity] = {}


class Resources(Part, frozen=True, kw_only=True):
    """How Kueue reads a pod's requests."""

    exclude_resource_prefixes: tuple[str, ...] = ()
    transformations: tuple[Transformation, ...] = ()
    device_class_mappings: tuple[dict[str, Any], ...] = ()


class Configuration(Part, tag_field="kind", tag="Configuration", frozen=True, kw_only=True):
    """The Kueue manager's own configuration; only what is ours is checked within."""

    api_version: Literal["config.kueue.x-k8s.io/v1beta2"]
    resources: Resources | None = None
    manage_jobs_without_queue_name: bool | None = None
    feature_gates: dict[str, bool] = {}
    namespace: str | None = None
    webhook: dict[str, Any] | None = None
    leader_election: dict[str, Any] | None = None
    metrics: dict[str, Any] | None = None
    health: dict[str, Any] | None = None
    pprof_bind_address: str | None = None
    controller: dict[str, Any] | None = None
    tls: dict[str, Any] | None = None
    managed_jobs_namespace_selector: LabelSelector | None = None
    internal_cert_management: dict[str, Any] | None = None
    wait_for_pods_ready: dict[str, Any] | None = None
    client_connection: dict[str, Any] | None = None
    integrations: dict[str, Any] | None = None
    multi_kueue: dict[str, Any] | None = None
    fair_sharing: dict[str, Any] | None = None
    admission_fair_sharing: dict[str, Any] | None = None
    object_retention_policies: dict[str, Any] | None = None


Kueue: TypeAlias = (
    ResourceFlavor | Cohort | ClusterQueue | LocalQueue | WorkloadPriorityClass | Namespace | Configuration
)
