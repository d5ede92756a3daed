"""The whole way from a question to a verified answer, as events; each step is a file of its own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, tzinfo
from typing import Literal

import msgspec

from hubbub.assistant.answer import (
    Answer,
    AnswerEvent,
    Done,
    Found,
    Report,
    Retraction,
    Sentence,
    Shown,
)
from hubbub.assistant.certainty import FOR_ONE
from hubbub.assistant.compose import compose, records
from hubbub.assistant.draft import Draft
from hubbub.assistant.evidence import gather
from hubbub.assistant.followup import part
from hubbub.assistant.model import ChatModel
from hubbub.assistant.question import Question, of_search, understand
from hubbub.assistant.retrieve import EVERYTHING, Findings, Search
from hubbub.assistant.searchable import Searchable
from hubbub.assistant.storylines import Story, tell
from hubbub.assistant.verify import as_sentence, broken, cite, failure
from hubbub.assistant.voices import count_voices
from hubbub.assistant.wording import Note
from hubbub.assistant.write import note, select, unheard, write_quotes
from hubbub.errors import ModelError
from hubbub.index.query import Query
from hubbub.index.spelling import respell
from hubbub.units import now_us

MAX_SHOWN_POSTS = 20
"""Found posts that are handed out before the first sentence."""
_STORIES = 100
"""Numbers of storylines that each part of a question has."""
_MAX_CHECKS = 10
"""Rounds of the last check: each shows a retraction, during which more may die."""


def ask(
    index: Searchable,
    question: str,
    *,
    clock_us: int | None = None,
    model: ChatModel | None = None,
    zone: tzinfo = UTC,
    max_sentences: int = 10,
    lang: str | None = None,
    within: Query = EVERYTHING,
    tone: str = "",
    is_readers: bool = True,
    is_summary: bool = False,
) -> Iterator[AnswerEvent]:
    """Answer a question from posts: first what was found, then each sentence as it passes its check.

    With a model, it words sentences from evidence that we choose and check; where it fails, we quote.
    Times count from `clock_us` (default: now), days begin in `zone`. `lang` fixes the language of the answer;
    only posts that the filters of `within` let through serve as evidence (not, say, the operator's own bot).
    `tone` is how a model is to word things; what it may say stays the same. A contradiction is told even
    beyond `max_sentences`. A question that is not the reader's own, but made of a post, is not repeated. With
    `is_summary`, the answer tells of what a search for these very words finds, at any time.

    Raises:
        InvalidQuery: the question is too long, or `lang` is not one we write.
    """
    clock_us = now_us() if clock_us is None else clock_us
    asked = understand(question, clock_us, zone=zone, lang=lang)
    parts = [asked]
    if not is_readers:
        parts = [msgspec.structs.replace(asked, subject="")]
    elif is_summary:
        parts = [of_search(asked, within.text)]
    elif len(pieces := part(asked.text)) > 1:
        parts = [understand(piece, clock_us, zone=zone, lang=asked.lang) for piece in pieces]
    return _Run(index, asked, parts, model, max(max_sentences, 1), tone).events(within)


def answer(index: Searchable, question: str, **options: object) -> Answer:
    """Answer a question and return the finished answer; the options are those of `ask`."""
    for event in ask(index, question, **options):  # type: ignore[arg-type]
        if isinstance(event, Done):
            return event.answer
    raise AssertionError("ask() ends with Done")


class _Run:
    """One answer in the making."""

    def __init__(
        self,
        index: Searchable,
        question: Question,
        parts: Sequence[Question],
        model: ChatModel | None,
        max_sentences: int,
        tone: str = "",
    ) -> None:
        self.index = index
        self.whole, self.question = question, parts[0]
        self.parts = parts
        self.found: list[Findings] = []
        self.has_stories = False
        self.model = model
        self.writer = "quotes"
        self.max_sentences = max_sentences
        self.limit = max_sentences
        self.tone = tone
        self.shown: list[Sentence] = []
        self.next_id = 0
        self.dropped: Counter[str] = Counter()
        self.started_s = time.perf_counter()
        self.first_evidence_ms: float | None = None
        self.first_sentence_ms: float | None = None

    def events(self, within: Query) -> Iterator[AnswerEvent]:
        """Run the pipeline, once for each thing that is asked."""
        for place, question in enumerate(self.parts):
            self.question = question
            left = self.max_sentences - len(self.shown)
            self.limit = len(self.shown) + max(left // (len(self.parts) - place), 1)
            yield from self._answer_part(within)
        yield from self._retract()
        if self.has_stories and not self.shown:
            yield from self._show(iter([note(self.question, self.found[-1], "lost")]), for_prompt=False)
        yield Done(answer=self._answer())

    def _answer_part(self, within: Query) -> Iterator[AnswerEvent]:
        findings = Findings(question=self.question)
        search = Search(self.index, self.question, within)
        if self.question.intent != "unsearchable":
            findings = search.first()
        self.first_evidence_ms = self.first_evidence_ms or self._elapsed_ms()
        yield _found(findings)
        if self.question.intent != "unsearchable":
            had = findings
            findings = search.further(findings)
            if not had.posts and findings.posts:
                yield _found(findings)
        stories, findings = find_stories(self.index, self.question, search, findings, self.max_sentences)
        self.found.append(findings)
        self.has_stories |= bool(stories)
        num_shown = len(self.shown)
        if self.model and stories:
            yield from self._show_composed(self.model, stories)
        if len(self.shown) == num_shown:
            yield from self._show(self._drafts(findings, stories, within), for_prompt=False)

    def _drafts(self, findings: Findings, stories: list[Story], within: Query) -> Iterator[Draft]:
        if stories:
            yield from write_quotes(self.question, findings, stories)
            return
        which: Note = "lost"
        if self.question.intent == "unsearchable":
            which = "not_searchable"
        elif not findings.posts or self.question.intent in FOR_ONE:
            which = "nothing_in_window" if self.question.window else "nothing"
        meant = "" if which == "not_searchable" else self._meant(within)
        told = note(self.question, findings, which, meant)
        if len(self.parts) > 1:
            told = msgspec.structs.replace(told, text=f"{self.question.text} {told.text}")
        yield told

    def _meant(self, within: Query) -> str:
        end_us = self.question.clock_us + 1
        known = msgspec.structs.replace(within, to_us=min(within.to_us or end_us, end_us))
        return respell(self.index, self.question.text, known)

    def _show_composed(self, model: ChatModel, stories: list[Story]) -> Iterator[AnswerEvent]:
        """Let the model write; if it fails or nothing of it passes, the writer stays `quotes`."""
        num_shown = len(self.shown)
        ids = {item.post.id for story in stories for item in story.all_evidence}
        given = records(stories, self.index.fetch(ids, for_prompt=True))
        if not given:
            return
        try:
            drafts = compose(model, self.question, given, self.limit - num_shown, self.dropped, self.tone)
            yield from self._show(drafts, for_prompt=True)
        except ModelError:
            self.dropped["model_failed"] += 1
        if len(self.shown) > num_shown:
            cited = {citation.post for sentence in self.shown[num_shown:] for citation in sentence.citations}
            yield from self._show(unheard(self.question, stories, cited), for_prompt=True)
            self.writer = model.name

    def _show(self, drafts: Iterator[Draft], *, for_prompt: bool) -> Iterator[AnswerEvent]:
        dead: set[int] = set()
        for draft in drafts:
            if len(self.shown) >= self.limit and draft.kind != "conflict":
                break
            if draft.kind in {"detail", "conflict"} and draft.story in dead:
                self.dropped["story_lost"] += 1
                continue
            sentence = self._checked(draft, for_prompt)
            if sentence:
                if sentence.story is not None:  # of another part it is another story
                    own = sentence.story + (len(self.found) - 1) * _STORIES
                    sentence = msgspec.structs.replace(sentence, story=own)
                self.first_sentence_ms = self.first_sentence_ms or self._elapsed_ms()
                self.shown.append(sentence)
                self.next_id += 1
                yield Shown(sentence=sentence, is_composed=for_prompt)
            elif draft.kind in {"lead", "story"} and draft.story is not None:
                dead.add(draft.story)

    def _checked(self, draft: Draft, for_prompt: bool) -> Sentence | None:
        """Look the cited posts up once more, and make the sentence if all of it still holds."""
        for attempt in (draft, *draft.fallbacks):
            living = self.index.fetch([item.post.id for item in attempt.evidence], for_prompt=for_prompt)
            reason = failure(attempt, living, self.question.lang)
            if reason is None:
                return as_sentence(attempt, self.next_id, living)
            self.dropped[reason] += 1
        return None

    def _retract(self) -> Iterator[Retraction]:
        """Check everything that was shown once more, and again while that finds something."""
        for_prompt = self.writer != "quotes"
        for _ in range(_MAX_CHECKS):
            cited = {citation.post for sentence in self.shown for citation in sentence.citations}
            due = broken(self.shown, self.index.fetch(cited, for_prompt=for_prompt)) if cited else []
            if not due:
                return
            gone = {retraction.sentence for retraction in due}
            self.shown = [sentence for sentence in self.shown if sentence.id not in gone]
            self.dropped["retracted"] += len(due)
            yield from due

    def _answer(self) -> Answer:
        report = Report(
            num_posts_found=len({post.id for findings in self.found for post in findings.posts}),
            num_sentences_shown=len(self.shown),
            writer=self.writer,
            dropped={reason: count for reason, count in self.dropped.items() if count},
            first_evidence_ms=self.first_evidence_ms,
            first_sentence_ms=self.first_sentence_ms,
            total_ms=self._elapsed_ms(),
        )
        return Answer(
            question=self.whole.text,
            lang=self.question.lang,
            asked_us=self.question.clock_us,
            sentences=tuple(self.shown),
            report=report,
            outcome=self._outcome(),
        )

    def _outcome(self) -> Literal["answered", "unconfirmed", "nothing_found", "not_searchable"]:
        if all(part.intent == "unsearchable" for part in self.parts):
            return "not_searchable"
        told = [sentence for sentence in self.shown if sentence.kind != "note"]
        if not told:
            return "nothing_found"
        num_voices = max(count_voices(findings.voices) for findings in self.found)
        if all(sentence.num_voices <= 1 for sentence in told) and num_voices <= 1:
            return "unconfirmed"
        return "answered"

    def _elapsed_ms(self) -> float:
        return round((time.perf_counter() - self.started_s) * 1000, 3)


def find_stories(
    index: Searchable, question: Question, search: Search, findings: Findings, max_stories: int
) -> tuple[list[Story], Findings]:
    """Choose what is worth telling of what was found, with what contradicts it looked for as well."""
    if not findings.scored:
        return [], findings

    def told(found: Findings) -> list[Story]:
        pool = gather(found.question, found.voices, index.embed, found.corrections)
        return tell(found.question, pool, max_stories=max_stories, max_details=1)

    stories = told(findings)
    corrected = search.corrections(findings, [story.head for story in stories])
    if corrected.corrections:
        stories = told(corrected)
    return select(question, corrected, stories), corrected


def _found(findings: Findings) -> Found:
    return Found(posts=tuple(cite(post, 0, len(post.text)) for post in findings.posts[:MAX_SHOWN_POSTS]))
