"""Which questions of `citation_quality` a fair judge would put, and which posts he would call right.

The strict measure holds three things against an answer that are the data's doing. No rule here looks at what
was answered:

- A question for a fact that **its words do not determine** is left out: where at least three other posts hold
  every content word (stemmed) that it shares with the post that it was written about, that post's author
  included. Nobody could tell which of them is meant.
- A question about a disaster is left out that names **only a place** ("What is happening in Calgary?"):
  whatever happened there answers it, the labels know the disaster alone. So is one that is put **before the
  disaster**: while fewer than ten posts about it exist (single wrong labels lie days before the event).
- Of sentences on topics those are left out whose posts **no assessor ever saw** (condensed lists: Sakai,
  SIGIR 2007), and a near copy of a relevant post is right, as it is for facts and claims.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.citation_sets import Asked
from hubbub.assistant.naming import stems
from hubbub.assistant.wordforms import content_words
from hubbub.posts import Post

_ALIKE = 3
"""Other posts that fit a question as well as its own."""
_BEGUN = 10
"""Relevant posts that make a disaster known."""
_OF_A_PLACE = "What is happening in "


def unfair(asked: Sequence[Asked], posts: Sequence[Post]) -> set[Asked]:
    """Return the questions that are left out."""
    facts = {item: frozenset(content_words(item.text, "en")) for item in asked if item.answers}
    wanted = frozenset().union(*facts.values())
    held: dict[str, set[str]] = {word: set() for word in wanted}
    for post in posts if facts else ():
        for word in stems(post, "en") & wanted:
            held[word].add(post.id)
    vague = {item for item, terms in facts.items() if _is_vague(item.gold, (held[word] for word in terms))}
    received = {post.id: post.received_us for post in posts}
    return vague | {
        item for item in asked if item.kind == "disasters" and _is_early_or_of_a_place(item, received)
    }


def _is_vague(gold: frozenset[str], held: Iterable[set[str]]) -> bool:
    """Tell whether others hold all that the question shares with its post; with no word shared all do."""
    shared = [ids for ids in held if gold & ids]
    return not shared or len(set.intersection(*shared) - gold) >= _ALIKE


def _is_early_or_of_a_place(item: Asked, received: dict[str, int]) -> bool:
    known = sum(received[post] <= item.clock_us for post in item.gold)
    return item.text.startswith(_OF_A_PLACE) or known < _BEGUN
