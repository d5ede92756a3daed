"""How a model's replies to lessons that it was not taught stand beside their teacher's; it trains nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from hubbub.assistant.compose import Choice, sentences
from hubbub.assistant.model import ChatModel
from hubbub.assistant.prompt import MAX_SENTENCES_BRIEF, quoting_schema, schema
from hubbub.assistant.verify import SAYS_IT, support, wording_failure
from hubbub.assistant.wordforms import content_words
from hubbub.errors import ModelError

_MAX_SENTENCES = 10


class Asked(Protocol):
    """A lesson, as `lessons` makes it and `hubbub.train.lessons` reads it."""

    @property
    def messages(self) -> Sequence[dict[str, str]]:
        """A chat, the teacher's reply last."""

    @property
    def records(self) -> Sequence[str]:
        """What may be cited."""

    @property
    def lang(self) -> str:
        """What is answered in."""


class Marks(msgspec.Struct, kw_only=True):
    """Shares; of the lessons that can be answered, but for the last."""

    writer: str
    num_lessons: int
    answered: float
    """Something was said."""
    chosen: float
    """... and every sentence cites the record that the teacher cites, or one that says as much."""
    passed: float
    """... and every sentence passes the check that it must pass to be shown."""
    right: float
    """Both."""
    abstained: float
    """Of the lessons that nothing answers: those where nothing was said."""


Reply = Callable[[Asked], str]


def examine(name: str, reply: Reply, lessons: Sequence[Asked]) -> Marks:
    """Mark the replies of one writer to lessons of which some must not be answered."""
    told = [(lesson, _choices(reply(lesson)), _choices(lesson.messages[-1]["content"])) for lesson in lessons]
    open_ones = [_mark(lesson, said, right) for lesson, said, right in told if right]
    empty = [not said for _, said, right in told if not right]
    return Marks(
        writer=name,
        num_lessons=len(told),
        answered=_share(is_said for is_said, _, _ in open_ones),
        chosen=_share(is_said and is_chosen for is_said, is_chosen, _ in open_ones),
        passed=_share(is_said and is_passed for is_said, _, is_passed in open_ones),
        right=_share(map(all, open_ones)),
        abstained=_share(empty),
    )


def by_model(model: ChatModel, *, is_free: bool = False) -> Reply:
    """Return how a model replies under the schema that `compose` gives it.

    With `is_free` no schema holds a small one's words to its records: that shows whether it can copy.
    """

    def reply(lesson: Asked) -> str:
        form = quoting_schema(lesson.records, MAX_SENTENCES_BRIEF)
        if is_free or not model.is_small:
            form = schema(len(lesson.records), MAX_SENTENCES_BRIEF if model.is_small else _MAX_SENTENCES)
        try:
            return "".join(model.stream(lesson.messages[:-1], form))
        except ModelError:
            return ""

    return reply


def by_words(lesson: Asked) -> str:
    """Quote the record that holds the most words of the question, or none: it needs no model."""
    asked = set(content_words(lesson.messages[1]["content"].splitlines()[-1], lesson.lang))
    shared = [len(asked & set(content_words(text, lesson.lang))) for text in lesson.records]
    best = max(range(len(shared)), key=shared.__getitem__)
    found = [{"evidence": [best + 1], "text": lesson.records[best]}] if shared[best] else []
    return json.dumps({"sentences": found})


def _mark(lesson: Asked, said: Sequence[Choice], right: Sequence[Choice]) -> tuple[bool, bool, bool]:
    """Tell whether anything was said, all of it rightly chosen, and all of it fit to be shown."""
    cited = [[_record(lesson, number) for number in each.evidence] for each in said]
    is_chosen = all(_is_right(lesson, each, right) for each in said)
    is_passed = all(
        quotes and wording_failure(each.text, quotes, lesson.lang) is None
        for each, quotes in zip(said, cited, strict=True)
    )
    return bool(said), is_chosen, is_passed


def _is_right(lesson: Asked, said: Choice, right: Sequence[Choice]) -> bool:
    taught = {number for each in right for number in each.evidence}
    return all(
        number in taught
        or any(support(each.text, [_record(lesson, number)], lesson.lang) >= SAYS_IT for each in right)
        for number in said.evidence
    )


def _record(lesson: Asked, number: int) -> str:
    return lesson.records[number - 1] if 1 <= number <= len(lesson.records) else ""


def _choices(reply: str) -> list[Choice]:
    """Return what a reply says; of what breaks the form, nothing."""
    found = []
    for each in sentences([reply]):
        try:
            found.append(msgspec.convert(each, Choice))
        except msgspec.ValidationError:
            return []
    return found


def _share(found: Iterable[bool]) -> float:
    kept = list(found)
    return sum(kept) / max(len(kept), 1)
