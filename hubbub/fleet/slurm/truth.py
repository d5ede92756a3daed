"""Slurm's own truth as a fleet's state: who runs where, who waits, which nodes are out; it changes nothing.

Read from `squeue --json` and `sinfo --json`. Numbers are plain in Slurm 22.05 and objects with `set`,
`infinite` and `number` later; states are a word there and a list of words later: both are understood.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from hubbub.errors import Corruption, InvalidInput
from hubbub.fleet.jobs import Job
from hubbub.fleet.launcher import NO_LIMIT_S, Truth, Waiting
from hubbub.fleet.spec import FleetSpec
from hubbub.fleet.state import Claim, FleetState

_GPUS = re.compile(r"gpu(?::[A-Za-z]\w*)?[:=](\d+)")
_GOOD_NODES = ("idle", "mixed", "allocated", "completing", "planned")


def read_truth(run: Callable[..., str], spec: FleetSpec) -> Truth:
    """Read a moment; `run` runs one of Slurm's commands and returns what it printed.

    Partitions that are no tenant of the fleet are tenants without priority.

    Raises:
        InvalidInput: a command refused, or a node belongs to no pool of the fleet.
        Corruption: Slurm printed no JSON.
    """
    jobs = _decode(run("squeue", "--json"), "jobs")
    nodes = _decode(run("sinfo", "--json"), "nodes")
    state = FleetState(spec)
    state.now_s = time.time()
    for node in nodes:
        pool, number = _node_of(spec, node["name"])
        words = {word.lower() for word in (*_words(node["state"]), *node.get("state_flags", ()))}
        if not words & set(_GOOD_NODES) or words & {"drain", "down", "fail", "not_responding"}:
            state.pools[pool].nodes.remove(number)
    truth = Truth(state, {}, {})
    for told in sorted(jobs, key=lambda each: _number(each["submit_time"])):
        _take_in(truth, told)
    return truth


def _take_in(truth: Truth, told: dict[str, Any]) -> None:
    state, words = truth.state, set(_words(told["job_state"]))
    name = str(round(_number(told["job_id"])))
    gpus = _gpus_of(told)
    if gpus < 1 or not words & {"RUNNING", "PENDING"}:
        return
    tenant = state.tenant(told["partition"])
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
    if "RUNNING" in words:
        shares = list(_shares(state.spec, told))
        pool = state.pools[shares[0][0]]
        by_right = tenant.held_gpus + gpus <= tenant.tenant.guaranteed_gpus
        like = Claim(job, tenant, 0, submitted_s, started_s=started_s, is_by_right=by_right, num_starts=1)
        like.waited_s = max(started_s - submitted_s, 0.0)
        state.adopt(job, pool, [(node, num) for _, node, num in shares], like)
    else:
        claim = state.submit(job, submitted_s)
        claim.waiting_since_s = submitted_s
        truth.waiting[name] = Waiting(str(told.get("state_reason", "")), submitted_s, started_s)


def _expected_s(comment: str, limit_s: float) -> float:
    """Return what `hubbub fleet submit` noted that a job takes, else its limit."""
    found = re.search(r"hubbub:expected_s=(\d+)", comment)
    return float(found.group(1)) if found else limit_s


def _shares(spec: FleetSpec, told: dict[str, Any]) -> Iterator[tuple[str, int, int]]:
    for node, detail in zip(expand(told["nodes"]), told["gres_detail"], strict=False):
        found = _GPUS.search(detail)
        pool, number = _node_of(spec, node)
        yield pool, number, int(found.group(1)) if found else 0


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
