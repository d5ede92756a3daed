"""Slurm's own truth as a fleet's state: who runs where, who waits, which nodes are out; it changes nothing.

Read from `squeue --json` and `sinfo --json`. Numbers are plain in Slurm 22.05 and objects with `set`,
`infinite` and `number` later; states are a word there and a list of words later: both are understood.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from hubbub.errors import Corruption, InvalidInput
from hubbub.fleet.jobs import Job
from hubbub.fleet.launcher import NO_LIMIT_S, Truth, Waiting
from hubbub.fleet.slurm.config import RIGHT
from hubbub.fleet.spec import FleetSpec
from hubbub.fleet.state import Claim, FleetState, PoolState

_PLANNED = ("Resources", "Priority", "Licenses")
"""Reasons to wait with which Slurm's start time is its plan, not the earliest time allowed."""
_GPUS = re.compile(r"gpu(?::[A-Za-z]\w*)?[:=](\d+)")
_GOOD_NODES = {"idle", "mixed", "allocated", "completing", "planned"}
_BAD_FLAGS = {"drain", "down", "fail", "not_responding"}


class SlurmTruth(Truth):
    """A moment of a Slurm."""

    partitions: dict[str, str] = {}
    """Of each job."""


def read_truth(run: Callable[..., str], spec: FleetSpec, *, are_gone: bool = False) -> SlurmTruth:
    """Read a moment; `run` runs one of Slurm's commands and returns what it printed.

    Whose processes leave still holds its GPUs and its power, as it does in Slurm; with `are_gone` it is as it
    will be then. Partitions that are no tenant of the fleet are tenants without priority. Rented nodes that
    Slurm does not list are not there.

    Raises:
        InvalidInput: a command refused, or a node belongs to no pool of the fleet.
        Corruption: Slurm printed no JSON.
    """
    jobs = _decode(run("squeue", "--json"), "jobs")
    nodes = _decode(run("sinfo", "--json"), "nodes")
    state = FleetState(_without_finesse(spec))
    state.now_s = time.time()
    truth = SlurmTruth(state, {}, {})
    listed = {_node_of(spec, node["name"]): node for node in nodes}
    at_work = {(pool, node) for told in jobs if _runs(told) for pool, node, _ in _shares(spec, told)}
    for pool in filter(lambda each: each.pool.is_rented, state.pools.values()):
        _let_in(state, pool, listed, at_work)
    for (name, number), node in listed.items():
        words = _words_of(node)
        if not words & _GOOD_NODES or words & _BAD_FLAGS:
            if number not in state.pools[name].given_back:
                state.pools[name].nodes.remove(number)
                truth.out[name, number] = _why_out(node, words)
    for told in sorted(jobs, key=lambda each: (not _is_right(each), _number(each["submit_time"]))):
        _take_in(truth, told, are_gone=are_gone)
    state.apply_cap(spec.grid_events)
    return truth


def _without_finesse(spec: FleetSpec) -> FleetSpec:
    """Return the fleet as far as Slurm can lead it: it lowers no clocks, and keeps no spares back."""
    pools = tuple(msgspec.structs.replace(pool, min_clock=1.0, num_spares=0) for pool in spec.pools)
    return msgspec.structs.replace(spec, pools=pools)


def _let_in(
    state: FleetState,
    pool: PoolState,
    listed: dict[tuple[str, int], dict[str, Any]],
    at_work: set[tuple[str, int]],
) -> None:
    """Let in what of a rented pool is there; what comes up for a job counts as there."""
    state.add_nodes(pool, pool.pool.num_nodes)
    gone = []
    for number in range(pool.pool.num_nodes):
        place = (pool.pool.name, number)
        node = listed.get(place, {"state": "powered_down"})
        words = _words_of(node)
        if place not in at_work and words & {"powered_down", "powering_down", "power_down", "powering_up"}:
            gone.append(number)
            pool.num_ordered += "powering_up" in words
        elif place not in at_work:
            pool.idle_since_s[number] = _number(node.get("last_busy")) or state.now_s
    state.remove_nodes(pool, gone)


def _take_in(truth: SlurmTruth, told: dict[str, Any], *, are_gone: bool) -> None:
    state = truth.state
    is_seated = _runs(told) or (not are_gone and _leaves(truth, told))
    name = str(round(_number(told["job_id"])))
    gpus = _gpus_of(told)
    if gpus < 1 or not (is_seated or _waits(told, state.now_s)):
        return
    tenant = state.tenant(told["partition"].removesuffix(RIGHT))
    truth.partitions[name] = told["partition"]
    limit_s = _number(told.get("time_limit")) * 60 or NO_LIMIT_S
    submitted_s, started_s = _number(told["submit_time"]), _number(told.get("start_time"))
    job = Job(
        id=name,
        tenant=tenant.tenant.name,
        gpus=gpus,
        submit_s=submitted_s,
        run_s=limit_s,
        expected_s=_expected_s(told.get("comment", ""), limit_s),
        priority=tenant.tenant.priority,
        is_preemptible=bool(told.get("requeue", True)),
    )
    truth.names[name] = told.get("name", "")
    if is_seated:
        shares = list(_shares(state.spec, told))
        pool = state.pools[shares[0][0]]
        guarantee = tenant.tenant.guaranteed_gpus
        by_right = (guarantee and _is_right(told)) or tenant.held_gpus + gpus <= guarantee
        like = Claim(
            job, tenant, 0, submitted_s, started_s=started_s, is_by_right=bool(by_right), num_starts=1
        )
        like.waited_s = max(started_s - submitted_s, 0.0)
        state.adopt(job, pool, [(node, num) for _, node, num in shares], like)
    else:
        claim = state.submit(job, submitted_s)
        claim.waiting_since_s = submitted_s
        claim.planned_s = _planned_s(state, str(told.get("state_reason", "")), started_s)
        truth.waiting[name] = Waiting(str(told.get("state_reason", "")), submitted_s)


def _planned_s(state: FleetState, reason: str, start_s: float) -> float:
    """Return when Slurm's backfill means to start a job; it does not know of grid events that are to come."""
    over = any(0 <= start_s - event.start_s < event.duration_s for event in state.spec.grid_events)
    return start_s if reason in _PLANNED and start_s > state.now_s and not over else math.inf


def _is_right(told: dict[str, Any]) -> bool:
    return str(told["partition"]).endswith(RIGHT)


def _runs(told: dict[str, Any]) -> bool:
    """Tell whether a job has its nodes; CONFIGURING: rented ones that come up."""
    return bool({"RUNNING", "CONFIGURING"} & set(_words(told["job_state"])))


def _waits(told: dict[str, Any], now_s: float) -> bool:
    """Tell whether a job waits, or will when its processes have left: an end to come is no end."""
    words = _words(told["job_state"])
    return "PENDING" in words or ("COMPLETING" in words and _number(told.get("end_time")) > now_s)


def _leaves(truth: SlurmTruth, told: dict[str, Any]) -> bool:
    """Tell whether a job's processes leave, on nodes that live."""
    if "COMPLETING" not in _words(told["job_state"]) or not told.get("nodes"):
        return False
    return not any((pool, node) in truth.out for pool, node, _ in _shares(truth.state.spec, told))


def _words_of(node: dict[str, Any]) -> set[str]:
    return {word.lower() for word in (*_words(node["state"]), *node.get("state_flags", ()))}


def _why_out(node: dict[str, Any], words: set[str]) -> str:
    kind = "drained" if "drain" in words and "down" not in words else "down"
    return f"{kind}: {node.get('reason') or 'Slurm gives no reason'}"


def _expected_s(comment: str, limit_s: float) -> float:
    """Return what `hubbub fleet submit` noted that a job takes, else its limit."""
    found = re.search(r"hubbub:expected_s=(\d+)", comment)
    return float(found.group(1)) if found else limit_s


def _shares(spec: FleetSpec, told: dict[str, Any]) -> Iterator[tuple[str, int, int]]:
    """Yield (pool, node, GPUs); of who leaves Slurm tells only on what nodes it still is."""
    nodes, details = expand(told["nodes"]), told.get("gres_detail") or ()
    for place, node in enumerate(nodes):
        found = _GPUS.search(details[place]) if place < len(details) else None
        each = _gpus_of(told) // max(round(_number(told["node_count"])), 1) if not details else 0
        yield *_node_of(spec, node), int(found.group(1)) if found else each


def _gpus_of(told: dict[str, Any]) -> int:
    if told.get("gres_detail"):
        return sum(int(found.group(1)) for detail in told["gres_detail"] if (found := _GPUS.search(detail)))
    for field, per in (("tres_per_node", "node_count"), ("tres_per_task", "tasks"), ("tres_per_job", "")):
        if found := _GPUS.search(told.get(field) or ""):
            return int(found.group(1)) * (round(_number(told[per])) if per else 1)
    return 0


def expand(nodes: str) -> list[str]:
    """Return the nodes that Slurm lists as a-[1-3,7],b-1, in order."""
    found: list[str] = []
    for stem, ranges in re.findall(r"([^,\[\]]+)(?:\[([^\]]*)\])?", nodes):
        if not ranges:
            found.append(stem)
            continue
        for part in ranges.split(","):
            first, _, last = part.partition("-")
            found += [f"{stem}{n:0{len(first)}d}" for n in range(int(first), int(last or first) + 1)]
    return found


def _node_of(spec: FleetSpec, name: str) -> tuple[str, int]:
    stem, _, number = name.rpartition("-")
    if number.isdigit() and any(pool.name == stem and int(number) <= pool.num_nodes for pool in spec.pools):
        return stem, int(number) - 1
    raise InvalidInput(
        f"node {name!r} belongs to no pool of this fleet; nodes are named POOL-NUMBER, and the pools are "
        f"{[pool.name for pool in spec.pools]}"
    )


def _decode(text: str, key: str) -> list[dict[str, Any]]:
    try:
        told = msgspec.json.decode(text, type=dict[str, Any])[key]
    except (msgspec.DecodeError, KeyError) as error:
        raise Corruption(f"Slurm's JSON of {key} is not as any known version writes it: {error}") from error
    assert isinstance(told, list)
    return told


def _words(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _number(value: Any) -> float:
    """Return a number of either version; 0 where it is not set or without end."""
    if isinstance(value, dict):
        return float(value["number"]) if value.get("set") and not value.get("infinite") else 0.0
    return float(value or 0)
