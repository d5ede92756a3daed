"""Asks the index for the posts of a question, in several ways, and makes them voices; it cuts no sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from hubbub.assistant.evidence import coverage, stems
from hubbub.assistant.question import Question
from hubbub.assistant.searchable import Searchable
from hubbub.assistant.voices import Voice, collapse
from hubbub.assistant.wordforms import fold
from hubbub.index.query import Hit, Query
from hubbub.posts import AuthorId, Post, PostId
from hubbub.units import US_PER_DAY

MAX_POSTS = 150
"""Posts that one answer reads."""
MAX_PER_AUTHOR = 6
"""One loud account must not make an answer."""
MIN_COVERAGE = 0.5
"""Share of the topic's words (names double) that a post must name to count as found."""
NEWS_WINDOWS_US = (US_PER_DAY, 7 * US_PER_DAY, None)
"""What is happening asks about the last day; if that is empty, about the last week, then any time."""
_ENOUGH = 4
_FEW = 60
_MIN_TAG_AUTHORS = 2
_TAG_SHARE = 0.12
_MAX_TAGS = 2


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller narrows beyond the question."""

    authors: tuple[AuthorId, ...] = ()
    langs: tuple[str, ...] = ()
    not_before_us: int | None = None
    excluded_authors: tuple[AuthorId, ...] = ()
    """Accounts that never serve as evidence, such as the operator's own bot."""


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, as voices, best first."""

    question: Question
    """The one that was asked, its topic widened by the tags that go with it."""
    posts: tuple[Post, ...]
    """Every post that counts, best first."""
    voices: tuple[Voice, ...]
    from_us: int | None
    """Where the searched window began; None = no limit."""


def retrieve(index: Searchable, question: Question, filters: Filters) -> Findings:
    """Find the posts of a question; one for news without a time widens its window until posts turn up."""
    windows: Sequence[int | None] = (None,)
    if question.intent == "news" and not question.window:
        windows = NEWS_WINDOWS_US
    for width in windows:
        from_us = question.from_us if width is None else question.clock_us - width
        if filters.not_before_us is not None:
            from_us = max(from_us or filters.not_before_us, filters.not_before_us)
        scored = _search_all(index, question, filters, from_us)
        wider = _widened(question, scored)
        if wider is not question:
            scored = _search_all(index, wider, filters, from_us)
        if len(scored) >= _ENOUGH or width is None:
            break
    posts = [post for post, _ in scored]
    return Findings(
        question=msgspec.structs.replace(wider, from_us=from_us),
        posts=tuple(posts),
        voices=tuple(collapse(posts, [score for _, score in scored])),
        from_us=from_us,
    )


def _widened(question: Question, scored: Sequence[tuple[Post, float]]) -> Question:
    """Let the tags that several of the few posts carry stand for the topic as well.

    People of a place seldom name it: a flood in Marrowick is #IlverFlood. Only for a topic of one word, with
    few posts; more words are precise enough.
    """
    if question.intent not in ("news", "topic") or len(question.terms) != 1 or len(scored) >= _FEW:
        return question
    authors: dict[str, set[AuthorId]] = {}
    for post, _ in scored:
        for tag in post.hashtags:
            authors.setdefault(fold(tag), set()).add(post.author)
    needed = max(_MIN_TAG_AUTHORS, _TAG_SHARE * len({post.author for post, _ in scored}))
    known = {tag for tag, who in authors.items() if len(who) >= needed and tag not in question.terms[0]}
    # a tag that is its author's name advertises
    signed = fold(" ".join(f"{post.handle} {post.name}" for post, _ in scored))
    known = {tag for tag in known if tag not in signed}
    tags = sorted(known, key=lambda tag: (-len(authors[tag]), tag))
    if not tags:
        return question
    forms = (*question.terms[0], *tags[:_MAX_TAGS])
    return msgspec.structs.replace(question, terms=(forms,), related=tuple(tags[:_MAX_TAGS]))


def _search_all(
    index: Searchable, question: Question, filters: Filters, from_us: int | None
) -> list[tuple[Post, float]]:
    """Run the searches one after the other (engines hold the interpreter anyway) and merge by rank."""
    best: dict[PostId, tuple[Post, float]] = {}
    named: dict[PostId, float] = {}
    for query, weight in _queries(question, filters, from_us):
        if query.sort == "time" and question.topic and not best:
            continue  # where relevance finds nothing that names the topic, the newest do not either
        for post, score in _scored(question, index.search(query), named):
            known = best.get(post.id)
            if known is None or known[1] < score * weight:
                best[post.id] = (post, score * weight)
    return _capped(sorted(best.values(), key=lambda pair: (-pair[1], -pair[0].received_us, pair[0].id)))


def _queries(question: Question, filters: Filters, from_us: int | None) -> list[tuple[Query, float]]:
    """By relevance; for news also the newest; and each part of a question that joins several topics."""
    narrow = Query(
        text=question.topic,
        authors=filters.authors,
        excluded_authors=filters.excluded_authors,
        langs=filters.langs,
        from_us=from_us,
        # a replay must not see what came after its clock
        to_us=min(question.to_us or question.clock_us + 1, question.clock_us + 1),
        limit=MAX_POSTS,
        now_us=question.clock_us,
    )
    if not question.topic:
        return [(msgspec.structs.replace(narrow, sort="time", limit=2 * MAX_POSTS), 1.0)]
    queries = [(narrow, 1.0)]
    if question.intent == "news":
        queries.append((msgspec.structs.replace(narrow, sort="time", limit=MAX_POSTS // 2), 0.8))
    if question.core != question.topic:
        queries.append((msgspec.structs.replace(narrow, text=question.core), 1.0))
    queries += [
        (msgspec.structs.replace(narrow, text=part, limit=MAX_POSTS // 2), 0.9) for part in question.parts
    ]
    return queries


def _scored(question: Question, hits: Sequence[Hit], named: dict[PostId, float]) -> list[tuple[Post, float]]:
    """Keep what may serve as evidence and names the topic; the score falls with the rank, from 1 on."""
    found: list[tuple[Post, float]] = []
    for rank, hit in enumerate(hits):
        post = hit.post
        if post.is_bot or (post.repost_of and not post.text) or not post.text.strip():
            continue
        if post.id not in named:
            named[post.id] = coverage(question, stems(post, question.lang))
        if named[post.id] >= MIN_COVERAGE:
            found.append((post, named[post.id] / (1.0 + rank / 60.0)))
    return found


def _capped(ranked: Sequence[tuple[Post, float]]) -> list[tuple[Post, float]]:
    count: Counter[AuthorId] = Counter()
    kept: list[tuple[Post, float]] = []
    for post, score in ranked:
        count[post.author] += 1
        if count[post.author] <= MAX_PER_AUTHOR:
            kept.append((post, score))
    return kept[:MAX_POSTS]
