"""What Slurm's logs tell of its nodes' health, and whom `health.verdicts` would drain for it.

Jobs that ended are in the completion log (jobcomp/filetxt); which of a gang's nodes was to blame it does not
tell, so only jobs on one node count. Nodes that stopped answering, and those that somebody let in again, are
in the controller's log. The newest few megabytes of each are read; times are this machine's, as Slurm's are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from hubbub.disk import refusals
from hubbub.fleet.actions import Drain
from hubbub.fleet.health import Observation, Verdict, verdicts
from hubbub.fleet.slurm.config import RIGHT
from hubbub.fleet.slurm.truth import SlurmTruth, expand

_MOST_BYTES = 4 << 20
_ENDED = re.compile(
    r"^JobId=(\d+) UserId=(\S+) .*? JobState=(COMPLETED|FAILED|NODE_FAIL) Partition=(\S+) TimeLimit=\S+ "
    r"StartTime=\S+ EndTime=(\d\S+) NodeList=(\S+) NodeCnt=1 .* ExitCode=(\d+):(\d+) *$",
    re.MULTILINE,
)
"""A job's name may hold all of this, too; whose job it is stands before, and one owner is one opinion."""
_DOWN = re.compile(r"^\[(\S+)\] .*Nodes (\S+) not responding, setting DOWN", re.MULTILINE)
_UP = re.compile(r"^\[(\S+)\] update_node: node (\S+) state set to (?:IDLE|RESUME)\b", re.MULTILINE)


def drains(directory: Path, truth: SlurmTruth) -> list[Drain]:
    """Return which nodes of a cluster to drain now, besides those that are out already."""
    return [Drain(*place, told.reason) for place, told in _said(directory, truth) if told.do == "drain"]


def lemons(directory: Path, truth: SlurmTruth) -> dict[tuple[str, int], str]:
    """Return what makes which nodes suspicious that still take jobs."""
    return {place: told.reason for place, told in _said(directory, truth) if told.do != "elsewhere"}


def _said(directory: Path, truth: SlurmTruth) -> Iterator[tuple[tuple[str, int], Verdict]]:
    names = {f"{pool}-{node + 1}": (pool, node) for pool, node in _nodes(truth)}
    out = {f"{pool}-{node + 1}" for pool, node in truth.out}
    seen = [each for each in observations(directory) if each.node in names]
    for told in verdicts(seen, num_nodes=len(names), now_s=truth.state.now_s, drained=out):
        yield names[told.node], told


def observations(directory: Path) -> list[Observation]:
    """Return all that the logs of a cluster in this directory tell.

    Raises:
        StorageError: a log cannot be read; one that is not there tells nothing.
    """
    ended, control = (_newest(directory / "log" / name) for name in ("jobcomp.txt", "slurmctld.log"))
    told = [
        Observation(at_s=_seconds(at), node=node, kind="node_fail")
        for at, nodes in _DOWN.findall(control)
        for node in expand(nodes)
    ]
    told += [Observation(at_s=_seconds(at), node=node, kind="mended") for at, node in _UP.findall(control)]
    return sorted([*told, *_ended(ended)], key=lambda each: each.at_s)


def _ended(log: str) -> Iterator[Observation]:
    for job, user, state, partition, ended, node, code, number in _ENDED.findall(log):
        yield Observation(
            at_s=_seconds(ended),
            node=node,
            kind="node_fail" if state == "NODE_FAIL" else "exit",
            code=int(code) or (128 + int(number) if int(number) else 0),
            job=job,
            owner=f"{user} of {partition.removesuffix(RIGHT)}",
        )


def _nodes(truth: SlurmTruth) -> Iterator[tuple[str, int]]:
    for name, pool in truth.state.pools.items():
        for node in range(len(pool.nodes.free)):
            yield name, node


def _newest(path: Path) -> str:
    if not path.is_file():
        return ""
    with refusals("read", path), path.open("rb") as file:
        file.seek(max(path.stat().st_size - _MOST_BYTES, 0))
        return file.read().decode(errors="replace")


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()
