"""Writes an answer without a model: templates around quotes, so that every claim is a quote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from hubbub.assistant.aptness import holds
from hubbub.assistant.conflict import Conflict
from hubbub.assistant.display import inert, isolated
from hubbub.assistant.draft import Draft
from hubbub.assistant.evidence import Evidence
from hubbub.assistant.polarity import is_negative
from hubbub.assistant.question import Question
from hubbub.assistant.retrieve import MAX_POSTS, Findings
from hubbub.assistant.storylines import Story
from hubbub.assistant.voices import count_voices
from hubbub.assistant.wording import Contrary, Note, Said, Scene, Stance, Wording
from hubbub.assistant.wording_de import German
from hubbub.assistant.wording_en import English

_SAYS_IT = 0.85
"""Share of the question's words that a quote must hold to be taken for saying it."""
_ANSWERS = 0.6
"""Share from which on a quote may answer a question for a fact."""
_FACTS = ("who", "when", "where", "number", "why", "what")
_WORDINGS: dict[str, Wording] = {"en": English(), "de": German()}


def wording(lang: str) -> Wording:
    """Return the sentences of a language that `understand` accepts."""
    return _WORDINGS[lang]


def scene(question: Question, findings: Findings) -> Scene:
    """Sum up what was found, for the lead and the notes."""
    window_us = None
    if not question.window and findings.from_us is not None:
        window_us = question.clock_us - findings.from_us
    return Scene(
        intent=question.intent,
        subject=inert(question.subject),
        window=inert(question.window),
        window_us=window_us,
        num_voices=count_voices(findings.voices),
        is_more=len(findings.posts) >= MAX_POSTS,
    )


def note(question: Question, findings: Findings, which: Note) -> Draft:
    """Write a sentence that claims nothing about the world."""
    return Draft(text=wording(question.lang).note(which, scene(question, findings)), kind="note")


def write_quotes(question: Question, findings: Findings, stories: Sequence[Story]) -> Iterator[Draft]:
    """Write the lead, then the storylines in order of weight, each with its details and contradictions."""
    stories = _with_witnesses(question, stories)
    for number, story in enumerate(stories):
        yield _statement(question, findings, story, number)
        if story.conflict:
            yield _contradiction(question, story.conflict, number)
        for detail in story.details:
            yield _detail(question, detail, number)
    stances = {_stance(question, story.head) for story in stories}
    if question.intent == "check" and stances <= {"says", "near"} and "says" in stances:
        if not any(story.conflict for story in stories):
            yield note(question, findings, "uncontradicted")
    if question.intent in (*_FACTS, "check") and stories and _is_doubtful(question, stories[0].head):
        yield note(question, findings, "nearest")


def _with_witnesses(question: Question, stories: Sequence[Story]) -> Sequence[Story]:
    """Of a question for a check, count with the first statement all who stand on its side in other words."""
    if question.intent != "check" or not stories:
        return stories
    stance = _stance(question, stories[0].head)
    voices = {id(voice): voice for voice in stories[0].voices}
    for story in stories:
        if _stance(question, story.head) == stance != "near":
            voices |= {id(voice): voice for voice in story.voices}
            agreeing = [detail.voice for detail in story.details if _stance(question, detail) == stance]
            voices |= {id(voice): voice for voice in agreeing}
    return [msgspec.structs.replace(stories[0], voices=tuple(voices.values())), *stories[1:]]


def _is_doubtful(question: Question, evidence: Evidence) -> bool:
    """Tell whether even the best quote misses a word of the question, or the kind of thing it asks for."""
    is_missing = question.intent in ("when", "number") and not holds(question.intent, evidence.quote)
    return is_missing or evidence.relevance < (_SAYS_IT if question.intent == "check" else _ANSWERS)


def _statement(question: Question, findings: Findings, story: Story, number: int) -> Draft:
    """Word a story with its head, or where that has died, with another voice's wording of it."""
    drafts = []
    for evidence in (story.head, *story.alternates):
        said = _said(question, evidence, story.num_voices, story.first_us, story.last_us)
        words = wording(question.lang)
        drafts.append(
            Draft(
                text=(
                    words.lead(scene(question, findings), said, _stance(question, evidence))
                    if number == 0
                    else words.story(said)
                ),
                kind="lead" if number == 0 else "story",
                evidence=(evidence,),
                story=number,
                num_voices=story.num_voices,
                first_us=story.first_us,
                last_us=story.last_us,
                is_conflicting=story.conflict is not None,
            )
        )
    return msgspec.structs.replace(drafts[0], fallbacks=tuple(drafts[1:]))


def _stance(question: Question, evidence: Evidence) -> Stance:
    """Tell whether a quote says what a question for a check puts forward, denies it, or comes near."""
    if evidence.relevance < _SAYS_IT:
        return "near"
    return "says" if evidence.is_negative == is_negative(question.topic) else "denies"


def _detail(question: Question, evidence: Evidence, number: int) -> Draft:
    first_us, last_us = evidence.voice.posts[0].received_us, evidence.voice.posts[-1].received_us
    said = _said(question, evidence, 1, first_us, last_us)
    return Draft(
        text=wording(question.lang).detail(said),
        kind="detail",
        evidence=(evidence,),
        story=number,
        num_voices=1,
        first_us=first_us,
        last_us=last_us,
    )


def _contradiction(question: Question, conflict: Conflict, number: int) -> Draft:
    times = [post.received_us for voice in conflict.voices for post in voice.posts]
    said = _said(question, conflict.against, count_voices(conflict.voices), min(times), max(times))
    return Draft(
        text=wording(question.lang).conflict(said, _kind(conflict)),
        kind="conflict",
        # both sides: the sentence falls with either
        evidence=(conflict.against, conflict.claim),
        story=number,
        num_voices=said.num_voices,
        first_us=min(times),
        last_us=max(times),
        is_conflicting=True,
    )


def _kind(conflict: Conflict) -> Contrary:
    if conflict.reason == "figure":
        return "figures"
    return "overtaken" if conflict.is_overtaken else "denied"


def _said(question: Question, evidence: Evidence, num_voices: int, first_us: int, last_us: int) -> Said:
    return Said(
        quote=isolated(evidence.quote),
        num_voices=num_voices,
        handle=inert(evidence.post.handle) if evidence.post.handle else None,
        first_age_us=max(question.clock_us - first_us, 0),
        last_age_us=max(question.clock_us - last_us, 0),
    )
