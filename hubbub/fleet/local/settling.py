"""What becomes of a job whose processes ended: done, waiting again at its old place, or given up."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hubbub.fleet.health import Observation
from hubbub.fleet.local import keeper
from hubbub.fleet.local.journal import MAX_PAUSE_S, Row
from hubbub.fleet.local.ranks import RankState
from hubbub.fleet.local.truth import name_of

MAX_RESTARTS = 3
"""After failures of its own; preemptions do not count."""


def settle(row: Row, ranks: Sequence[RankState], now_s: float) -> Row:
    """Return a running or leaving job as its processes leave it; the same row where nothing is new."""
    lost = next((rank for rank in ranks if rank.phase == "lost"), None)
    failed = lost or next((rank for rank in ranks if rank.code), None)
    if any(rank.phase == "lives" for rank in ranks):
        if failed is not None and row.phase == "running":
            return leave(row, "failed", _told(failed))
        return row
    if row.phase == "running" and any(rank.phase == "never" for rank in ranks):
        return row
    if row.leave == "cancelled":
        return _end(row, row.reason, now_s)
    if all(rank.phase == "ended" and not rank.code for rank in ranks) and not _was_told(row, ranks):
        return _end(_worked(row, now_s), "is done", now_s)
    if row.leave == "preempted" and (failed is None or _was_told(row, ranks)):
        return _again(_worked(row, now_s), row.reason, now_s, num_preempted=row.num_preempted + 1)
    if lost is not None:
        return _lose(row, _told(lost), now_s)
    return _fail(row, row.reason if failed is None else _told(failed), failed, now_s)


def leave(row: Row, why: str, reason: str) -> Row:
    """Return a job that is told to leave; a stronger wish replaces a weaker one."""
    return msgspec.structs.replace(row, phase="leaving", leave=why, reason=reason)


def cancelled(row: Row, now_s: float) -> Row:
    """Return a job that is cancelled: at once where it waits."""
    return (
        _end(row, "was cancelled", now_s)
        if row.phase == "waiting"
        else leave(row, "cancelled", "was cancelled")
    )


def _was_told(row: Row, ranks: Sequence[RankState]) -> bool:
    return row.leave == "preempted" and any(rank.was_told or rank.phase == "never" for rank in ranks)


def _told(rank: RankState) -> str:
    if rank.phase == "lost":
        return rank.why or "its keeper was killed"
    if rank.code == keeper.NOT_FOUND and rank.why:
        return f"could not be started: {rank.why}"
    return f"was killed by signal {-rank.code}" if rank.code < 0 else f"left with code {rank.code}"


def _lose(row: Row, told: str, now_s: float) -> Row:
    """Try again what was lost without its own fault, however often, after pauses of up to a minute."""
    num_lost = row.num_lost + 1
    worked_s = max(now_s - row.started_s, 0.0)
    row = msgspec.structs.replace(row, num_lost=num_lost, lost_s=row.lost_s + worked_s)
    return _again(
        row,
        f"{told}, and it starts again",
        now_s,
        not_before_s=now_s + min(2.0 ** (num_lost - 1), MAX_PAUSE_S),
    )


def _fail(row: Row, told: str, rank: RankState | None, now_s: float) -> Row:
    num_failures = row.num_failures + 1
    worked_s = max(now_s - row.started_s, 0.0)
    row = msgspec.structs.replace(row, num_failures=num_failures, lost_s=row.lost_s + worked_s)
    if rank is not None and rank.code == keeper.NOT_FOUND and rank.why:
        return _end(row, told, now_s)
    if num_failures > MAX_RESTARTS:
        return _end(row, f"failed {num_failures} times; at last it {told}", now_s)
    wait_s = 2.0 ** (num_failures - 1)
    reason = f"it {told}, and is tried again ({num_failures} of {MAX_RESTARTS})"
    return _again(row, reason, now_s, not_before_s=now_s + wait_s)


def _worked(row: Row, now_s: float) -> Row:
    return msgspec.structs.replace(row, done_s=row.done_s + max(now_s - row.started_s, 0.0))


def _end(row: Row, how: str, now_s: float) -> Row:
    return msgspec.structs.replace(_off(row), phase="ended", reason=how, ended_s=now_s)


def _again(row: Row, reason: str, now_s: float, **changed: object) -> Row:
    return msgspec.structs.replace(
        _off(row), phase="waiting", reason=reason, waiting_since_s=now_s, **changed
    )


def _off(row: Row) -> Row:
    return msgspec.structs.replace(row, leave="", pool="", shares=(), gpu_numbers=(), is_by_right=False)


def observations(row: Row, ranks: Sequence[RankState], now_s: float) -> list[Observation]:
    """Return what health wants to know of the nodes of a job that has just ended there."""
    told = []
    for (node, _), rank in zip(row.shares, ranks, strict=True):
        if rank.phase == "lost" or (rank.phase == "ended" and not rank.why):
            told.append(
                Observation(
                    at_s=now_s,
                    node=name_of(row.pool, node),
                    kind="node_fail" if rank.phase == "lost" else "exit",
                    code=rank.code if rank.code >= 0 else 128 - rank.code,
                    job=row.id,
                    owner=row.tenant,
                )
            )
    return told
