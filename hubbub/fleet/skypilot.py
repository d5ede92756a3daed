"""A rented pool as SkyPilot's task, and its schema as structs that refuse what SkyPilot does not know.

Fields, enums, bounds and patterns are those of skypilot-org/skypilot 0.14.1 (commit 7e595970a806),
sky/utils/schemas.py (get_task_schema, get_resources_schema) and sky/skylet/constants.py.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from hubbub.errors import InvalidInput
from hubbub.fleet.spec import FleetSpec, Pool, Tenant
from hubbub.fleet.strict import check

_CLOUDS = (
    "aws|azure|gcp|ibm|lambda|scp|oci|kubernetes|runpod|vast|vsphere|cudo|fluidstack|paperspace|primeintellect|"
    "do|nebius|ssh|slurm|hyperbolic|seeweb|shadeform|yotta|mithril|verda"
)
_SIZE = r"[0-9]+([kKmMgGtTpP][bB]|[kKmMgGtTpP]i|[kmgtp]i|[KMGTP]I)?"
_NAME = r"[a-zA-Z0-9]+([._-]{1,2}[a-zA-Z0-9]+)*"
_Infra: TypeAlias = Annotated[
    str,
    Meta(
        pattern=rf"\A(((?i:{_CLOUDS})|\*)(/[^/]+(/[^/]+)?)?|(?i:kubernetes|k8s)(/.+)?)\Z",
        description="a place of the form cloud[/region[/zone]], or * for any cloud",
    ),
]
_Cloud: TypeAlias = Annotated[
    str, Meta(pattern=rf"\A(?i:{_CLOUDS})\Z", description=f"a cloud: {_CLOUDS.replace('|', ', ')}")
]
_Size: TypeAlias = (
    int | Annotated[str, Meta(pattern=rf"\A{_SIZE}\Z", description="a size, such as 256 or 256GB")]
)
_TaskName: TypeAlias = Annotated[
    str,
    Meta(
        pattern=rf"\A{_NAME}\Z",
        description="a name: letters and digits, with . _ or - between",
    ),
]
_Variable: TypeAlias = Annotated[
    str, Meta(pattern=r"\A[a-zA-Z_][a-zA-Z0-9_]*\Z", description="a variable's name")
]
_Count: TypeAlias = Annotated[int, Meta(ge=1)]
# Texts with a pattern never stand in a union with maps, arrays or structs here: msgspec 0.22 crashes on such
# types now and then, in the interpreter's last garbage collection. `Choice` checks those itself.
_IDLE = re.compile(r"[0-9]+([mhdw]|[MHDW])?\Z")
_GPUS = re.compile(r"[^:{}]+(:[0-9]*\.?[0-9]+)?\Z")


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A piece of a task; unknown fields are refused."""


class Autostop(Part, frozen=True, kw_only=True):
    """When a cluster is given back."""

    idle_minutes: Annotated[int, Meta(ge=0)] | None = None
    down: bool | None = None
    wait_for: (
        Annotated[
            str, Meta(pattern=r"\A(?i:jobs_and_ssh|jobs|none)\Z", description="jobs_and_ssh, jobs or none")
        ]
        | None
    ) = None
    hook: str | None = None
    hook_timeout: _Count | None = None


class JobRecovery(Part, frozen=True, kw_only=True):
    """What follows a job's end by a failure."""

    strategy: str | None = None
    max_restarts_on_errors: Annotated[int, Meta(ge=0)] | None = None
    recover_on_exit_codes: int | tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse codes that no process ends with."""
        codes = self.recover_on_exit_codes
        for code in codes if isinstance(codes, tuple) else (codes or 0,):
            if not 0 <= code <= 255:
                raise ValueError(f"recover_on_exit_codes: {code} is not from 0 to 255")


class AcceleratorArgs(Part, frozen=True, kw_only=True):
    """What TPUs take besides."""

    runtime_version: str | None = None
    tpu_name: str | None = None
    tpu_vm: bool | None = None
    gcp_queued_resource: bool | None = None


class Choice(Part, frozen=True, kw_only=True):
    """One way to get a node."""

    cloud: _Cloud | None = None
    region: str | None = None
    zone: str | None = None
    infra: _Infra | None = None
    cpus: str | int | float | None = None
    memory: str | int | float | None = None
    accelerators: str | dict[str, int | float | None] | tuple[str, ...] | None = None
    instance_type: str | None = None
    use_spot: bool | None = None
    job_recovery: str | JobRecovery | None = None
    volumes: tuple[dict[str, Any], ...] | None = None
    disk_size: _Size | None = None
    ephemeral_storage: _Size | None = None
    disk_tier: str | None = None
    network_tier: str | None = None
    local_disk: str | None = None
    max_hourly_cost: Annotated[float, Meta(gt=0)] | None = None
    ports: int | str | tuple[int | str, ...] | None = None
    labels: dict[str, str] | None = None
    accelerator_args: AcceleratorArgs | None = None
    image_id: str | dict[str, Any] | None = None
    autostop: bool | int | str | Autostop | None = None
    priority: Annotated[int, Meta(ge=-1000, le=1000)] | None = None
    priority_class: str | None = None

    def __post_init__(self) -> None:
        """Refuse a place told twice, and counts that are none."""
        if self.infra is not None and (self.cloud or self.region or self.zone):
            raise ValueError("infra already tells cloud, region and zone; leave these out")
        if isinstance(self.autostop, str) and not _IDLE.match(self.autostop):
            raise ValueError(f"autostop: {self.autostop!r:.80} is not a time, such as 10m, 2h or 1d")
        _check_gpus(self.accelerators)


def _check_gpus(given: str | dict[str, int | float | None] | tuple[str, ...] | None) -> None:
    if isinstance(given, dict):
        for name, count in given.items():
            if count is not None and not 0 < count < math.inf:
                raise ValueError(f"accelerators.{name} is {count}; give the GPUs of a node, above 0")
        return
    for text in (given,) if isinstance(given, str) else given or ():
        if not _GPUS.match(text) or not float(text.partition(":")[2] or 1):
            raise ValueError(f"accelerators: {text!r:.80} is not an accelerator and how many, such as H100:8")


class Resources(Choice, frozen=True, kw_only=True):
    """What a task's nodes must have."""

    any_of: tuple[Choice, ...] | None = None
    ordered: tuple[Choice, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse two kinds of choice at once, and what no choice can be."""
        super().__post_init__()
        if self.any_of is not None and self.ordered is not None:
            raise ValueError("give any_of or ordered, not both")


class Checkout(Part, frozen=True, kw_only=True):
    """A working directory out of git."""

    url: str
    ref: str | None = None


class Task(Part, frozen=True, kw_only=True):
    """A SkyPilot task."""

    name: _TaskName | None = None
    workdir: str | Checkout | None = None
    num_nodes: _Count | None = None
    resources: Resources | None = None
    file_mounts: dict[str, str | dict[str, Any]] | None = None
    setup: str | None = None
    run: str | None = None
    envs: dict[_Variable, str | int | float | bool | None] | None = None
    secrets: dict[str, str | int | float | bool | None] | tuple[str, ...] | None = None
    managed_secrets: tuple[str | dict[str, Any], ...] | None = None
    inputs: dict[str, float] | None = None
    outputs: dict[str, float] | None = None
    service: dict[str, Any] | None = None
    pool: dict[str, Any] | None = None
    config: dict[str, Any] | None = None
    volumes: dict[str, Any] | None = None
    volume_mounts: tuple[dict[str, Any], ...] | None = None
    event_callback: str | None = None
    file_mounts_mapping: dict[str, Any] | None = None
    api_server_access: bool | None = None


def render(spec: FleetSpec) -> dict[str, Task]:
    """Return a task for each rented pool and each tenant that pays for it, by the name of its file.

    Raises:
        InvalidInput: no pool is rented or nobody pays, or SkyPilot refuses a name or a number.
    """
    found: dict[str, Task] = {
        f"{pool.name}-{tenant.name}": check(msgspec.to_builtins(_task(pool, tenant)), Task)
        for pool in spec.pools
        for tenant in spec.tenants
        if pool.is_rented and pool.usd_per_gpu_hour <= tenant.max_usd_per_gpu_hour
    }
    if not found:
        raise InvalidInput(
            "nothing to rent: a pool needs is_rented = true, and a tenant max_usd_per_gpu_hour of at least "
            "the pool's usd_per_gpu_hour"
        )
    return found


def _task(pool: Pool, tenant: Tenant) -> Task:
    """One node, which goes back when idle; `sky launch --num-nodes` takes more, up to the pool's."""
    for kind, name in (("pool", pool.name), ("tenant", tenant.name)):
        if not re.fullmatch(_NAME, name):
            raise InvalidInput(
                f"{kind} {name!r:.80} cannot be named so in SkyPilot: letters and digits, . _ or - between"
            )
    return Task(
        name=f"{pool.name}-{tenant.name}",
        num_nodes=1,
        resources=Resources(
            accelerators={pool.gpu.upper(): pool.gpus_per_node},
            max_hourly_cost=round(tenant.max_usd_per_gpu_hour * pool.gpus_per_node, 6),
            autostop=Autostop(idle_minutes=math.ceil(pool.idle_release_s / 60), down=True),
            labels={"hubbub-pool": pool.name, "hubbub-tenant": tenant.name},
            priority=tenant.priority,
        ),
        envs={
            "HUBBUB_POOL": pool.name,
            "HUBBUB_TENANT": tenant.name,
            "HUBBUB_MAX_NODES": str(pool.num_nodes),
        },
    )
