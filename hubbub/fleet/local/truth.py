"""What the journal of a local fleet says of this moment, as a fleet's state; it changes nothing."""

from __future__ import annotations

import msgspec

from hubbub.errors import InvalidInput
from hubbub.fleet.jobs import Job
from hubbub.fleet.launcher import NO_LIMIT_S, Truth, Waiting
from hubbub.fleet.local.journal import Book, Row
from hubbub.fleet.spec import FleetSpec, Tenant
from hubbub.fleet.state import Claim, FleetState


def truth_of(book: Book, now_s: float) -> Truth:
    """Return a moment: who leaves still holds its GPUs."""
    open_rows = book.open_rows()
    return Truth(
        state_of(book, now_s),
        {row.id: Waiting(row.reason, row.submitted_s) for row in open_rows if row.phase == "waiting"},
        {row.id: row.name for row in book.rows.values()},
        held={row.id: row.reason for row in open_rows if row.is_held(now_s) and row.phase == "waiting"},
        ended={row.id: row.reason for row in book.rows.values() if row.phase == "ended"},
        out={_place_of(node): why for node, why in book.out.items()},
    )


def spec_of(book: Book) -> FleetSpec:
    """Return the fleet's description.

    Raises:
        InvalidInput: there is none yet.
    """
    if book.fleet is None:
        raise InvalidInput("the fleet was not described yet: hubbub fleet up")
    return book.fleet


def state_of(book: Book, now_s: float, *, are_gone: bool = False) -> FleetState:
    """Return the fleet's state; with `are_gone`, as it will be when all have left that were told to."""
    spec = spec_of(book)
    # Failures happen, and are not drawn; nobody here lowers clocks, so power is freed by those who leave.
    pools = tuple(msgspec.structs.replace(pool, mttf_node_days=0.0, min_clock=1.0) for pool in spec.pools)
    state = FleetState(msgspec.structs.replace(spec, pools=pools))
    state.now_s = now_s
    _let_in(state, book)
    rows = [row for row in book.open_rows() if not (are_gone and row.leave == "cancelled")]
    seated = [row for row in rows if row.phase == "running" or (row.phase == "leaving" and not are_gone)]
    for row in sorted(seated, key=lambda each: each.started_s):
        _seat(state, row)
    for row in rows:
        if row.phase == "waiting" or (row.phase == "leaving" and are_gone):
            claim = state.submit(job_of(row, state), row.submitted_s)
            claim.waiting_since_s = row.waiting_since_s
            _remember(claim, row)
    for name in book.out:
        pool, node = _place_of(name)
        if not state.pools[pool].nodes.is_out(node):
            state.pools[pool].nodes.remove(node)
    state.apply_cap(state.spec.grid_events)
    return state


def _let_in(state: FleetState, book: Book) -> None:
    """Let in the rented nodes that are here, by their numbers."""
    for name, rented in book.rented.items():
        pool, here = state.pools[name], rented.idle_since_s
        num_known = max(here, default=-1) + 1
        state.add_nodes(pool, num_known)
        state.remove_nodes(pool, [node for node in range(num_known) if node not in here])
        pool.idle_since_s = dict(here)
        pool.num_ordered = len(rented.due_s)


def job_of(row: Row, state: FleetState) -> Job:
    """Return a row as the policy knows jobs."""
    tenant: Tenant = state.tenant(row.tenant).tenant
    return Job(
        id=row.id,
        tenant=row.tenant,
        gpus=row.gpus,
        submit_s=row.submitted_s,
        run_s=NO_LIMIT_S if row.expected_s is None else row.expected_s,
        expected_s=row.expected_s,
        min_gpus=row.min_gpus,
        priority=tenant.priority,
    )


def _seat(state: FleetState, row: Row) -> None:
    job, tenant = job_of(row, state), state.tenant(row.tenant)
    held = sum(gpus for _, gpus in row.shares)
    is_by_right = tenant.right_gpus + held <= tenant.tenant.guaranteed_gpus
    like = Claim(job, tenant, 0, row.waiting_since_s, started_s=row.started_s, is_by_right=is_by_right)
    _remember(like, row)
    state.adopt(job, state.pools[row.pool], row.shares, like)


def _remember(claim: Claim, row: Row) -> None:
    claim.num_starts = row.attempt
    claim.num_failures = row.num_failures + row.num_lost
    for field in ("done_s", "lost_s", "waited_s", "num_preempted"):
        setattr(claim, field, getattr(row, field))


def name_of(pool: str, node: int) -> str:
    """Return how a node is called: POOL-NUMBER, from 1."""
    return f"{pool}-{node + 1}"


def _place_of(name: str) -> tuple[str, int]:
    pool, _, number = name.rpartition("-")
    return pool, int(number) - 1
