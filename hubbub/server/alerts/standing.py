"""A standing question, and which new posts are about it; whether they say anything new is not its matter."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable

from hubbub.assistant.naming import Topic, stems
from hubbub.assistant.question import Question, understand
from hubbub.assistant.retrieve import MIN_COVERAGE, MIN_COVERAGE_TOPIC
from hubbub.errors import InvalidQuery
from hubbub.index import parse_query
from hubbub.index.document import make_document, post_key
from hubbub.index.index import PUBLIC
from hubbub.index.plan import Plan, plan_filters
from hubbub.language import post_language
from hubbub.posts import Post
from hubbub.server.surface import Searchable

_MAX_SHARES = 5_000
"""Posts after which the memory of stems, which grows with every new one, is begun anew."""


class Standing:
    """One question in the query syntax, understood as an answer would."""

    def __init__(self, text: str, clock_us: int, index: Searchable) -> None:
        """Read it; times in it (`since:`, `until:`) mean nothing for what is still to come.

        Whose handle it names is looked up in the index once, now.

        Raises:
            InvalidQuery: it names nothing that a post could be about, or cannot be read.
        """
        self.query = parse_query(text, now_us=clock_us)
        plain = " ".join((self.query.text, *self.query.phrases, *("#" + tag for tag in self.query.hashtags)))
        self.question: Question = understand(plain, clock_us)
        if not (self.question.terms or self.query.authors):
            raise InvalidQuery(f"{text[:80]!r} names nothing to watch for; add a place, a person or a topic")
        self._topic = Topic(self.question)
        self._num_shares = 0
        self._plan: Plan = plan_filters(index.resolve(self.query), PUBLIC)
        is_narrow = len(self.question.terms) > 1 and not self.question.parts
        self.least = MIN_COVERAGE_TOPIC if is_narrow else MIN_COVERAGE

    @property
    def is_by_author(self) -> bool:
        """Whether it names whom it wants to hear, so that one voice is enough."""
        return bool(self.query.authors)

    def keys(self) -> set[str]:
        """Return what of a stem may make a post be about it; empty if any post may be."""
        forms = (form for forms in (*self.question.terms, *self._parts()) for form in forms)
        return {key for form in forms for key in stem_keys(form)}

    def names(self, found: Collection[str]) -> bool:
        """Tell whether a post with these stems names the topic, as `retrieve` demands of what it finds."""
        self._num_shares += 1
        if self._num_shares > _MAX_SHARES:
            self._topic, self._num_shares = Topic(self.question), 0
        return self._topic.share(found) >= self.least

    def lets_pass(self, tokens: str) -> bool:
        """Tell whether a post with these tokens passes the filters, as in the index."""
        held = f" {tokens} "
        return all(any(f" {one} " in held for one in group) for group in self._plan.must) and not any(
            f" {one} " in held for one in self._plan.must_not
        )

    @property
    def has_filters(self) -> bool:
        """Whether more than the topic decides."""
        return bool(self._plan.must or self._plan.must_not)

    def _parts(self) -> Iterable[tuple[str, ...]]:
        return (forms for part in self.question.part_terms for forms in part)


def stem_keys(stem: str) -> tuple[str, str]:
    """Return under what a stem and its kin are filed: the first four letters, and the last five."""
    return stem[:4], f"-{stem[-5:]}"


class Standings:
    """All standing questions, filed by their stems: a post meets only those that it may be about.

    Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: dict[int, Standing] = {}
        self._by_key: dict[str, set[int]] = {}
        self._open: set[int] = set()
        """Those without a topic, whose filters must be asked of every post."""

    def __len__(self) -> int:
        return len(self._all)

    def add(self, number: int, standing: Standing) -> None:
        """File a question under a number of the caller's."""
        with self._lock:
            self._all[number] = standing
            if not standing.question.terms:
                self._open.add(number)
            for key in standing.keys():
                self._by_key.setdefault(key, set()).add(number)

    def remove(self, number: int) -> None:
        """Forget a question."""
        with self._lock:
            standing = self._all.pop(number)
            self._open.discard(number)
            for key in standing.keys():
                self._by_key[key].discard(number)
                if not self._by_key[key]:
                    del self._by_key[key]

    def match(self, post: Post) -> list[int]:
        """Return the numbers of the questions that a new post is about.

        Some 30 us to find a post's stems, then 3 us for each question that shares one.
        """
        if not _is_voice(post):
            return []
        with self._lock:
            return self._match(post)

    def _match(self, post: Post) -> list[int]:
        numbers = set(self._open)
        found: dict[str, frozenset[str]] = {}
        for lang in {standing.question.lang for standing in self._all.values()}:
            found[lang] = stems(post, lang)
            for stem in found[lang]:
                for key in stem_keys(stem):
                    numbers |= self._by_key.get(key, set())
        asked = {number: self._all[number] for number in sorted(numbers)}
        about = {n: one for n, one in asked.items() if n in self._open or one.names(found[one.question.lang])}
        if any(one.has_filters for one in about.values()):
            tokens = make_document(post_key(post.id), 0, post, post_language(post), None).tokens
            return [n for n, one in about.items() if one.lets_pass(tokens)]
        return list(about)


def _is_voice(post: Post) -> bool:
    """Tell whether a post may speak for itself: no repost and no program."""
    is_own = post.visibility in PUBLIC and post.repost_of is None and not post.is_bot
    return is_own and bool(post.text.strip())
