"""Whose power goes when a cap falls or a stronger job needs it, and who gets it back; pure as the policy.

A lower clock is taken before GPUs are, and the weakest give first: the top tenant's runs are touched last.
"""

from __future__ import annotations

from collections.abc import Iterable

from hubbub.fleet.actions import Action, Cap, Preempt, Shrink
from hubbub.fleet.claims import Claim
from hubbub.fleet.clocks import kw_at, softest_kw
from hubbub.fleet.placement import Share
from hubbub.fleet.pools import PoolState, SiteState
from hubbub.fleet.state import FleetState

SLACK_KW = 1e-6
"""Sums of floats may be off by so little."""


def short_kw(pool: PoolState, gpus: int) -> float:
    """Return by how much a site would be above its cap with so many GPUs more; 0 or less: it would not."""
    site = pool.site
    return 0.0 if site is None else site.drawn_kw + gpus * pool.kw_per_gpu - site.cap_kw


def shed(state: FleetState, site: SiteState) -> list[Action]:
    """Bring a site under its cap, the lowest rank first; at last take off what else may not be preempted.

    Rank, not priority alone: who gave way within its guarantee would take it back from a borrower at once.
    """
    ranked = [*(state.running[rank] for rank in sorted(state.running)), state.fixed]
    here = [each for held in ranked for each in reversed(held.values()) if is_at(each, site)]
    why = f"{site.name} may draw {site.cap_kw:,.0f} kW"
    enough = free_kw(site, here, site.drawn_kw - site.cap_kw, why)
    return [Preempt(claim.job.id, why) for claim in here] if enough is None else enough


def is_at(claim: Claim, site: SiteState) -> bool:
    """Tell whether a job runs at a site."""
    return claim.pool is not None and claim.pool.site is site


def free_kw(
    site: SiteState, weakest: Iterable[Claim], kw: float, why: str, for_job: str = ""
) -> list[Action] | None:
    """Return how to free so much power of some jobs at a site; None: they do not draw so much.

    As few leave as must, the weakest; of the others, weakest first, clocks are lowered as far as needed; the
    last that leaves may keep a part if it is elastic.
    """
    victims = list(weakest) if site.can_slow else _enough_of(weakest, kw)
    softened = [claim.kw - softest_kw(claim) for claim in victims] if site.can_slow else [0.0] * len(victims)
    soft_kw, gone = sum(softened), 0
    while soft_kw < kw - SLACK_KW:
        if gone == len(victims):
            return None
        soft_kw += victims[gone].kw - softened[gone]
        gone += 1
    actions: list[Action] = []
    for n, claim in enumerate(victims[:gone]):
        rest_kw = sum(softened[gone:])
        kept = kept_shares(claim, kw - rest_kw) if n == gone - 1 else ()
        if kept:
            actions.append(Shrink(claim.job.id, sum(gpus for _, gpus in kept), kept, why, for_job))
            kw -= (claim.gpus - sum(gpus for _, gpus in kept)) * claim.kw_per_gpu
        else:
            actions.append(Preempt(claim.job.id, why, for_job))
            kw -= claim.kw
    for claim, most_kw in zip(victims[gone:], softened[gone:], strict=True):
        if kw <= SLACK_KW:
            break
        if most_kw > 0:
            assert claim.pool is not None
            taken_kw = min(most_kw, kw)
            each_kw = claim.kw_per_gpu - taken_kw / claim.gpus + claim.pool.pool.idle_kw_per_gpu
            actions.append(Cap(claim.job.id, each_kw, why))
            kw -= taken_kw
    return actions


def _enough_of(weakest: Iterable[Claim], kw: float) -> list[Claim]:
    """Return the first that draw so much together."""
    found = []
    for claim in weakest:
        found.append(claim)
        kw -= claim.kw
        if kw <= SLACK_KW:
            break
    return found


def kept_shares(claim: Claim, kw: float) -> tuple[Share, ...]:
    """Return what an elastic job keeps when it gives up so much power; nothing where it cannot."""
    if not claim.job.min_gpus or not claim.kw_per_gpu:
        return ()
    left = claim.gpus - int(-((SLACK_KW - kw) // claim.kw_per_gpu))
    kept: list[Share] = []
    for node, gpus in claim.shares:
        if left > 0:
            kept.append((node, min(gpus, left)))
            left -= gpus
    return tuple(kept) if sum(gpus for _, gpus in kept) >= claim.job.min_gpus else ()


def quicken(state: FleetState, least: tuple[bool, int] | None) -> list[Action]:
    """Raise the clock of the strongest capped job that a site has power for; only of who ranks above `least`.

    A raise of less than a tenth of what is missing is not worth an action.
    """
    for site in state.sites.values():
        room_kw = site.cap_kw - site.drawn_kw
        for claim in sorted(state.reduced.values(), key=lambda each: each.rank, reverse=True):
            if least is not None and claim.rank <= least:
                break
            if claim.pool is None or claim.pool.site is not site:
                continue
            pool = claim.pool.pool
            missing_kw = claim.gpus * kw_at(pool, 1.0) - claim.kw
            if missing_kw > SLACK_KW and room_kw >= max(0.1 * missing_kw, SLACK_KW):
                each_kw = claim.kw_per_gpu + min(missing_kw, room_kw) / claim.gpus
                each_kw = each_kw if room_kw < missing_kw else kw_at(pool, 1.0)
                return [Cap(claim.job.id, each_kw + pool.idle_kw_per_gpu, f"{site.name} has power again")]
    return []
