"""Widen a query by what its best posts say (pseudo-relevance feedback); it searches and fetches nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from hubbub.index.document import Key
from hubbub.index.lexical import cached_id, post_terms
from hubbub.index.plan import Plan
from hubbub.index.query import Query
from hubbub.index.ranking import Ranking
from hubbub.index.tokenize import is_question, words
from hubbub.language import post_language
from hubbub.posts import Post

MAX_WORDS = 8
"""Longer queries already say what they want."""
_FIRST_DEPTH = 40
_BASE = 40
"""A post counts by how far it stands above the one of this rank."""
_LEAST = 0.5
"""What even that one would count, in standard deviations: of three posts found, the third still has a say."""
_SPARE = 4
"""Candidates looked at for each post wanted, as the best posts repeat one another."""


def is_widened(query: Query, ranking: Ranking) -> bool:
    """Tell whether feedback helps: topics gain 3 to 6 points MAP, questions after one post lose one."""
    return ranking.feedback_posts > 0 and not is_question(query.text) and len(words(query.text)) <= MAX_WORDS


def first_plan(plan: Plan) -> Plan:
    """Return the plan of the first search, by words alone: only its best posts matter, however old.

    Likeness in it moves MAP 2011 from .543 to .547 and 2012 from .395 to .386, and is a sixth of the CPU.
    """
    return msgspec.structs.replace(plan, vector=None, recent_us=None, depth=min(plan.depth, _FIRST_DEPTH))


def best(scores: Mapping[Key, float], ranking: Ranking) -> dict[Key, float]:
    """Return the candidates to choose feedback posts from, best first, with their weights."""
    ranked = sorted(scores, key=lambda key: (-scores[key], key))
    base = scores[ranked[min(_BASE, len(ranked)) - 1]]
    return {key: scores[key] - base + _LEAST for key in ranked[: _SPARE * ranking.feedback_posts]}


def choose(weights: Mapping[Key, float], found: Mapping[Key, Post], ranking: Ranking) -> dict[Key, list[str]]:
    """Return the terms of the first feedback posts that differ from one another; weights are best first."""
    chosen: dict[Key, list[str]] = {}
    seen: set[frozenset[str]] = set()
    for key in weights:
        if key not in found or len(chosen) >= ranking.feedback_posts:
            continue
        said = post_terms(found[key], post_language(found[key]))
        if frozenset(said) not in seen:
            seen.add(frozenset(said))
            chosen[key] = said
    return chosen


def widen(
    plan: Plan,
    chosen: Mapping[Key, Sequence[str]],
    weights: Mapping[Key, float],
    vectors: Mapping[Key, Sequence[float]],
    ranking: Ranking,
) -> Plan:
    """Return the plan with the chosen posts' terms mixed in and its vector drawn to theirs.

    Terms after the relevance model RM3 (Abdul-Jaleel et al., TREC 2004), vectors after Rocchio (1971).
    """
    terms = _mix(dict(zip(plan.term_ids, plan.term_weights, strict=True)), chosen, weights, ranking)
    return msgspec.structs.replace(
        plan,
        term_ids=tuple(terms),
        term_weights=tuple(terms.values()),
        vector=_pull(plan.vector, [vectors[key] for key in chosen if key in vectors], ranking.feedback_pull),
    )


def _mix(
    asked: Mapping[int, float],
    chosen: Mapping[Key, Sequence[str]],
    weights: Mapping[Key, float],
    ranking: Ranking,
) -> dict[int, float]:
    said: dict[int, float] = {}
    for key, terms in chosen.items():
        for term in terms:
            if not term.startswith("@"):
                number = cached_id(term)
                said[number] = said.get(number, 0.0) + weights[key] / len(terms)
    top = sorted(said, key=lambda number: (-said[number], number))[: ranking.feedback_terms]
    own, new = sum(asked.values()) or 1.0, sum(said[number] for number in top) or 1.0
    mixed = {number: (1 - ranking.feedback_share) * weight / own for number, weight in asked.items()}
    for number in top:
        mixed[number] = mixed.get(number, 0.0) + ranking.feedback_share * said[number] / new
    return mixed


def _pull(
    vector: tuple[float, ...] | None, others: Sequence[Sequence[float]], pull: float
) -> tuple[float, ...] | None:
    if not others or not pull:
        return vector
    mean = np.asarray(others, np.float64).mean(axis=0)
    moved = pull * mean if vector is None else np.asarray(vector) + pull * mean
    length = float(np.linalg.norm(moved))
    return tuple((moved / length).tolist()) if length > 1e-9 else vector
