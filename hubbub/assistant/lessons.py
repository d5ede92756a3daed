"""Lessons for a model of one's own: question, records and reply in the assistant's own form, made from posts.

The teacher is the assistant that quotes: what it would cite becomes the reply, in the posts' own words, and
only sentences that pass the check of a model's sentences are taught. It trains nothing and opens no archive.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from hubbub.assistant.aptness import holds
from hubbub.assistant.ask import find_stories
from hubbub.assistant.compose import Record, compose, records
from hubbub.assistant.display import inert
from hubbub.assistant.draft import Draft
from hubbub.assistant.evidence import Evidence
from hubbub.assistant.explain import questions
from hubbub.assistant.intents import Intent
from hubbub.assistant.naming import Topic
from hubbub.assistant.prompt import MAX_RECORDS, MAX_RECORDS_BRIEF, MAX_SENTENCES_BRIEF, messages
from hubbub.assistant.quality import quality
from hubbub.assistant.question import Question, understand
from hubbub.assistant.retrieve import Search
from hubbub.assistant.searchable import Searchable
from hubbub.assistant.spans import cut
from hubbub.assistant.verify import SAYS_IT, failure, support
from hubbub.assistant.voices import Voice
from hubbub.assistant.wordforms import content_words, words
from hubbub.assistant.write import write_quotes
from hubbub.posts import Post, PostId
from hubbub.units import US_PER_HOUR

_MAX_SENTENCES = 10
_MAX_EVIDENCE, _MAX_TEXT = 4, 280
"""As the schema of a reply has it."""
_MAX_DISTRACTORS, _NUM_STRANGERS = 4, 40
_MAX_ASKED = 2
"""Questions about one post."""
_UNANSWERABLE = 0.25
"""Share of the lessons whose records do not answer. Small models hardly ever refuse by themselves: a 1.5B
refused one question of four (reference/models.md, section 3)."""
_ELSEWHERE = 0.34
"""Share of the topic from which on a record may be to the point."""
_HOURS = (1, 6, 24)
_OPENING: dict[str, dict[Intent, str]] = {
    "en": {
        "when": "When is {}?",
        "where": "Where is {}?",
        "number": "How many {}?",
        "news": "What is new: {}?",
    },
    "de": {"when": "Wann ist {}?", "where": "Wo ist {}?", "number": "Wie viele {}?", "news": "Neues zu {}?"},
}
_NEWS_OF = {
    "en": ("What is happening at {}?", "What is new at {}?", "What do people say about {}?"),
    "de": ("Was passiert bei {}?", "Was ist neu bei {}?", "Was sagen die Leute zu {}?"),
}
_NAME = re.compile(r"(?<=[\w,;:] )[A-Z\u00c0-\u00de][\w'-]+(?: [A-Z\u00c0-\u00de][\w'-]+)*")
"""What is written with a capital and opens no sentence."""
_CONTRARY = {"en": "{}, but also: {}", "de": "{}, aber auch: {}"}


class Lesson(msgspec.Struct, frozen=True, kw_only=True):
    """One sample: the messages of a chat, the last of them the reply, and every post whose words it holds."""

    messages: tuple[dict[str, str], ...]
    posts: tuple[PostId, ...]
    is_answerable: bool
    lang: str
    records: tuple[str, ...]
    """The texts that may be cited, in the order of their numbers."""


class _Recital:
    """A model that says what it was told to, so that the teacher's sentences take a model's way."""

    name = "teacher"

    def __init__(self, reply: str, *, is_small: bool) -> None:
        self._reply = reply
        self.is_small = is_small

    def stream(self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, object]) -> Iterator[str]:
        yield self._reply


class Teacher:
    """Makes lessons from the posts of an index that holds only posts which may be trained on."""

    def __init__(self, index: Searchable, *, seed: int = 0, is_brief: bool = False) -> None:
        """`is_brief`: for models whose context is less than `prompt.SMALL_CONTEXT` tokens."""
        self._index = index
        self._rng = random.Random(seed)
        self._is_brief = is_brief
        self._max_records = MAX_RECORDS_BRIEF if is_brief else MAX_RECORDS
        self._max_sentences = MAX_SENTENCES_BRIEF if is_brief else _MAX_SENTENCES
        self._strangers: dict[tuple[PostId, int], tuple[Record, frozenset[str]]] = {}

    def teach(self, post: Post) -> Iterator[Lesson]:
        """Yield the lessons of questions that one post gives rise to; none where nothing passes."""
        asked = _asked(post)
        for text in self._rng.sample(asked, min(_MAX_ASKED, len(asked))):
            clock_us = post.received_us + self._rng.choice(_HOURS) * US_PER_HOUR
            question = understand(text, clock_us)
            if question.intent == "unsearchable":
                continue
            told, given, lesson = self._answered(question, post)
            if lesson is not None:
                yield lesson
            if told and self._rng.random() < _UNANSWERABLE / (1 - _UNANSWERABLE):
                empty = self._unanswered(question, post)
                if empty is not None:
                    yield empty
            self._remember(given)

    def drill(self, post: Post) -> Lesson | None:
        """Make one by looking at no index: a statement of the post among those of the posts before it.

        It teaches to find and to copy, in a hundredth of the time; `teach` shows what is really asked.
        """
        spans = [span for span in cut(post.text) if quality(post.text, span) > 0]
        if not spans:
            return None
        span = self._rng.choice(spans)
        said = post.text[span.start : span.end]
        asked = _asked(msgspec.structs.replace(post, text=said))
        question = understand(self._rng.choice(asked), post.received_us) if asked else None
        if question is None or question.intent == "unsearchable":
            return None
        voice = Voice(posts=(post,), score=1.0, words=words(said))
        item = Evidence(
            post=post,
            voice=voice,
            start=span.start,
            end=span.end,
            quality=1.0,
            relevance=1.0,
            terms=frozenset(content_words(said, question.lang)),
        )
        record = (item, (voice,), False)
        reply = [([0], " ".join(inert(said).split()))]
        made = None
        if self._rng.random() < _UNANSWERABLE:
            made = self._unanswered(question, post)
        elif self._passes(question, [record], {post.id: post}, *reply[0]):
            made = self._lesson(question, post, [record], {0}, reply)
        self._remember([record])
        return made

    def _remember(self, given: Sequence[Record]) -> None:
        for record in given[:2]:
            item = record[0]
            self._strangers[item.post.id, item.start] = record, frozenset(words(item.quote))
        while len(self._strangers) > _NUM_STRANGERS:
            self._strangers.pop(next(iter(self._strangers)))

    def _answered(self, question: Question, post: Post) -> tuple[bool, list[Record], Lesson | None]:
        search = Search(self._index, question)
        findings = search.further(search.first())
        stories, findings = find_stories(self._index, question, search, findings, self._max_sentences)
        ids = {item.post.id for story in stories for item in story.all_evidence}
        living = self._index.fetch(ids, for_prompt=True)
        given = records(stories, living)[: self._max_records]
        drafts = list(write_quotes(question, findings, stories)) if given else []
        if not given or any(draft.is_doubtful for draft in drafts):
            return False, given, None
        reply = self._sentences(question, drafts, given, living)
        if not reply:
            return False, given, None
        cited = {number for numbers, _ in reply for number in numbers}
        return True, given, self._lesson(question, post, given, cited, reply)

    def _sentences(
        self, question: Question, drafts: Sequence[Draft], given: list[Record], living: Mapping[PostId, Post]
    ) -> list[tuple[list[int], str]]:
        """Word each draft by its quotes, number what says so, and keep what a model might have said too."""
        places = {(item.post.id, item.start): place for place, (item, _, _) in enumerate(given)}
        said: dict[str, list[int]] = {}
        for draft in drafts:
            keys = [(item.post.id, item.start) for item in draft.evidence]
            text = _worded(draft, question.lang)
            if not keys or text in said or len(text) > _MAX_TEXT or not all(key in places for key in keys):
                continue
            numbers = [places[key] for key in keys]
            if self._is_brief and draft.kind == "conflict":
                continue  # a small model cites the one record that it quotes
            for place, (item, _, is_denied) in enumerate(given):
                is_alike = draft.kind != "conflict" and not is_denied and place not in numbers
                if is_alike and support(text, [item.quote], question.lang) >= SAYS_IT:
                    numbers.append(place)
            numbers = numbers[: 1 if self._is_brief else _MAX_EVIDENCE]
            if len(said) < self._max_sentences and self._passes(question, given, living, numbers, text):
                said[text] = numbers
        return [(numbers, text) for text, numbers in said.items()]

    def _passes(
        self,
        question: Question,
        given: Sequence[Record],
        living: Mapping[PostId, Post],
        numbers: Sequence[int],
        text: str,
    ) -> bool:
        recital = _Recital(_reply([([n + 1 for n in numbers], text)]), is_small=self._is_brief)
        drafts = list(compose(recital, question, given, 1, Counter()))
        return bool(drafts) and failure(drafts[0], living, question.lang) is None

    def _lesson(
        self,
        question: Question,
        post: Post,
        given: Sequence[Record],
        cited: set[int],
        reply: Sequence[tuple[list[int], str]],
    ) -> Lesson:
        """Shuffle the records, strangers among them, and renumber what the reply cites."""
        others = [place for place in range(len(given)) if place not in cited]
        room = self._max_records - len(cited)
        strangers = self._elsewhere(question, given)
        num_strange = min(self._rng.randint(0, min(_MAX_DISTRACTORS, room)), len(strangers))
        kept = [*sorted(cited), *self._rng.sample(others, min(len(others), room - num_strange))]
        shown = [(place, given[place]) for place in kept]
        shown += [(-1, record) for record in self._rng.sample(strangers, num_strange)]
        self._rng.shuffle(shown)
        number = {place: at for at, (place, _) in enumerate(shown, 1)}
        renumbered = [([number[place] for place in numbers], text) for numbers, text in reply]
        return self._write(question, post, [record for _, record in shown], renumbered)

    def _unanswered(self, question: Question, post: Post) -> Lesson | None:
        """Ask the same of records of other matters, half of them those that come nearest."""
        topic = Topic(question)
        far = sorted(self._elsewhere(question, ()), key=lambda record: -topic.share(record[0].terms))
        if len(far) < 2 or topic.is_open:
            return None
        count = self._rng.randint(2, min(self._max_records, len(far)))
        near, rest = far[: count // 2], far[count // 2 :]
        shown = [*near, *self._rng.sample(rest, count - len(near))]
        self._rng.shuffle(shown)
        return self._write(question, post, shown, [])

    def _elsewhere(self, question: Question, given: Sequence[Record]) -> list[Record]:
        """Records of earlier questions that name little of this one's topic, and none of its names."""
        topic, names = Topic(question), set(question.names)
        known = {item.post.id for item, _, _ in given}
        return [
            record
            for record, said in self._strangers.values()
            if record[0].post.id not in known
            and names.isdisjoint(said)
            and topic.share(record[0].terms) < _ELSEWHERE
        ]

    def _write(
        self,
        question: Question,
        post: Post,
        shown: Sequence[Record],
        reply: Sequence[tuple[Sequence[int], str]],
    ) -> Lesson:
        asked = messages(
            question,
            shown,
            self._max_sentences,
            is_brief=self._is_brief,
            fence=f"<<{self._rng.getrandbits(64):016x}>>",
        )
        said = {"role": "assistant", "content": _reply(reply)}
        ids = dict.fromkeys((post.id, *(item.post.id for item, _, _ in shown)))
        return Lesson(
            messages=(*asked, said),
            posts=tuple(ids),
            is_answerable=bool(reply),
            lang=question.lang,
            records=tuple(item.quote for item, _, _ in shown),
        )


def _reply(sentences: Sequence[tuple[Sequence[int], str]]) -> str:
    found = [{"evidence": list(numbers), "text": text} for numbers, text in sentences]
    return json.dumps({"sentences": found}, ensure_ascii=False)


def _worded(draft: Draft, lang: str) -> str:
    """Say a draft in the posts' own words; of a contradiction both sides."""
    quotes = [" ".join(inert(item.quote).split()) for item in draft.evidence]
    if draft.kind == "conflict":
        return _CONTRARY[lang].format(*(quote.strip(" .!") for quote in reversed(quotes)))
    return quotes[0] if quotes else ""


def _asked(post: Post) -> list[str]:
    """Return what a reader might ask that this post answers: its claims, its matter, its figures."""
    found = questions(post)
    if not found:
        return []
    lang = "de" if post.langs[:1] == ("de",) else "en"
    topic = found[-1].rstrip("?").partition(" mit " if lang == "de" else " about ")[2]
    asked = [form for intent, form in _OPENING[lang].items() if holds(intent, post.text)]
    names = {name for name in _NAME.findall(post.text) if lang != "de" or " " in name}  # nouns have one too
    said = [form.format(name) for name in sorted(names) for form in _NEWS_OF[lang]]
    return found + [form.format(topic) for form in asked if topic] + said
