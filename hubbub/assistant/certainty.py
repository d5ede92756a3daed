"""Which post of those found answers a question for one thing, and how surely; it searches nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal, TypeAlias

import msgspec

from hubbub.assistant.aptness import asks_measure, holds
from hubbub.assistant.intents import Intent
from hubbub.assistant.naming import spoken
from hubbub.assistant.polarity import is_measurement
from hubbub.assistant.question import Question
from hubbub.assistant.wordforms import content_words
from hubbub.index.query import Hit
from hubbub.posts import Post

Certainty: TypeAlias = Literal["sure", "perhaps", "hardly", "unknown"]
"""Of few candidates, or where all are alike, nothing is known: none of them stands out."""

SPREAD = 24
"""Power that makes odds of a standing."""
FOR_ONE: frozenset[Intent] = frozenset(("said", "who", "when", "where", "number", "why", "what", "check"))
"""Of these one post can answer, instead of what many say together."""
FEW, _FLAT, _MANY = 30, 2.5, 100
"""Hits that are too few to tell; a height that tells nothing either, unless there are many."""
_NEAR = 0.999_999_999
_LOWEST = 0.2


class Rival(msgspec.Struct, frozen=True, kw_only=True):
    """What speaks for one hit as the answer."""

    post: Post
    height: float
    """Standard deviations above the mean of all that the search considered."""
    named: float
    """Share of the topic that it names."""
    num_shared: int
    """Words of the question that it holds, its author's name included."""
    worth: float
    """Logarithm of its odds against the other hits, but for a constant."""


def height(hit: Hit) -> float:
    """Return how many standard deviations a hit stands above the mean of all that were considered.

    An index scores by the logistic function of just that (`hubbub.index.ranking.order`).
    """
    return 2.0 * math.atanh(max(min(2.0 * hit.score - 1.0, _NEAR), -_NEAR))


def rivals(question: Question, hits: Sequence[Hit], share: Callable[[Post], float]) -> list[Rival]:
    """Weigh each hit against the others, in the order given.

    The weights are conditional logistic regressions over the first twelve hits of questions that no benchmark
    asks (decision 094): 1,195 of TweetQA for facts, 499 claims of CheckThat! for checks.
    """
    asked = content_words(question.text, question.lang)
    return [_rival(question, asked, hit, share(hit.post)) for hit in hits]


def _rival(question: Question, asked: Sequence[str], hit: Hit, named: float) -> Rival:
    post, tall = hit.post, height(hit)
    said = content_words(post.text, question.lang, spoken(post))
    author = set(content_words(f"{post.name or ''} {post.handle or ''}", question.lang))
    num_shared = len((author.union(said)).intersection(asked))
    if question.intent == "check":
        worth = 1.0 * tall + 0.8 * num_shared
    else:
        num_pairs = len(set(pairwise(asked)).intersection(pairwise(said)))
        worth = 0.8 * tall + 6.7 * named + 1.2 * num_pairs
        worth += 1.6 * holds(question.intent, post.text) + 2.2 * (not author.isdisjoint(asked))
    return Rival(post=post, height=tall, named=named, num_shared=num_shared, worth=worth)


def weigh_up(question: Question, found: Sequence[Rival]) -> Certainty:
    """Judge the worthiest by its lead, its height, and how much of the question it names.

    The weights are logistic regressions on the same questions and as many that nothing answers.
    """
    # likeness finds something for any fact, of a claim's words some are always found
    considered = [rival for rival in found if rival.named > 0 or question.intent == "check"]
    if asks_measure(question) and any(is_measurement(rival.post.text) for rival in considered):
        return "unknown"  # the newest reading stands, not the one that says most words of the question
    if len(considered) < FEW or (len(considered) < _MANY and max(one.height for one in found) < _FLAT):
        return "unknown"
    value, best = confidence(question, found), max(found, key=lambda rival: rival.worth)
    if question.intent != "check" and best.num_shared < 2:
        value = min(value, 1.0)  # one word of many stands out by itself where little is found
    return "sure" if value > 1.0 else "perhaps" if value > -1.0 else "hardly"


def confidence(question: Question, found: Sequence[Rival]) -> float:
    """Return the logarithm of the odds that the worthiest answers."""
    best, second = sorted(found, key=lambda rival: -rival.worth)[:2]
    lead, tall = best.worth - second.worth, math.log(max(best.height, _LOWEST))
    if question.intent == "check":
        return -9.0 + 0.09 * lead + 2.65 * tall + 0.9 * best.num_shared
    return -5.9 + 0.45 * lead + 1.1 * tall + 0.67 * best.num_shared + 1.4 * best.named


def on_topic(tall: float, tallest: float, named: float) -> float:
    """Return the probability that a post is about a topic, of which it names that share.

    A logistic regression on the posts found for the topics of the half that is tuned on.
    """
    return 1.0 / (1.0 + math.exp(4.3 - 2.8 * tall / max(tallest, _FLAT) - 3.2 * named))


def standings(found: Sequence[Rival]) -> list[float]:
    """Return how near each comes to the worthiest, to 1; the odds between two are its power of `SPREAD`."""
    best = max((rival.worth for rival in found), default=0.0)
    return [math.exp((rival.worth - best) / SPREAD) for rival in found]
