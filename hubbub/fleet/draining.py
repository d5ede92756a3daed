"""Takes nodes out that fail more often than chance would have it: `health.verdicts` on a fleet's state."""

from __future__ import annotations

from itertools import takewhile

from hubbub.fleet.actions import Action, Avoid, Drain
from hubbub.fleet.health import USUAL, verdicts
from hubbub.fleet.pools import PoolState
from hubbub.fleet.state import FleetState


def drains(state: FleetState) -> list[Action]:
    """Return which nodes to drain or to place on last; asked where something failed at this moment."""
    return [
        action
        for pool in state.pools.values()
        if _has_news(pool, state.now_s)
        for action in _of(pool, state.now_s)
    ]


def _has_news(pool: PoolState, now_s: float) -> bool:
    return bool(pool.failures) and pool.failures[-1].at_s == now_s


def _of(pool: PoolState, now_s: float) -> list[Action]:
    name, found = pool.pool.name, list[Action]()
    recent = takewhile(lambda each: each.at_s >= now_s - USUAL.window_s, reversed(pool.failures))
    drained = {str(node) for node in pool.drained}
    for verdict in verdicts(recent, num_nodes=pool.pool.num_nodes, now_s=now_s, drained=drained):
        node = int(verdict.node)
        if verdict.do == "drain":
            found.append(Drain(name, node, verdict.reason))
        elif verdict.do == "avoid" and not pool.nodes.is_avoided(node):
            found.append(Avoid(name, node, verdict.reason))
    return found
