"""One look at a fleet that keeps a book: who ended, what is decided; written down, not done.

What is to be done then stands in the book: rows that run and whose ranks never came to be are to be started,
rows that leave are to be told. So who does it may die at any time, and the next goes on from the book.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

from hubbub.fleet.actions import Action, Drain, Preempt, Release, Rent, Start
from hubbub.fleet.health import verdicts
from hubbub.fleet.local import gpus
from hubbub.fleet.local.deciding import actions_now
from hubbub.fleet.local.journal import Book, Change, Rented, Row
from hubbub.fleet.local.ranks import RankState
from hubbub.fleet.local.settling import leave, observations, settle
from hubbub.fleet.local.truth import name_of, spec_of
from hubbub.fleet.policy import Policy

Look: TypeAlias = Callable[[Row], Sequence[RankState]]
"""Finds out about all ranks of a row; what a lost one left is cleared away by it."""


def look_once(
    book: Book,
    change: Change,
    look: Look,
    now_s: float,
    policy: Policy,
    *,
    num_real: int = 0,
    judges: bool = False,
) -> None:
    """Bring a book up to now, and note in `change` all that is new.

    `num_real` GPUs are this machine's. Nodes are drained by health's rules where they are really different
    things: with `judges`, or where their GPUs are real.
    """
    for row in book.open_rows():
        if row.phase in ("running", "leaving"):
            _settle(book, change, row, look(row), now_s, judges or row.is_real)
    _receive(book, change, now_s)
    for action in actions_now(book, now_s, policy):
        if isinstance(action, Start):
            _seat(book, change, action, now_s, num_real)
        elif isinstance(action, Preempt):
            put(book, change, leave(book.rows[action.job], "preempted", action.reason))
        else:
            note(book, change, action, now_s)


def _settle(
    book: Book, change: Change, row: Row, states: Sequence[RankState], now_s: float, judges: bool
) -> None:
    after = settle(row, states, now_s)
    if after is row:
        return
    put(book, change, after)
    if after.phase == "leaving":
        return
    change.seen += observations(row, states, now_s)
    if judges:
        _judge(book, change, now_s)
    if row.pool in book.rented:
        rented = book.rented[row.pool]
        idle = rented.idle_since_s | {node: now_s for node, _ in row.shares}
        _rent(book, change, row.pool, msgspec.structs.replace(rented, idle_since_s=idle))


def _judge(book: Book, change: Change, now_s: float) -> None:
    """Drain nodes by health's rules; the only one stays."""
    num_nodes = sum(pool.num_nodes for pool in spec_of(book).pools)
    if num_nodes < 2:
        return
    seen = [*book.seen, *change.seen]
    for told in verdicts(seen, num_nodes=num_nodes, now_s=now_s, drained=book.out):
        if told.do == "drain":
            change.out = book.out = book.out | {told.node: f"drained: {told.reason}"}


def _seat(book: Book, change: Change, action: Start, now_s: float, num_real: int) -> None:
    spec, row = spec_of(book), book.rows[action.job]
    pool = next(pool for pool in spec.pools if pool.name == action.pool)
    is_real = gpus.are_real(spec, num_real)
    seated = msgspec.structs.replace(
        row,
        phase="running",
        attempt=row.attempt + 1,
        pool=action.pool,
        shares=action.shares,
        gpu_numbers=gpus.numbers_for(spec, pool, action.shares, book.open_rows(), is_real=is_real),
        is_real=is_real,
        port=_free_port() if len(action.shares) > 1 else 0,
        started_s=now_s,
        is_by_right=action.is_by_right,
        reason=action.reason,
        not_before_s=0.0,
        waited_s=row.waited_s + max(now_s - row.waiting_since_s, 0.0),
    )
    put(book, change, seated)


def note(book: Book, change: Change, action: Action, now_s: float) -> None:
    """Write down what is done by writing it down: nodes that are rented, given back, drained."""
    if isinstance(action, Rent):
        pool = next(pool for pool in spec_of(book).pools if pool.name == action.pool)
        rented = book.rented.get(action.pool, Rented())
        due_s = (*rented.due_s, *[now_s + pool.lead_s] * action.num_nodes)
        _rent(book, change, action.pool, msgspec.structs.replace(rented, due_s=due_s))
    elif isinstance(action, Release):
        rented = book.rented[action.pool]
        here = {node: at_s for node, at_s in rented.idle_since_s.items() if node not in action.nodes}
        _rent(book, change, action.pool, msgspec.structs.replace(rented, idle_since_s=here))
    elif isinstance(action, Drain):
        name = name_of(action.pool, action.node)
        change.out = book.out = book.out | {name: f"drained: {action.reason}"}


def _receive(book: Book, change: Change, now_s: float) -> None:
    """Let in the rented nodes that have come, each with the lowest number that is free."""
    for pool, rented in list(book.rented.items()):
        come = sum(due_s <= now_s for due_s in rented.due_s)
        if come:
            here = dict(rented.idle_since_s)
            for _ in range(come):
                here[next(node for node in range(len(here) + 1) if node not in here)] = now_s
            left = tuple(due_s for due_s in rented.due_s if due_s > now_s)
            _rent(book, change, pool, Rented(due_s=left, idle_since_s=here))


def _rent(book: Book, change: Change, pool: str, rented: Rented) -> None:
    change.rented = book.rented = book.rented | {pool: rented}


def put(book: Book, change: Change, row: Row) -> None:
    """Let a row hold from now on."""
    book.rows[row.id] = row
    change.rows.append(row)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
