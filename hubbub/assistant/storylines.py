"""Picks the statements worth telling and the voices that agree with each; it writes no sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec
import numpy as np

from hubbub.assistant.conflict import Conflict, against, contradiction
from hubbub.assistant.evidence import Evidence, Pool
from hubbub.assistant.intents import Intent
from hubbub.assistant.question import Question
from hubbub.assistant.voices import Voice, count_voices
from hubbub.assistant.weighing import Scores, weigh

AGREES = 0.42
"""Likeness from which on a span says in substance the same; by reading pairs of real posts."""
AGREES_ON_FIGURE = 0.6
"""The same where the statement counts something and the other names no figure."""
REPEATS = 0.55
"""Likeness from which on a second quote would bore."""
RELATED = 0.22
"""Likeness from which on a span belongs to the same story."""
_MAX_STORIES: dict[Intent, int] = {"news": 6, "topic": 5, "opinion": 5, "check": 4}
"""A question for one fact gets three."""
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
    wordings: tuple[Evidence, ...] = ()
    """The statements of all the voices."""
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
        return min(voice.posts[0].received_us for voice in self._heard)

    @property
    def last_us(self) -> int:
        """When the latest of them was received."""
        return max(voice.posts[-1].received_us for voice in self._heard)

    @property
    def _heard(self) -> tuple[Voice, ...]:
        """One author's other posts are no earlier or later voices."""
        return self.voices if self.num_voices > 1 else (self.head.voice,)


def tell(question: Question, pool: Pool, *, max_stories: int, max_details: int) -> list[Story]:
    """Choose statements by quality, relevance, agreement and freshness, each new against those before it."""
    if not pool.evidence:
        return []
    alike = [_agreeing(pool, place) for place in range(len(pool.evidence))]
    agreeing = [_voices(pool, places) for places in alike]
    scores = weigh(question, pool, agreeing)
    stories: list[Story] = []
    told: list[int] = []
    counted: set[int] = set()
    for _ in range(min(max_stories, _MAX_STORIES.get(question.intent, 3))):
        place = _next(question.intent, scores, pool, agreeing, told, counted)
        if place is None:
            break
        best = place
        place, conflict, contrary = _last_word(pool, best, agreeing)
        if any(other in told for other in (place, *contrary)):
            place, conflict, contrary = best, None, []
        told += [place, *contrary]
        counted |= _covered(pool, [*alike[place], *contrary])
        details = _details(pool, scores, place, told, max_details if len(stories) < _NUM_DETAILED else 0)
        told += details
        stories.append(
            Story(
                head=pool.evidence[place],
                voices=agreeing[place],
                alternates=_alternates(pool, scores, alike[place]),
                wordings=tuple(pool.evidence[other] for other in alike[place]),
                details=tuple(pool.evidence[other] for other in details),
                conflict=conflict,
                score=float(scores[place]),
            )
        )
    return stories


def _covered(pool: Pool, places: Sequence[int]) -> set[int]:
    """Places of all spans that overlap with these: a part and its whole say the same."""
    spans: dict[str, list[Evidence]] = {}
    for place in places:
        spans.setdefault(pool.evidence[place].post.id, []).append(pool.evidence[place])
    return {
        place
        for place, item in enumerate(pool.evidence)
        if any(item.start < other.end and other.start < item.end for other in spans.get(item.post.id, ()))
    }


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
    is_later = pool.evidence[other].post.received_us > pool.evidence[place].post.received_us
    is_plain_no = pool.evidence[other].is_negative and not pool.evidence[other].is_denial
    if is_plain_no and 2 * len(agreeing[other]) < len(agreeing[place]):
        return place, conflict, [other]  # one who merely says no does not overturn many
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
    for other in map(int, np.flatnonzero(pool.likeness[place] >= AGREES)):
        item, likeness = pool.evidence[other], float(pool.likeness[place][other])
        # who names no figure does not confirm one
        is_vague = bool(own.figures) and not item.figures and likeness < AGREES_ON_FIGURE
        if other != place and not is_vague and not contradiction(own, item, likeness):
            places.append(other)
    return places


def _voices(pool: Pool, places: Sequence[int]) -> tuple[Voice, ...]:
    return tuple({id(pool.evidence[place].voice): pool.evidence[place].voice for place in places}.values())


def _alternates(pool: Pool, scores: Scores, places: Sequence[int]) -> tuple[Evidence, ...]:
    own = pool.evidence[places[0]]
    ranked = sorted(places[1:], key=lambda place: -float(scores[place]))
    others = [pool.evidence[place] for place in ranked if pool.evidence[place].post.id != own.post.id]
    return tuple(others[:_MAX_ALTERNATES])


def _next(
    intent: Intent,
    scores: Scores,
    pool: Pool,
    agreeing: Sequence[tuple[Voice, ...]],
    told: Sequence[int],
    counted: set[int],
) -> int | None:
    """The best statement that differs from all that was told (maximal marginal relevance)."""
    value = scores.copy()
    value[list(counted)] = 0.0
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
        if (
            pool.likeness[head][place] < RELATED
            or id(item.voice) in shown
            or _is_older(item, pool.evidence[head])
        ):
            continue
        if scores[place] < _MIN_SCORE * scores[head] or item.quality < _MIN_QUALITY_ALONE:
            continue
        if _adds(pool, int(place), [*told, *chosen]):
            chosen.append(int(place))
            shown.add(id(item.voice))
    return chosen


def _is_older(item: Evidence, head: Evidence) -> bool:
    """Tell whether it is what the head's own author said before: the newest stands."""
    return item.post.author == head.post.author and item.post.received_us < head.post.received_us


def _adds(pool: Pool, place: int, told: Sequence[int]) -> bool:
    """Tell whether a span says at least three new words, and mostly new ones, after what was told."""
    if pool.likeness[place][list(told)].max() >= REPEATS:
        return False
    terms = pool.evidence[place].terms
    known = frozenset().union(*(pool.evidence[other].terms for other in told))
    return len(terms - known) >= max(3, 0.4 * len(terms))
