"""Asks the index for the posts of a question, once and then further, and makes them voices; cuts nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from hubbub.assistant.certainty import (
    FEW,
    FOR_ONE,
    Certainty,
    height,
    on_topic,
    rivals,
    standings,
    weigh_up,
)
from hubbub.assistant.evidence import Evidence
from hubbub.assistant.naming import Topic, spoken, stems
from hubbub.assistant.polarity import denied_parts, figures, is_measurement
from hubbub.assistant.question import Question
from hubbub.assistant.searchable import Searchable
from hubbub.assistant.voices import Voice, collapse
from hubbub.assistant.wordforms import content_words, fold, words
from hubbub.index.query import Hit, Query
from hubbub.posts import AuthorId, Post, PostId
from hubbub.units import US_PER_DAY

MAX_POSTS, MAX_POSTS_FACT = 150, 100
"""Posts that one answer reads; for one fact fewer will do than to tell what many say."""
MAX_PER_AUTHOR = 6
"""One loud account must not make an answer."""
MIN_COVERAGE = 0.45
"""Share of the topic's words (names double) that a post must name to count as found."""
MIN_COVERAGE_TOPIC = 0.65
"""The same where nothing tells which post stands out: of two words one is not enough."""
MIN_COVERAGE_OUTSTANDING = 0.2
"""The same where one answer is asked for and the post stands out of all that were considered."""
OUTSTANDING = 4.0
"""Standard deviations above their mean."""
MIN_COVERAGE_COUNTED = 0.3
"""The same where it counts what is asked for: "80 people had to leave" for people evacuated."""
NEWS_WINDOW_US = US_PER_DAY
"""What is happening asks about the last day; where little is found, the last week, then any time."""
_WIDER_US = 7 * US_PER_DAY
_NEWS_RECENCY = 0.5
"""Weight of recency for news, more than the index's own: what is new is among what is found."""
_ENOUGH = 4
_FEW = 60
_MIN_TAG_AUTHORS = 2
_TAG_SHARE = 0.35
"""Share of those who name the topic that must use a tag, for it to stand for the topic: P(tag | topic)."""
_MAX_TAGS = 2
EVERYTHING = Query()
_MAX_CHECKED, _MAX_CHECKED_WORDS, _MAX_CORRECTIONS = 3, 5, 20


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, as voices, best first."""

    question: Question
    """The one that was asked, its topic widened by the tags that go with it."""
    scored: tuple[tuple[Post, float], ...] = ()
    """Every post that counts with its relevance, best first."""
    voices: tuple[Voice, ...] = ()
    """The same as voices, best first; of the first search none yet."""
    from_us: int | None = None
    """Where the searched window began; None = no limit."""
    is_more: bool = False
    """There may be more than were read."""
    is_outside: bool = False
    """The window that the question named holds nothing: these are of another time."""
    corrections: frozenset[PostId] = frozenset()
    """Those that were found only because they deny what others say."""
    naming: frozenset[PostId] = frozenset()
    """Those that name the topic itself, not only a tag that goes with it."""
    certainty: Certainty = "unknown"
    """How surely the best of them answers, where one answer is asked for."""

    is_graded: bool = False
    """The scores of `scored` are probabilities that a post is about the topic: enough was found to tell."""

    @property
    def posts(self) -> tuple[Post, ...]:
        """The posts, best first."""
        return tuple(post for post, _ in self.scored)


class Search:
    """The searches of one question: the first, shown at once, then those that its result asks for."""

    def __init__(self, index: Searchable, question: Question, within: Query = EVERYTHING) -> None:
        """Search for a question among the posts that the filters of `within` let through."""
        self._index = index
        self._question = question
        self._within = within
        self._topic = Topic(question)
        self._named: dict[PostId, float] = {}
        self._max_posts = MAX_POSTS if question.intent in ("news", "topic", "opinion") else MAX_POSTS_FACT
        self._is_news = question.intent == "news" and not question.window
        self._is_for_one = question.intent in FOR_ONE
        self._certainty: Certainty = "unknown"
        self._is_graded = False
        self._wanted = question.wanted
        if self._is_for_one and question.intent != "check":
            # of one fact every word counts, also "start" and "people", and each of them once
            known = set(words(question.text))
            others = (word for word in question.wanted.split() if known.isdisjoint(words(word)))
            self._wanted = " ".join((question.text, *others))

    def first(self) -> Findings:
        """Search once: the question's window, or the last day for news without one."""
        from_us = self._question.from_us
        if self._is_news:
            from_us = self._question.clock_us - NEWS_WINDOW_US
        from_us = self._not_before(from_us)
        return self._findings(self._run(self._query(from_us)), from_us)

    def further(self, found: Findings) -> Findings:
        """Search again where the first search leaves reason to; at most three times."""
        if len(found.scored) < _ENOUGH and (self._is_news or (self._question.window and not found.scored)):
            found = self._outside(found)
        parts = self._question.parts
        if parts:
            scored = [self._run(self._query(found.from_us, text=part), 0.9) for part in parts[1:]]
            found = self._findings(_merged(found.scored, *scored), found.from_us, found.is_outside)
        tags = self._tags(found)
        if tags:
            found = self._widened(found, tags)
        voices = collapse(found.posts, [score for _, score in found.scored])
        return msgspec.structs.replace(found, voices=tuple(voices))

    def corrections(self, found: Findings, told: Sequence[Evidence]) -> Findings:
        """Add, by one search, posts that call false what is about to be told, though they name another topic.

        "The dam has broken, a wave will reach Marrowick" is found for Marrowick, "it has NOT broken" is not.
        """
        claims = [item for item in told[:_MAX_CHECKED] if not item.denied and not item.is_denial]
        if self._question.intent not in ("news", "topic") or not claims:
            return found
        known = {post.id for post in found.posts}
        chosen = [
            sorted(item.terms, key=lambda term: (-len(term), term))[:_MAX_CHECKED_WORDS] for item in claims
        ]
        text = " ".join(dict.fromkeys(word for group in chosen for word in group))
        hits = self._index.search(
            self._query(found.from_us, text=text, limit=_MAX_CORRECTIONS, is_any_time=True)
        )
        posts = [
            hit.post
            for hit in hits
            if hit.post.id not in known and not hit.post.is_bot and self._denies(hit.post, claims)
        ]
        return msgspec.structs.replace(
            found,
            voices=(*found.voices, *collapse(posts, [1.0] * len(posts))),
            corrections=frozenset(post.id for post in posts),
        )

    def _denies(self, post: Post, claims: Sequence[Evidence]) -> bool:
        denied = set(content_words(" ".join(denied_parts(post.text)), self._question.lang, spoken(post)))
        return any(
            len(stems(post, self._question.lang) & item.terms) > 1 and denied & item.terms for item in claims
        )

    def _outside(self, found: Findings) -> Findings:
        """Search any time; for news keep the last week, if that is enough."""
        scored = self._run(self._query(self._not_before(None), is_any_time=True))
        from_us = self._not_before(None)
        if self._is_news:
            week_us = self._question.clock_us - _WIDER_US
            recent = [pair for pair in scored if pair[0].received_us >= week_us]
            if len(recent) >= _ENOUGH or (scored and len(recent) == len(scored)):
                scored, from_us = recent, self._not_before(week_us)
        return self._findings(scored, from_us, not self._is_news and bool(scored))

    def _tags(self, found: Findings) -> list[str]:
        """Name the tags that most who write about a place carry: a flood in Marrowick is #IlverFlood.

        Only for a topic of one word, with few posts; more words are precise enough.
        """
        question = self._question
        if question.intent not in ("news", "topic") or len(question.terms) != 1 or len(found.scored) >= _FEW:
            return []
        authors: dict[str, set[AuthorId]] = {}
        for post in found.posts:
            for tag in post.hashtags:
                authors.setdefault(fold(tag), set()).add(post.author)
        needed = max(_MIN_TAG_AUTHORS, _TAG_SHARE * len({post.author for post in found.posts}))
        known = {tag for tag, who in authors.items() if len(who) >= needed and tag not in question.terms[0]}
        # a tag that is its author's name advertises
        signed = fold(" ".join(f"{post.handle} {post.name}" for post in found.posts))
        return sorted((tag for tag in known if tag not in signed), key=lambda t: (-len(authors[t]), t))[
            :_MAX_TAGS
        ]

    def _widened(self, found: Findings, tags: Sequence[str]) -> Findings:
        wider = msgspec.structs.replace(
            self._question, terms=((*self._question.terms[0], *tags),), related=tuple(tags)
        )
        search = Search(self._index, wider, self._within)
        tagged = " ".join(f"#{tag}" for tag in tags)
        scored = search._run(search._query(found.from_us, text=f"{wider.wanted} {tagged}"))
        both = search._findings(_merged(found.scored, scored), found.from_us, found.is_outside)
        return msgspec.structs.replace(both, naming=found.naming | self._naming(post for post, _ in scored))

    def _findings(
        self, scored: Sequence[tuple[Post, float]], from_us: int | None, is_outside: bool = False
    ) -> Findings:
        return Findings(
            question=msgspec.structs.replace(
                self._question, from_us=from_us, is_for_one=self._certainty != "unknown"
            ),
            scored=tuple(scored),
            from_us=from_us,
            is_more=len(scored) >= self._max_posts,
            is_outside=is_outside,
            naming=self._naming(post for post, _ in scored),
            certainty=self._certainty,
            is_graded=self._is_graded,
        )

    def _naming(self, posts: Iterable[Post]) -> frozenset[PostId]:
        return frozenset(post.id for post in posts if self._share(post) >= self._least(post))

    def _not_before(self, from_us: int | None) -> int | None:
        least = self._within.from_us
        return from_us if least is None else max(from_us or least, least)

    def _query(
        self,
        from_us: int | None,
        *,
        text: str | None = None,
        limit: int = 0,
        is_any_time: bool = False,
    ) -> Query:
        question, end_us = self._question, self._question.clock_us + 1
        if self._within.to_us is not None:
            end_us = min(end_us, self._within.to_us)
        to_us = None if is_any_time else question.to_us
        is_tag = text is None and question.topic.startswith("#") and " " not in question.topic
        text = self._wanted if text is None else text
        return msgspec.structs.replace(
            self._within,
            text=text,
            hashtags=(*self._within.hashtags, *(question.hashtags if is_tag else ())),
            from_us=from_us,
            # a replay must not see what came after its clock
            to_us=min(to_us or end_us, end_us),
            limit=limit or (self._max_posts if text else 2 * self._max_posts),
            sort="relevance" if text else "time",
            now_us=question.clock_us,
            recency=_NEWS_RECENCY if self._is_news else None,
        )

    def _run(self, query: Query, weight: float = 1.0) -> list[tuple[Post, float]]:
        """Search, and keep what may serve as evidence and names the topic; the score falls with the rank."""
        hits = self._index.search(query)
        known = rivals(self._question, hits, self._share) if self._is_for_one else []
        if self._is_for_one and self._certainty == "unknown":
            self._certainty = weigh_up(self._question, known)
        values = standings(known) if self._certainty != "unknown" else []
        # of one word all who name it write about it
        if self._question.intent == "topic" and len(self._question.terms) > 1 and len(hits) >= FEW:
            self._is_graded, tall = True, [height(hit) for hit in hits]
            values = [
                on_topic(each, tall[0], self._share(hit.post)) for each, hit in zip(tall, hits, strict=True)
            ]
        found: dict[PostId, tuple[Post, float]] = {}
        for rank, hit in enumerate(hits):
            share = self._share(hit.post) if self._may_serve(hit) else 0.0
            least = self._least(hit.post)
            if self._certainty != "unknown" and known[rank].height >= OUTSTANDING:
                least = min(least, MIN_COVERAGE_OUTSTANDING)
            if share < least or share <= 0.0:
                continue
            value = values[rank] if values else share / (1.0 + rank / 60.0)
            found.setdefault(hit.post.id, (hit.post, weight * value))
        return _capped(found.values())

    def _may_serve(self, hit: Hit) -> bool:
        post = hit.post
        if post.is_bot and not (self._question.intent == "number" and is_measurement(post.text)):
            return False  # a gauge is a source for what it measures, other programs for nothing
        if self._question.intent == "opinion" and self._question.terms:
            who = content_words(f"{post.name or ''} {post.handle or ''}", self._question.lang)
            if self._topic.share(who) >= 1.0:
                return False  # what people think of somebody is not his own word
        return bool(post.text.strip())

    def _least(self, post: Post) -> float:
        """Return what a post must name: less where a number is asked for and it counts such a thing."""
        is_counted = self._question.intent == "number" and figures(post.text).keys() & set(
            words(self._question.topic)
        )
        if is_counted:
            return MIN_COVERAGE_COUNTED
        question = self._question
        is_one = len(question.terms) < 2 or question.parts or question.intent == "check"
        return MIN_COVERAGE if is_one or self._certainty != "unknown" else MIN_COVERAGE_TOPIC

    def _share(self, post: Post) -> float:
        share = self._named.get(post.id)
        if share is None:
            share = self._named[post.id] = self._topic.share(stems(post, self._question.lang))
        return share


def _merged(*lists: Sequence[tuple[Post, float]]) -> list[tuple[Post, float]]:
    best: dict[PostId, tuple[Post, float]] = {}
    for scored in lists:
        for post, score in scored:
            if post.id not in best or best[post.id][1] < score:
                best[post.id] = (post, score)
    return _capped(best.values())


def _capped(scored: Iterable[tuple[Post, float]]) -> list[tuple[Post, float]]:
    """Keep the best, few of each author; of a program, which says the same all day, only the newest."""
    scored = list(scored)
    newest = {
        post.author: post for post, _ in sorted(scored, key=lambda pair: pair[0].received_us) if post.is_bot
    }
    count: Counter[AuthorId] = Counter()
    kept: list[tuple[Post, float]] = []
    for post, score in sorted(scored, key=lambda pair: (-pair[1], -pair[0].received_us, pair[0].id)):
        count[post.author] += 1
        if post.is_bot and count[post.author] == 1:
            post = newest[post.author]
        if count[post.author] <= (1 if post.is_bot else MAX_PER_AUTHOR):
            kept.append((post, score))
    return kept[:MAX_POSTS]
