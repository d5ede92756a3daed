"""A fleet as Slurm's own configuration: a partition a tenant, tiers by priority, kilowatts as licences.

slurm.conf(5) and gres.conf(5) of Slurm 22.05. What Slurm does well stays with it: queues, placement,
preemption by tier, requeueing. Power it only counts: it never preempts for a licence, and so `steer.py` does.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import msgspec

from hubbub.errors import InvalidInput
from hubbub.fleet.spec import FleetSpec, Pool, Tenant, idle_kw_of

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}\Z")


POLICY = ("Licenses=", "PartitionName=")
"""The lines of slurm.conf that are ours."""
RIGHT = ".right"
"""Ends the name of a second partition of a tenant: what it holds within its guarantee, above all others."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a Slurm on this machine keeps its files and listens; `node_port` is that of the first node."""

    directory: str
    spool: str
    """Short: Slurm makes sockets in it, whose paths have at most 107 bytes (unix(7))."""
    user: str
    control_port: int
    node_port: int
    accounting: Sequence[str] = ("AccountingStorageType=accounting_storage/none",)
    """Lines of slurm.conf."""


def check_names(spec: FleetSpec) -> None:
    """Refuse names that Slurm's files cannot hold.

    Raises:
        InvalidInput: a tenant, pool, GPU or site is named so; it is given.
    """
    names = [("tenant", t.name) for t in spec.tenants]
    names += [("pool", p.name) for p in spec.pools] + [("gpu", p.gpu) for p in spec.pools]
    names += [("site", s.name) for s in spec.sites]
    for kind, name in names:
        if not _NAME.match(name):
            raise InvalidInput(
                f"{kind} {name!r} cannot be named so in Slurm: use letters, digits, _ and -, a letter first"
            )


def node_names(pool: Pool) -> str:
    """Return a pool's nodes as Slurm lists them."""
    return f"{pool.name}-[1-{pool.num_nodes}]" if pool.num_nodes > 1 else f"{pool.name}-1"


def licensed_watts(spec: FleetSpec) -> dict[str, int]:
    """Return what each site may draw beyond its idle nodes: licences are whole numbers."""
    return {
        site.name: round(max(site.cap_kw - _idle_kw(spec, site.name), 0.0) * 1_000) for site in spec.sites
    }


def watts_of(pool: Pool, gpus: int) -> int:
    """Return what a job on so many of a pool's GPUs draws more than they do when idle."""
    return round(gpus * (pool.busy_kw_per_gpu - pool.idle_kw_per_gpu) * 1_000)


def licenses_of(pool: Pool, gpus: int) -> str:
    """Return the licences that a job on a pool's GPUs takes, empty for a pool without a site."""
    return f"watt_{pool.site}:{watts_of(pool, gpus)}" if pool.site else ""


def _idle_kw(spec: FleetSpec, site: str) -> float:
    return sum(idle_kw_of(pool) for pool in spec.pools if pool.site == site and not pool.is_rented)


def policy_lines(spec: FleetSpec, in_use: Collection[str] = ()) -> list[str]:
    """Return what `hubbub fleet apply` keeps in an existing slurm.conf: partitions and licences.

    Slurm ends all jobs of a partition that goes. So who holds a right that is no more keeps it as a name.

    Raises:
        InvalidInput: a name does not do, or a partition `in_use` is no tenant's any more.
    """
    check_names(spec)
    lines = []
    if spec.sites:
        watts = licensed_watts(spec).items()
        lines.append(f"Licenses={','.join(f'watt_{name}:{most}' for name, most in watts)}")
    tenants: Sequence[Tenant] = spec.tenants or (Tenant(name="everybody"),)
    lowest, highest = min(t.priority for t in tenants), max(t.priority for t in tenants)
    tiers = {tenant.name: tenant.priority - lowest + 1 for tenant in tenants}
    nodes = {tenant.name: _nodes_for(spec, tenant) for tenant in tenants}
    for tenant in tenants:
        if tenant.guaranteed_gpus:
            tiers[tenant.name + RIGHT] = tiers[tenant.name] + highest - lowest + 1
        elif tenant.name + RIGHT in in_use:
            tiers[tenant.name + RIGHT] = tiers[tenant.name]
    if gone := sorted({name.removesuffix(RIGHT) for name in set(in_use) - tiers.keys()}):
        raise InvalidInput(
            f"jobs of {', '.join(gone)} wait or run, and the new fleet knows no such tenant: Slurm would end "
            "them. Keep the tenant, or first: hubbub fleet cancel"
        )
    top = max(tiers.values())
    for name, tier in tiers.items():
        mode = "OFF" if min(tiers.values()) < tier == top else "REQUEUE"
        lines.append(
            f"PartitionName={name} Nodes={nodes[name.removesuffix(RIGHT)]} PriorityTier={tier} "
            f"PreemptMode={mode} GraceTime=0 MaxTime=INFINITE State=UP"
            + (" Default=YES" if name == tenants[-1].name else "")
        )
    return lines


def _nodes_for(spec: FleetSpec, tenant: Tenant) -> str:
    """Return the nodes of a tenant's partition: rented ones only if it pays for them."""
    pools = [pool for pool in spec.pools if may_use(pool, tenant)]
    return "ALL" if len(pools) == len(spec.pools) else ",".join(map(node_names, pools))


def may_use(pool: Pool, tenant: Tenant) -> bool:
    """Tell whether a tenant's jobs may run on a pool: on a rented one if it pays its price."""
    return not pool.is_rented or pool.usd_per_gpu_hour <= tenant.max_usd_per_gpu_hour


_SETTINGS = (
    "SlurmdParameters=config_overrides",
    "CommunicationParameters=NoCtldInAddrAny,NoInAddrAny",
    "ProctrackType=proctrack/pgid",
    "TaskPlugin=task/none",
    "SwitchType=switch/none",
    "MpiDefault=none",
    "ReturnToService=1",
    "SchedulerType=sched/backfill",
    "SchedulerParameters=bf_interval=2,bf_resolution=1,bf_licenses,preempt_youngest_first,"
    "sched_interval=2,batch_sched_delay=0,sched_min_interval=100000",
    "SelectType=select/cons_tres",
    "SelectTypeParameters=CR_Core",
    "GresTypes=gpu",
    "PriorityType=priority/multifactor",
    "PriorityWeightPartition=1000",
    "PreemptType=preempt/partition_prio",
    "PreemptMode=REQUEUE",
    "KillWait=5",
    "UnkillableStepTimeout=600",  # else a laptop that slept costs a node: it is drained
    "JobRequeue=1",
    "JobCompType=jobcomp/filetxt",
    "JobAcctGatherType=jobacct_gather/none",
    "SlurmdTimeout=10",
)


def render(spec: FleetSpec, place: Place) -> str:
    """Return a whole slurm.conf for a pretend cluster on this machine; it listens on 127.0.0.1 only."""
    base = place.directory
    lines = [
        "ClusterName=hubbub",
        "SlurmctldHost=localhost(127.0.0.1)",
        f"SlurmUser={place.user}",
        f"SlurmdUser={place.user}",
        "AuthType=auth/none",
        "CredType=cred/none",
        "AuthInfo=cred_expire=5",
        f"SlurmctldPort={place.control_port}",
        f"SlurmctldPidFile={base}/run/slurmctld.pid",
        f"SlurmdPidFile={base}/run/slurmd-%n.pid",
        f"SlurmdSpoolDir={place.spool}/%n",
        f"StateSaveLocation={base}/state",
        f"SlurmctldLogFile={base}/log/slurmctld.log",
        f"SlurmdLogFile={base}/log/slurmd-%n.log",
        *_SETTINGS,
        f"JobCompLoc={base}/log/jobcomp.txt",
        *place.accounting,
        *_rent_lines(spec, base),
    ]
    port = place.node_port
    for pool in spec.pools:
        last = port + pool.num_nodes - 1
        lines.append(
            f"NodeName={node_names(pool)} NodeHostname=localhost NodeAddr=127.0.0.1 "
            f"Port={port if last == port else f'[{port}-{last}]'} CPUs=16 Sockets=1 "
            "CoresPerSocket=16 ThreadsPerCore=1 RealMemory=1000 "
            f"Gres=gpu:{pool.gpu}:{pool.gpus_per_node} Feature={pool.name} "
            + ("Weight=1000 State=CLOUD" if pool.is_rented else "State=UNKNOWN")
        )
        port = last + 1
    return "\n".join([*lines, *policy_lines(spec)]) + "\n"


def _rent_lines(spec: FleetSpec, base: str) -> list[str]:
    """Return how Slurm gets rented nodes, and gives them back by itself, also when hubbub is gone."""
    rented = [pool for pool in spec.pools if pool.is_rented]
    if not rented:
        return []
    owned = ",".join(node_names(pool) for pool in spec.pools if not pool.is_rented)
    return [
        f"ResumeProgram={base}/run/resume",
        f"SuspendProgram={base}/run/suspend",
        f"PrologSlurmctld={base}/run/prolog",
        f"SuspendTime={max(1, round(max(pool.idle_release_s for pool in rented)))}",
        f"ResumeTimeout={60 + 2 * round(max(pool.lead_s for pool in rented))}",
        "SuspendTimeout=5",
        "SlurmctldParameters=power_save_interval=1,idle_on_node_suspend",
        *([f"SuspendExcNodes={owned}"] if owned else []),
    ]


def render_gres(spec: FleetSpec, directory: str) -> str:
    """Return gres.conf: pretend GPUs are plain files (a count without files makes a node invalid)."""
    lines = []
    for pool in spec.pools:
        files = f"gpu[0-{pool.gpus_per_node - 1}]" if pool.gpus_per_node > 1 else "gpu0"
        lines.append(f"NodeName={node_names(pool)} Name=gpu Type={pool.gpu} File={directory}/dev/{files}")
    return "\n".join(lines) + "\n"
