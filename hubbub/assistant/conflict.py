"""Finds statements that contradict each other: a denial, a turned-round copy, another figure for a thing."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
import numpy as np

from hubbub.assistant.evidence import Evidence, Pool
from hubbub.assistant.voices import Voice

Reason: TypeAlias = Literal["denial", "figure", "negation"]

_DENIES = 0.12
"""Likeness from which on a denial speaks of a statement; low, because a denial adds words of its own."""
_COUNTS = 0.25
"""Likeness from which on two figures count the same thing."""
_TURNS = 0.5
"""Likeness from which on a negation turns the same statement round."""
_MIN_QUALITY = 0.3


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """One statement and another that contradicts it."""

    claim: Evidence
    against: Evidence
    reason: Reason
    voices: tuple[Voice, ...]
    """Those who contradict."""


def contradiction(one: Evidence, other: Evidence, likeness: float) -> Reason | None:
    """Tell how two statements contradict each other, if they do."""
    shared = len(one.terms & other.terms)
    if one.is_denial != other.is_denial and likeness >= _DENIES and shared >= 2:
        return "denial"
    if likeness >= _COUNTS and shared >= 2 and _figures_differ(one, other):
        return "figure"
    if likeness >= _TURNS and shared >= 3 and one.num_negations % 2 != other.num_negations % 2:
        return "negation"
    return None


def against(pool: Pool, claim: Evidence) -> Conflict | None:
    """Return the strongest contradiction of a statement; the later word wins among equals."""
    place = next((i for i, item in enumerate(pool.evidence) if item is claim), None)
    if place is None:
        return None
    best: tuple[float, int, Reason] | None = None
    found: list[tuple[int, Reason]] = []
    for other in np.flatnonzero(pool.likeness[place] >= _DENIES):
        item = pool.evidence[other]
        if item.voice is claim.voice or item.quality < _MIN_QUALITY:
            continue
        reason = contradiction(claim, item, float(pool.likeness[place][other]))
        if reason:
            found.append((int(other), reason))
            value = float(pool.likeness[place][other]) * item.quality * (0.5 + item.relevance)
            if best is None or value > best[0]:
                best = (value, int(other), reason)
    if best is None:
        return None
    voices = {
        id(pool.evidence[other].voice): pool.evidence[other].voice
        for other, reason in found
        if reason == best[2]
    }
    return Conflict(
        claim=claim, against=pool.evidence[best[1]], reason=best[2], voices=tuple(voices.values())
    )


def _figures_differ(one: Evidence, other: Evidence) -> bool:
    return any(other.figures.get(unit, value) != value for unit, value in one.figures.items())
