"""Finds statements that contradict each other: a denial, a turned-round copy, another figure for a thing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from hubbub.assistant.evidence import Evidence, Pool
from hubbub.assistant.polarity import MEASURES, PERSONS
from hubbub.assistant.voices import Voice
from hubbub.assistant.wordforms import words
from hubbub.units import US_PER_HOUR

Reason: TypeAlias = Literal["denial", "figure"]

_DENIES = 0.12
"""Likeness from which on a denial speaks of a statement; low, because a denial adds words of its own."""
_OVERLAPS, _OVERLAPS_PLAIN = 0.5, 0.6
"""Share of the shorter statement's words that both must use; more where nothing is called false."""
_COUNTS = 0.18
"""Likeness from which on two figures count the same thing."""
_COUNTS_PERSONS = 0.3
_MIN_SHARED_PERSONS = 3
_SAME_TIME_US = US_PER_HOUR
"""Two readings of a gauge contradict each other only if they were taken at about the same time."""
_MIN_QUALITY = 0.3


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """One statement and another that contradicts it."""

    claim: Evidence
    against: Evidence
    reason: Reason
    voices: tuple[Voice, ...]
    """Those who contradict."""
    is_overtaken: bool = False
    """What is told is the denial, and `against` the earlier statement that it denies."""


def contradiction(one: Evidence, other: Evidence, likeness: float) -> Reason | None:
    """Tell how two statements contradict each other, if they do."""
    shared = len(one.terms & other.terms)
    if shared < 2:
        return None
    if likeness >= _COUNTS and _figures_differ(one, other, likeness, shared):
        return "figure"
    overlap = shared / max(min(len(one.terms), len(other.terms)), 1)
    needed = _OVERLAPS if one.is_denial or other.is_denial else _OVERLAPS_PLAIN
    if likeness >= _DENIES and overlap >= needed and (_turns(one, other) or _turns(other, one)):
        return "denial"
    return None


def against(pool: Pool, place: int, agreeing: Sequence[tuple[Voice, ...]]) -> Conflict | None:
    """Return the strongest contradiction of the statement at `place`, with all voices that make it."""
    claim = pool.evidence[place]
    best: tuple[float, int, Reason] | None = None
    found: list[tuple[int, Reason]] = []
    for other, item in enumerate(pool.evidence):
        if item.voice is claim.voice or item.quality < _MIN_QUALITY:
            continue
        likeness = float(pool.likeness[place][other])
        reason = contradiction(claim, item, likeness)
        if reason:
            found.append((other, reason))
            value = likeness * item.quality * (0.5 + item.relevance) * (1.0 + 0.3 * len(agreeing[other]))
            if best is None or value > best[0]:
                best = (value, other, reason)
    if best is None:
        return None
    voices = {id(voice): voice for voice in agreeing[best[1]]}
    for other, reason in found:
        if reason == best[2] == "denial":
            voices.setdefault(id(pool.evidence[other].voice), pool.evidence[other].voice)
    own = {id(voice) for voice in agreeing[place]}
    others = tuple(voice for key, voice in voices.items() if key not in own)
    return Conflict(
        claim=claim,
        against=pool.evidence[best[1]],
        reason=best[2],
        voices=others or (pool.evidence[best[1]].voice,),
    )


def _turns(denial: Evidence, claim: Evidence) -> bool:
    """Tell whether what one denies is what the other says."""
    return bool(denial.denied & claim.terms) and not claim.denied


def _figures_differ(one: Evidence, other: Evidence, likeness: float, shared: int) -> bool:
    if one.post.author == other.post.author:
        return False  # an update, not a contradiction
    is_later = abs(one.post.received_us - other.post.received_us) > _SAME_TIME_US
    for unit, value in one.figures.items():
        against = other.figures.get(unit, value)
        if against == value or value in words(other.quote) or against in words(one.quote):
            continue  # "80, not 120": who names both contradicts neither
        if unit in MEASURES and is_later:
            continue
        if unit not in PERSONS or (likeness >= _COUNTS_PERSONS and shared >= _MIN_SHARED_PERSONS):
            return True
    return False
