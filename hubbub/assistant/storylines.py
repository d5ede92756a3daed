"""Picks the statements worth telling and the voices that agree with each; it writes no sentence."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from hubbub.assistant.aptness import fits
from hubbub.assistant.conflict import Conflict, against, contradiction
from hubbub.assistant.evidence import Evidence, Matrix, Pool
from hubbub.assistant.intents import Intent
from hubbub.assistant.question import Question
from hubbub.assistant.voices import Voice, count_voices
from hubbub.units import US_PER_DAY, US_PER_HOUR

Scores: TypeAlias = npt.NDArray[np.float64]

AGREES = 0.42
"""Likeness from which on a span says in substance the same; by reading pairs of real posts."""
REPEATS = 0.55
"""Likeness from which on a second quote would bore."""
RELATED = 0.22
"""Likeness from which on a span belongs to the same story."""
_HALF_LIFE_US = 2 * US_PER_DAY
"""Where no window is searched; else it is a quarter of the window: six hours of the last day."""
_MAX_STORIES: dict[Intent, int] = {"news": 6, "topic": 5, "opinion": 5, "check": 4}
"""A question for one fact gets three."""
_FOREIGN = 0.45
"""Worth of a quote in another language than the answer's: shown where there is no better."""
_CORRECTS = 1.4
"""Worth of news that something is false: whoever saw the false report needs it first."""
_MAX_ALTERNATES = 2
_NUM_DETAILED = 2
"""Stories that get details; the others stay one sentence, so that more of them fit."""
_MAX_TOLD_PER_AUTHOR = 2
_MIN_QUALITY_ALONE = 0.66
"""Quality that a statement needs which nobody repeats."""
_MIN_SCORE_FACT = 0.35
_MIN_SCORE = 0.15
"""Of the best statement's score; weaker ones are not worth a reader's time."""


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """One statement, who agrees, and what else is said about it."""

    head: Evidence
    voices: tuple[Voice, ...]
    """All that say it, the head's own included."""
    alternates: tuple[Evidence, ...] = ()
    """Other wordings of the statement, for the case that the head dies before it is shown."""
    details: tuple[Evidence, ...] = ()
    conflict: Conflict | None = None
    score: float

    @property
    def all_evidence(self) -> tuple[Evidence, ...]:
        """Everything that may be quoted for it."""
        contrary = (self.conflict.against, self.conflict.claim) if self.conflict else ()
        return (self.head, *contrary, *self.details, *self.alternates)

    @property
    def num_voices(self) -> int:
        """Independent ones."""
        return count_voices(self.voices)

    @property
    def first_us(self) -> int:
        """When the first of them was received."""
        return min(voice.posts[0].received_us for voice in self.voices)

    @property
    def last_us(self) -> int:
        """When the latest of them was received."""
        return max(voice.posts[-1].received_us for voice in self.voices)


def tell(question: Question, pool: Pool, *, max_stories: int, max_details: int) -> list[Story]:
    """Choose statements by quality, relevance, agreement and freshness, each new against those before it."""
    if not pool.evidence:
        return []
    alike = [_agreeing(pool, place) for place in range(len(pool.evidence))]
    agreeing = [_voices(pool, places) for places in alike]
    scores = np.array(
        [
            _score(question, item, agreeing[place], pool.likeness[place])
            for place, item in enumerate(pool.evidence)
        ]
    )
    stories: list[Story] = []
    told: list[int] = []
    for _ in range(min(max_stories, _MAX_STORIES.get(question.intent, 3))):
        place = _next(question.intent, scores, pool, agreeing, told)
        if place is None:
            break
        place, conflict, contrary = _last_word(pool, place, agreeing)
        if any(other in told for other in contrary):
            conflict, contrary = None, []
        told += [place, *contrary]
        details = _details(pool, scores, place, told, max_details if len(stories) < _NUM_DETAILED else 0)
        told += details
        stories.append(
            Story(
                head=pool.evidence[place],
                voices=agreeing[place],
                alternates=_alternates(pool, scores, alike[place]),
                details=tuple(pool.evidence[other] for other in details),
                conflict=conflict,
                score=float(scores[place]),
            )
        )
    return stories


def _first_us(voices: Sequence[Voice]) -> int:
    return min(voice.posts[0].received_us for voice in voices)


def _others(voices: Sequence[Voice], without: Sequence[Voice]) -> tuple[Voice, ...]:
    known = {id(voice) for voice in without}
    return tuple(voice for voice in voices if id(voice) not in known)


def _last_word(
    pool: Pool, place: int, agreeing: Sequence[tuple[Voice, ...]]
) -> tuple[int, Conflict | None, list[int]]:
    """Where a statement was denied later, tell the denial and name the statement as what it contradicts."""
    conflict = against(pool, place, agreeing)
    if conflict is None:
        return place, None, []
    other = next(i for i, item in enumerate(pool.evidence) if item is conflict.against)
    is_later = _first_us(agreeing[other]) > _first_us(agreeing[place])
    if conflict.reason == "denial" and pool.evidence[place].is_negative and not is_later:
        return place, msgspec.structs.replace(conflict, is_overtaken=True), [other]
    if conflict.reason == "denial" and pool.evidence[other].is_negative and is_later:
        turned = Conflict(
            claim=pool.evidence[other],
            against=pool.evidence[place],
            reason="denial",
            voices=_others(agreeing[place], agreeing[other]) or (pool.evidence[place].voice,),
            is_overtaken=True,
        )
        return other, turned, [place]
    return place, conflict, [other]


def _agreeing(pool: Pool, place: int) -> list[int]:
    """Places of the spans that say the same, the own one first; what contradicts does not agree."""
    own = pool.evidence[place]
    places = [place]
    for other in np.flatnonzero(pool.likeness[place] >= AGREES):
        if other != place and not contradiction(
            own, pool.evidence[other], float(pool.likeness[place][other])
        ):
            places.append(int(other))
    return places


def _voices(pool: Pool, places: Sequence[int]) -> tuple[Voice, ...]:
    return tuple({id(pool.evidence[place].voice): pool.evidence[place].voice for place in places}.values())


def _alternates(pool: Pool, scores: Scores, places: Sequence[int]) -> tuple[Evidence, ...]:
    own = pool.evidence[places[0]]
    ranked = sorted(places[1:], key=lambda place: -float(scores[place]))
    others = [pool.evidence[place] for place in ranked if pool.evidence[place].post.id != own.post.id]
    return tuple(others[:_MAX_ALTERNATES])


def _score(question: Question, item: Evidence, voices: Sequence[Voice], likeness: Matrix) -> float:
    copies = sum(len(voice.posts) - 1 for voice in voices)
    agreement = 1.0 + 0.7 * math.log2(count_voices(voices)) + 0.15 * math.log2(1 + copies)
    # What many speak of in other words: an echo of the story, not of the statement.
    echo = 1.0 + (0.1 if question.terms else 0.35) * math.log2(
        1.0 + float(np.clip(likeness - 0.1, 0.0, 1.0).sum())
    )
    value: float = item.quality * item.relevance**2 * agreement * echo * (0.6 + 0.4 * item.voice.score)
    if question.intent == "news":
        value *= (_CORRECTS if item.is_denial else 1.0) / item.relevance**0.5
    # a fuller wording of the same tells more
    value *= _FOREIGN if item.is_foreign else 1.0
    value *= fits(question.intent, item.quote) * (0.7 + 0.03 * min(len(item.terms), 12))
    return value * _freshness(question, max(voice.posts[-1].received_us for voice in voices))


def _freshness(question: Question, time_us: int) -> float:
    """Halve with age, down to a floor: news fast, what people say or ask for facts slowly."""
    is_news = question.intent == "news"
    half = _HALF_LIFE_US
    if question.from_us is not None:
        half = max((question.clock_us - question.from_us) // 4, US_PER_HOUR)
    end = question.clock_us if question.to_us is None else question.to_us
    floor = 0.33 if is_news else 0.5
    return float(floor + (1.0 - floor) * 0.5 ** (max(end - time_us, 0) / half))


def _next(
    intent: Intent,
    scores: Scores,
    pool: Pool,
    agreeing: Sequence[tuple[Voice, ...]],
    told: Sequence[int],
) -> int | None:
    """The best statement that differs from all that was told (maximal marginal relevance)."""
    value = scores.copy()
    if told:
        nearest = pool.likeness[list(told)].max(axis=0)
        value *= np.clip(1.0 - nearest / REPEATS, 0.0, 1.0)
        shown = {id(pool.evidence[place].voice) for place in told}
        heard = Counter(pool.evidence[place].post.author for place in told)
        for place, item in enumerate(pool.evidence):
            is_weak = item.quality < _MIN_QUALITY_ALONE and count_voices(agreeing[place]) == 1
            if id(item.voice) in shown or is_weak or heard[item.post.author] >= _MAX_TOLD_PER_AUTHOR:
                value[place] = 0.0
    best = int(value.argmax())
    least = _MIN_SCORE if intent in _MAX_STORIES else _MIN_SCORE_FACT
    return best if value[best] > 0 and value[best] >= least * float(scores.max()) else None


def _details(pool: Pool, scores: Scores, head: int, told: Sequence[int], limit: int) -> list[int]:
    """The best related statements of other voices that add something to what is said."""
    chosen: list[int] = []
    shown = {id(pool.evidence[place].voice) for place in told}
    for place in np.argsort(-scores * pool.likeness[head]):
        if len(chosen) >= limit or scores[place] * pool.likeness[head][place] <= 0:
            break
        item = pool.evidence[place]
        if pool.likeness[head][place] < RELATED or id(item.voice) in shown:
            continue
        if scores[place] < _MIN_SCORE * scores[head] or item.quality < _MIN_QUALITY_ALONE:
            continue
        if _adds(pool, int(place), [*told, *chosen]):
            chosen.append(int(place))
            shown.add(id(item.voice))
    return chosen


def _adds(pool: Pool, place: int, told: Sequence[int]) -> bool:
    """Tell whether a span says at least three new words, and mostly new ones, after what was told."""
    if pool.likeness[place][list(told)].max() >= REPEATS:
        return False
    terms = pool.evidence[place].terms
    known = frozenset().union(*(pool.evidence[other].terms for other in told))
    return len(terms - known) >= max(3, 0.4 * len(terms))
