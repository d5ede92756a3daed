"""How surely a text names what a question is about, by its stems; how well it says it is not its matter."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hubbub.assistant.question import Question
from hubbub.assistant.wordforms import content_words, fold
from hubbub.posts import Post

_ONE_OF_SEVERAL = 0.9
_DERIVED = 0.9
_HEAD = 0.5
"""A bridge is named where the mill bridge was asked for: perhaps that one."""
_TAGGED = 0.5
"""A tag that goes with the topic stands for it: perhaps this post is about something else at that place."""
_MIN_COMPOUND, _MIN_HEAD = 5, 3
"""Letters of a compound's part, and of what stands before it: a driver is no river."""
_MAX_ENDING, _MAX_LOST = 4, 3
_CLOSING_TAGS = re.compile(r"(?:\s*(?:#\w+|https?://\S+))+\s*$")
_MAX_CLOSING = 400
_TAG = re.compile(r"#(\w+)")


class Topic:
    """The words of a question's topic, and what each stem of a text says about them; built once an answer."""

    def __init__(self, question: Question) -> None:
        self.is_open = not question.terms
        self._is_german = question.lang == "de"
        self._tags = frozenset(question.related)
        self._forms = list(
            dict.fromkeys((*question.terms, *(f for part in question.part_terms for f in part)))
        )
        weights = dict(zip(question.terms, question.weights or [1.0] * len(question.terms), strict=True))
        self._whole = [(self._forms.index(forms), weight) for forms, weight in weights.items()]
        self._parts = [[(self._forms.index(forms), 1.0) for forms in part] for part in question.part_terms]
        self._near = self._neighbours()
        self._known: dict[str, tuple[tuple[int, float], ...]] = {}

    def share(self, terms: Iterable[str]) -> float:
        """Return the share of the topic's words, by weight, that are among the stems; 1 without a topic.

        Of a question that joins topics by `and`, one of them is nearly enough.
        """
        if self.is_open:
            return 1.0
        named = self.named(terms)
        if not named:
            return 0.0
        whole = _weighed(self._whole, named)
        if not self._parts:
            return whole
        return max(whole, _ONE_OF_SEVERAL * max(_weighed(part, named) for part in self._parts))

    def named(self, terms: Iterable[str]) -> dict[int, float]:
        """Return the places of the topic's words that the stems name, each with how surely, to 1."""
        found: dict[int, float] = {}
        for term in terms:
            known = self._known.get(term)
            if known is None:
                known = self._known[term] = tuple(self._look_up(term))
            for place, sure in known:
                if sure > found.get(place, 0.0):
                    found[place] = sure
        return found

    def _neighbours(self) -> dict[str, set[tuple[int, str]]]:
        """File the topic's stems under what kin share with them: the first four letters or the last five."""
        near: dict[str, set[tuple[int, str]]] = {}
        for place, forms in enumerate(self._forms):
            for form in forms:
                for key in (form[:4], f"-{form[-_MIN_COMPOUND:]}"):
                    near.setdefault(key, set()).add((place, form))
        return near

    def _look_up(self, term: str) -> Iterable[tuple[int, float]]:
        found: dict[int, float] = {}
        for key in (term[:4], f"-{term[-_MIN_COMPOUND:]}"):
            for place, form in self._near.get(key, ()):
                if form in self._tags:
                    sure = _TAGGED if form == term else 0.0
                else:
                    sure = kinship(form, term, is_german=self._is_german)
                found[place] = max(found.get(place, 0.0), sure)
        return [(place, sure) for place, sure in found.items() if sure]


def kinship(asked: str, found: str, *, is_german: bool) -> float:
    """Tell how surely a stem of a text stands for one of a question, 0 to 1.

    egypt, egyptian continue each other. A longer compound stands for its parts (bruck: mullerbruck; in German
    also sandsack: sandsackplatz), a shorter word only for the head of what was asked (mullerbruck: bruck, but
    not mindestlohn: mindest).
    """
    if asked == found:
        return 1.0
    extra = len(found) - len(asked)
    short, long = (asked, found) if extra > 0 else (found, asked)
    if long.startswith(short) and abs(extra) <= (_MAX_ENDING if extra > 0 else _MAX_LOST):
        return _DERIVED if len(short) >= (5 if is_german and (extra < 0 or extra > 2) else 4) else 0.0
    if len(short) < _MIN_COMPOUND:
        return 0.0
    if extra < 0:
        return _HEAD if long.endswith(short) else 0.0
    is_tail = long.endswith(short) and extra >= _MIN_HEAD
    return _DERIVED if is_tail or (is_german and long.startswith(short)) else 0.0


def stems(post: Post, lang: str) -> frozenset[str]:
    """Return the stems of a post, its tags and its author: City Hall of Marrowick speaks of Marrowick."""
    found = content_words(" ".join((post.text, post.name or "", post.handle or "")), lang, spoken(post))
    return frozenset(found).union(map(fold, post.hashtags))


def frame(post: Post, lang: str) -> frozenset[str]:
    """Return what holds for every sentence of a post: the tags that close it, and who speaks."""
    closing = _CLOSING_TAGS.search(post.text[-_MAX_CLOSING:]) if post.hashtags or "#" in post.text else None
    said = " ".join((closing[0] if closing else "", post.name or "", post.handle or ""))
    return frozenset(content_words(said, lang)).union(map(fold, _TAG.findall(said)))


def spoken(post: Post) -> str:
    """Return the language that a post declares, empty if none."""
    return post.langs[0][:2] if post.langs else ""


def _weighed(words: list[tuple[int, float]], named: dict[int, float]) -> float:
    return sum(weight * named.get(place, 0.0) for place, weight in words) / sum(weight for _, weight in words)
