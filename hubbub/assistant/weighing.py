"""How much each statement is worth telling for a question; which of them are told is not its matter."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from hubbub.assistant.aptness import Kind, asks_measure
from hubbub.assistant.certainty import SPREAD
from hubbub.assistant.claims import Claim
from hubbub.assistant.evidence import Evidence, Matrix, Pool
from hubbub.assistant.polarity import is_measurement
from hubbub.assistant.question import Question
from hubbub.assistant.voices import Voice, count_voices
from hubbub.assistant.wordforms import fold, words
from hubbub.units import US_PER_DAY, US_PER_HOUR

Scores: TypeAlias = npt.NDArray[np.float64]

_MEASURED_HALF_LIFE_US = US_PER_HOUR
"""Of a reading, where a number is asked for: the newest stands."""
_FOREIGN = 0.45
"""Worth of a quote in another language than the answer's: shown where there is no better."""
_CORRECTS = 1.4
"""Worth of news that something is false: whoever saw the false report needs it first."""
_UPDATES = 0.42
"""Likeness from which on an author's later statement replaces the earlier one; the same as agreement."""
_UPDATES_FIGURE = 0.2
"""The same for two readings in one unit."""
_RIGHT_UNIT = 1.5
_MARKS_UPDATE = re.compile(
    r"\b(?:updated?|correction|korrektur|berichtigung|nachtrag|aktualisiert)\b", re.IGNORECASE
)
_SHARED_UPDATE = 2
_ADDS = re.compile(
    r"\b(?:also|too|second|another|further|additional|auch|zweite\w*|weitere\w*)\b", re.IGNORECASE
)
_OTHER = 0.45
"""Share of the older statement's words that the newer one leaves out, from which on it is another matter."""
_READS_EVERY_US = US_PER_HOUR // 4
_BURST = 0.5
_ANSWERS_OUTRIGHT = 3.0
_OLD_READING = 0.25
_SHORT_US, _LONG_US = 12 * US_PER_HOUR, 30 * US_PER_DAY
"""Facts grow old twice: within the day on a busy one, within months on a quiet one."""


def weigh(question: Question, pool: Pool, agreeing: Sequence[tuple[Voice, ...]]) -> Scores:
    """Return each statement's worth: quality, relevance, agreement, freshness; 0 for what is overtaken."""
    echoes = _echoes(question, pool)
    claim = Claim(question) if question.intent == "check" else None
    outright = [claim is not None and claim.stance(item) != "near" for item in pool.evidence]
    kind = Kind(question)
    scores = np.array(
        [
            _score(question, kind, item, agreeing[place], float(echoes[place]), is_outright=outright[place])
            for place, item in enumerate(pool.evidence)
        ]
    )
    scores[_older_readings(pool)] *= _OLD_READING
    for old, new in _overtaken(pool):
        if kind.holds(pool.evidence[old].quote) and not kind.holds(pool.evidence[new].quote):
            continue  # a later word that tells no time leaves the time standing
        if pool.likeness[old][new] < _UPDATES:
            scores[new] = max(scores[new], scores[old])  # what it replaces was worth telling
        scores[old] = 0.0
    return scores


def _score(
    question: Question,
    kind: Kind,
    item: Evidence,
    voices: Sequence[Voice],
    echo: float,
    *,
    is_outright: bool,
) -> float:
    copies = sum(len(voice.posts) - 1 for voice in voices)
    agreement = 1.0 + 0.7 * math.log2(max(count_voices(voices), 1)) + 0.15 * math.log2(1 + copies)
    if is_outright:
        # both sides must be heard, whichever of them the search likes better
        value = _ANSWERS_OUTRIGHT * item.quality**0.3 * agreement * item.voice.score**0.3
    elif question.is_for_one:
        # what the search put first answers more often than what many say
        value = item.quality**0.3 * item.relevance**0.5 * agreement**0.5 * item.voice.score**SPREAD
    else:
        standing = item.voice.score if question.intent == "topic" else 0.6 + 0.4 * item.voice.score
        value = item.quality * item.relevance**2 * agreement * echo * standing
    if question.intent == "news":
        value *= (_CORRECTS if item.is_denial else 1.0) / max(item.relevance, 1e-9) ** 0.5
    # a fuller wording of the same tells more
    value *= _FOREIGN if item.is_foreign else 1.0
    value *= _aptness(question, kind, item) * (0.7 + 0.03 * min(len(item.terms), 12))
    return float(value * _freshness(question, item, max(voice.posts[-1].received_us for voice in voices)))


def _aptness(question: Question, kind: Kind, item: Evidence) -> float:
    """Prefer what holds the kind of thing asked for; of numbers a measure, or a count of the right thing."""
    worth = kind.fits(item.quote)
    if question.intent != "number" or worth < 1.0:
        return worth
    if asks_measure(question):
        return worth * (_RIGHT_UNIT if is_measurement(item.quote) else 1.0 / _RIGHT_UNIT)
    return worth * (_RIGHT_UNIT if item.figures.keys() & set(words(question.topic)) else 1.0)


def _freshness(question: Question, item: Evidence, time_us: int) -> float:
    """Halve with age, down to a floor: news fast, opinions and facts slowly, readings at once."""
    age_us = max((question.clock_us if question.to_us is None else question.to_us) - time_us, 0)
    if question.intent == "number" and is_measurement(item.quote):
        age_us = max(question.clock_us - item.post.received_us, 0)
        return float(0.1 + 0.9 * 0.5 ** (age_us / _MEASURED_HALF_LIFE_US))
    if question.from_us is None:
        return float(0.4 + 0.3 * 0.5 ** (age_us / _SHORT_US) + 0.3 * 0.5 ** (age_us / _LONG_US))
    floor = 0.33 if question.intent == "news" else 0.5
    half = max((question.clock_us - question.from_us) // 4, US_PER_HOUR)
    return float(floor + (1.0 - floor) * 0.5 ** (age_us / half))


def _echoes(question: Question, pool: Pool) -> Scores:
    """Return how many speak of each statement's matter in other words: an echo of the story."""
    near = np.clip(pool.likeness - 0.1, 0.0, 1.0).sum(axis=1)
    echo: Scores = 1.0 + (0.1 if question.terms else 0.2) * np.log2(1.0 + near.astype(np.float64))
    return echo if question.terms else echo * _bursts(pool)


def _bursts(pool: Pool) -> Scores:
    """Weigh by how many authors share the statement's pairs of words and its post's hashtags.

    Single words are shared by all of a language; "mill bridge", "warning stage", #flood by those who speak of
    one thing.
    """
    authors: dict[object, set[str]] = {}
    keys = [_marks(item) for item in pool.evidence]
    for item, marks in zip(pool.evidence, keys, strict=True):
        for mark in marks:
            authors.setdefault(mark, set()).add(item.post.author)
    shared = [sum(math.log2(len(authors[mark])) for mark in marks) for marks in keys]
    return 1.0 + _BURST * np.log2(1.0 + np.array(shared, dtype=np.float64))


def _marks(item: Evidence) -> set[object]:
    return {*item.pairs, *(f"#{fold(tag)}" for tag in item.post.hashtags)}


def _overtaken(pool: Pool) -> list[tuple[int, int]]:
    """Pair what its own author brought up to date with the newest that did so, in order of time."""
    by_author: dict[str, list[int]] = {}
    for place, item in enumerate(pool.evidence):
        by_author.setdefault(item.post.author, []).append(place)
    found = []
    for places in (places for places in by_author.values() if len(places) > 1):
        for old in places:
            newer = [
                new
                for new in places
                if _updates(pool.evidence[new], pool.evidence[old], pool.likeness, new, old)
            ]
            if newer:
                best = max(
                    newer, key=lambda new: (pool.evidence[new].post.received_us, pool.likeness[old][new])
                )
                found.append((old, best))
    return sorted(found, key=lambda pair: pool.evidence[pair[0]].post.received_us)


def _older_readings(pool: Pool) -> list[int]:
    """Places of readings of which somebody gives a newer one: a river has one level at a time."""
    readings = [place for place, item in enumerate(pool.evidence) if is_measurement(item.quote)]
    return [
        old
        for old in readings
        if any(
            pool.likeness[old][new] >= _UPDATES_FIGURE
            and pool.evidence[new].post.received_us > pool.evidence[old].post.received_us + _READS_EVERY_US
            for new in readings
        )
    ]


def _is_added(new: Evidence, old: Evidence) -> bool:
    """Tell whether the newer statement stands beside the older one: of something else, or "also"."""
    words_old = {term for term in old.terms if not term.isdigit()}
    is_other = len(words_old - new.terms) > _OTHER * len(words_old)
    return is_other or _ADDS.search(new.quote) is not None


def _updates(new: Evidence, old: Evidence, likeness: Matrix, later: int, place: int) -> bool:
    if new.post.received_us <= old.post.received_us:
        return False
    alike = float(likeness[later][place])
    if _MARKS_UPDATE.search(new.post.text) and len(new.terms & old.terms) >= _SHARED_UPDATE:
        return True
    if alike >= _UPDATES and not _is_added(new, old):
        return True
    return alike >= _UPDATES_FIGURE and is_measurement(new.quote) and is_measurement(old.quote)
