"""Carries the policy's actions out on a state, as a scheduler would; it decides nothing."""

from __future__ import annotations

from hubbub.errors import InvalidInput
from hubbub.fleet.actions import (
    Action,
    Avoid,
    Cap,
    Drain,
    Grow,
    Lend,
    Preempt,
    Release,
    Rent,
    Restore,
    Shrink,
    Start,
    SwapDelivery,
    TakeBack,
)
from hubbub.fleet.claims import Claim
from hubbub.fleet.rules import Policy
from hubbub.fleet.state import FleetState


def carry_out(state: FleetState, action: Action, policy: Policy) -> Claim | None:
    """Do one action, and return the job that it changed, if it changed one."""
    if isinstance(action, Start):
        claim = state.claims[action.job]
        state.start(claim, state.pools[action.pool], action.shares, is_by_right=action.is_by_right)
        return claim
    if isinstance(action, Preempt):
        claim = state.claims[action.job]
        state.preempt(
            claim, policy.place_of(claim.job, state.now_s, claim.done_s + claim.worked_s(state.now_s))
        )
        return claim
    if isinstance(action, Shrink | Grow):
        claim = state.claims[action.job]
        state.resize(claim, action.shares)
        return claim
    if isinstance(action, Cap):
        claim = state.claims[action.job]
        state.cap(claim, action.kw_per_gpu)
        return claim
    _carry_out_on_nodes(state, action)
    return None


def _carry_out_on_nodes(state: FleetState, action: Action) -> None:
    if isinstance(action, Rent):
        state.pools[action.pool].num_ordered += action.num_nodes
    elif isinstance(action, Release):
        state.remove_nodes(state.pools[action.pool], action.nodes)
    elif isinstance(action, Drain):
        state.drain_node(state.pools[action.pool], action.node)
    elif isinstance(action, Avoid):
        state.pools[action.pool].nodes.avoid(action.node)
    elif isinstance(action, Restore):
        state.mend_node(state.pools[action.pool], action.node)
    elif isinstance(action, SwapDelivery) and state.supply is not None:
        state.supply.agree(action)
    elif not isinstance(action, Lend | TakeBack):
        raise InvalidInput(f"{action} cannot be carried out here")


class Repeats:
    """Notices a policy that goes round in circles instead of coming to an end."""

    def __init__(self, state: FleetState) -> None:
        self._most, self._recent = 8 * len(state.claims) + 10_000, list[Action]()

    def note(self, state: FleetState, actions: list[Action]) -> None:
        """Count actions at one moment.

        Raises:
            InvalidInput: there were more than any sensible end needs; the last ones are named.
        """
        self._recent = [*self._recent[-12:], *actions]
        self._most -= len(actions)
        if self._most < 0:
            told = "; ".join(
                f"{type(each).__name__} {getattr(each, 'job', '')}" for each in self._recent[-12:]
            )
            raise InvalidInput(
                f"the policy does not come to an end at second {state.now_s:g}; it repeats: {told}. "
                "This is a fault of hubbub: please report it with the fleet's file"
            )
