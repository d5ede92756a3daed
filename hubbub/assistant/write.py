"""Writes an answer without a model: templates around quotes, so that every claim is a quote."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial

import msgspec

from hubbub.assistant.aptness import Kind
from hubbub.assistant.certainty import FOR_ONE
from hubbub.assistant.claims import Claim
from hubbub.assistant.conflict import Conflict
from hubbub.assistant.display import inert, isolated, safe_handle
from hubbub.assistant.draft import Draft
from hubbub.assistant.evidence import Evidence
from hubbub.assistant.naming import Topic, stems
from hubbub.assistant.question import Question
from hubbub.assistant.retrieve import Findings
from hubbub.assistant.storylines import Story
from hubbub.assistant.voices import Voice, count_voices
from hubbub.assistant.wording import Contrary, Note, Said, Scene, Wording
from hubbub.assistant.wording_de import German
from hubbub.assistant.wording_en import English
from hubbub.posts import PostId

_ANSWERS = 0.6
"""Share from which on a quote may answer a question for a fact."""
_ANSWERS_IN_KIND = 0.4
"""The same for a quote that holds the kind of thing that is asked for: a time, a place, a figure."""
_NEARS = 0.45
"""Relevance that a quote needs to be told where nothing says or denies what was asked."""
_COUNTS = 0.3
"""Share of the topic that another figure must name: who counts the same often words it otherwise."""
_UNCOUNTED = ("said", "who", "where", "why")
"""Intents that no figure answers."""
_LEADS, _STANDS = 0.9, 0.97
"""Standing that the first statement and any other need: odds of .08 and of a half against the best post."""
_ON_TOPIC, _WHOLE = 0.4, 0.99
"""Logarithm of the odds (3 to 2) that a statement needs to be told of a topic; share that names all of it."""
_SUBJECTS = ("news", "topic", "opinion", "said")
"""Intents whose topic is a thing that one can write about, not half a sentence."""
_WORDINGS: dict[str, Wording] = {"en": English(), "de": German()}


def wording(lang: str) -> Wording:
    """Return the sentences of a language that `understand` accepts."""
    return _WORDINGS[lang]


def scene(question: Question, findings: Findings, *, is_doubtful: bool = False) -> Scene:
    """Sum up what was found, for the lead and the notes; only voices that name the topic count."""
    window_us = None
    if not question.window and findings.from_us is not None:
        window_us = question.clock_us - findings.from_us
    naming = [voice for voice in findings.voices if any(post.id in findings.naming for post in voice.posts)]
    return Scene(
        intent=question.intent,
        subject=inert(question.subject) if question.intent in _SUBJECTS else "",
        window="" if findings.is_outside else inert(question.window),
        window_us=None if findings.is_outside else window_us,
        num_voices=count_voices(naming),
        is_more=findings.is_more,
        is_doubtful=is_doubtful,
    )


def note(question: Question, findings: Findings, which: Note, meant: str = "") -> Draft:
    """Write a sentence that claims nothing about the world; `meant` is what to ask instead, if anything."""
    here = msgspec.structs.replace(
        scene(question, findings), window=inert(question.window), meant=inert(meant)
    )
    return Draft(text=wording(question.lang).note(which, here), kind="note")


def select(question: Question, findings: Findings, stories: Sequence[Story]) -> list[Story]:
    """Keep what is worth telling where one post can answer: what stands out as far as the best, or nothing.

    What says or denies outright what was asked is always worth it. Where little was found, so that nothing
    can stand out, what holds no number is no answer to "how many".
    """
    if findings.is_graded:
        told = [story for story in stories if _is_on_topic(question, story.head, story.num_voices)]
        kept = [_on_topic(question, story) for story in told]
        return kept or [msgspec.structs.replace(story, details=()) for story in stories[:1]]
    claim = Claim(question) if question.intent == "check" else None
    outright = [story for story in stories if claim and claim.stance(story.head) != "near"]
    if findings.certainty == "unknown" and claim:
        return outright or [story for story in stories if story.head.relevance >= _NEARS]
    if findings.certainty == "unknown":
        kind = Kind(question)
        may = [story for story in stories if kind.may_be_in(story.head.quote)]
        holding = [_leaning(kind, story) for story in may if kind.holds(story.head.quote)]
        return holding or [_leaning(kind, story) for story in may[:1]] if kind.is_exact else may
    is_best_lost = bool(stories) and stories[0].head.voice.score < _LEADS
    if findings.certainty == "hardly" or is_best_lost or outright:
        return outright
    if findings.certainty == "perhaps":
        return [msgspec.structs.replace(_lean(question, claim, story), details=()) for story in stories[:1]]
    return [_lean(question, claim, story) for story in stories if story is stories[0] or _stands(story.head)]


def _leaning(kind: Kind, story: Story) -> Story:
    details = tuple(item for item in story.details if kind.holds(item.quote))
    return msgspec.structs.replace(story, details=details)


def _on_topic(question: Question, story: Story) -> Story:
    details = tuple(item for item in story.details if _is_on_topic(question, item))
    return msgspec.structs.replace(story, details=details)


def _is_on_topic(question: Question, item: Evidence, num_voices: int = 1) -> bool:
    """Tell whether a statement is about the topic at such odds: that several make it speaks for it.

    More so where it names all of the topic: of those, seven of ten are, however low the search puts them.
    """
    chance = min(max(item.voice.score, 0.01), 0.99)
    odds = math.log(chance / (1.0 - chance)) + 0.45 * math.log(max(num_voices, 1))
    is_whole = num_voices > 1 and Topic(question).share(stems(item.post, question.lang)) >= _WHOLE
    return odds + is_whole >= _ON_TOPIC


def _lean(question: Question, claim: Claim | None, story: Story) -> Story:
    """Leave out what was far less fitting than the best, and contradictions of what was not asked for."""
    details = tuple(item for item in story.details if _stands(item))
    return msgspec.structs.replace(
        story, details=details, conflict=_on_the_matter(question, claim, story.conflict)
    )


def _stands(item: Evidence) -> bool:
    return item.voice.score >= _STANDS


def _on_the_matter(question: Question, claim: Claim | None, conflict: Conflict | None) -> Conflict | None:
    """Keep a contradiction of what was asked: of as much of the topic; figures where one may be asked for."""
    if conflict is None:
        return None
    both = (conflict.against, conflict.claim)
    if claim:
        return conflict if any(claim.stance(item) != "near" for item in both) else None
    if conflict.reason == "figure" and question.intent in _UNCOUNTED:
        return None
    topic = Topic(question)
    shares = [topic.share(stems(item.post, question.lang)) for item in both]
    if conflict.reason == "figure" and question.intent == "number":
        return conflict if min(shares) > _COUNTS else None
    return conflict if min(shares) >= max(shares) else None


def write_quotes(question: Question, findings: Findings, stories: Sequence[Story]) -> Iterator[Draft]:
    """Write the lead, then the storylines in order of weight, each with its details and contradictions.

    An answer hedges once: in the lead, or in a note, where it needs to.
    """
    claim = Claim(question) if question.intent == "check" else None
    stories = _with_witnesses(claim, stories) if claim else stories
    if findings.is_outside:
        yield note(question, findings, "elsewhen")
    is_doubtful = bool(stories) and _is_doubtful(question, findings, claim, stories[0])
    for draft in _told_of(question, findings, claim, stories, is_doubtful):
        yield msgspec.structs.replace(draft, is_doubtful=is_doubtful)
    stances = {claim.stance(story.head) for story in stories} if claim else set()
    if stances <= {"says", "near"} and "says" in stances and count_voices(findings.voices) > 1:
        if not any(story.conflict for story in stories):
            yield note(question, findings, "uncontradicted")


def unheard(question: Question, stories: Sequence[Story], cited: Collection[PostId]) -> Iterator[Draft]:
    """Write the contradictions of which a model told one side: it may choose, but not whom to silence."""
    for number, story in enumerate(stories):
        conflict = story.conflict
        if conflict is None:
            continue
        told = any(item.post.id in cited for item in (story.head, *story.wordings))
        is_against_told = conflict.against.post.id in cited
        if told and not is_against_told:
            yield _contradiction(question, conflict, number)
        elif is_against_told and not told:
            turned = Conflict(
                claim=conflict.against, against=conflict.claim, reason=conflict.reason, voices=story.voices
            )
            yield _contradiction(question, turned, number)


def _told_of(
    question: Question, findings: Findings, claim: Claim | None, stories: Sequence[Story], is_doubtful: bool
) -> Iterator[Draft]:
    for number, story in enumerate(stories):
        if number == 0:
            yield _lead(question, findings, claim, story, is_doubtful)
        else:
            yield _statement(question, story, number)
        if story.conflict:
            yield _contradiction(question, story.conflict, number)
        for detail in story.details:
            yield _detail(question, detail, number)


def _with_witnesses(claim: Claim, stories: Sequence[Story]) -> Sequence[Story]:
    """Tell first who says so or denies it, and count with them all who stand on that side in other words."""
    ranked = sorted(stories, key=lambda story: claim.stance(story.head) == "near")
    if not ranked:
        return stories
    stance = claim.stance(ranked[0].head)
    voices = {
        id(voice): voice for voice in ranked[0].voices if stance == "near" or _agrees(claim, voice, ranked[0])
    }
    for story in ranked:
        if claim.stance(story.head) == stance != "near":
            voices |= {id(voice): voice for voice in story.voices if _agrees(claim, voice, story)}
            agreeing = [detail.voice for detail in story.details if claim.stance(detail) == stance]
            voices |= {id(voice): voice for voice in agreeing}
    return [msgspec.structs.replace(ranked[0], voices=tuple(voices.values())), *ranked[1:]]


def _agrees(claim: Claim, voice: Voice, story: Story) -> bool:
    """Tell whether a voice of a story may be counted with its head: likeness alone is no agreement."""
    said = [item for item in story.wordings if item.voice is voice]
    return voice is story.head.voice or any(claim.stance(item) == claim.stance(story.head) for item in said)


def _is_doubtful(question: Question, findings: Findings, claim: Claim | None, story: Story) -> bool:
    """Tell whether even the best statement need not be to the point.

    It does not stand out of what the search found, unless several agree; or it misses a word of the question,
    or the kind of thing asked.
    """
    evidence = story.head
    if claim:
        return claim.stance(evidence) == "near" and findings.certainty != "sure"
    kind = Kind(question)
    if not kind.may_be_in(evidence.quote) or (question.intent == "why" and not kind.holds(evidence.quote)):
        return True
    if question.intent not in FOR_ONE or findings.certainty == "sure":
        return False
    is_in_kind = kind.fits(evidence.quote) > 1.0 and question.intent != "number"
    is_missing = evidence.relevance < (_ANSWERS_IN_KIND if is_in_kind else _ANSWERS)
    return is_missing or (findings.certainty == "perhaps" and story.num_voices < 2)


def _lead(
    question: Question, findings: Findings, claim: Claim | None, story: Story, is_doubtful: bool
) -> Draft:
    words = wording(question.lang)
    drafts = []
    for evidence in (story.head, *story.alternates):
        stance = claim.stance(evidence) if claim else "near"
        here = scene(question, findings, is_doubtful=is_doubtful)
        drafts.append(_told(question, story, evidence, partial(words.lead, here, stance=stance)))
    return msgspec.structs.replace(drafts[0], fallbacks=tuple(drafts[1:]), kind="lead")


def _statement(question: Question, story: Story, number: int) -> Draft:
    """Word a story with its head, or where that has died, with another voice's wording of it."""
    words = wording(question.lang)
    drafts = [
        _told(question, story, evidence, words.story, number) for evidence in (story.head, *story.alternates)
    ]
    return msgspec.structs.replace(drafts[0], fallbacks=tuple(drafts[1:]))


def _told(
    question: Question, story: Story, evidence: Evidence, word: Callable[[Said], str], number: int = 0
) -> Draft:
    num_voices, first_us, last_us = story.num_voices, story.first_us, story.last_us
    if evidence.voice.is_automatic:  # it speaks for itself, not for those who agree
        num_voices, first_us, last_us = 0, evidence.post.received_us, evidence.post.received_us
    said = say(question, evidence, num_voices, first_us, last_us)
    return Draft(
        text=word(said),
        kind="story",
        evidence=(evidence,),
        story=number,
        num_voices=num_voices,
        first_us=first_us,
        last_us=last_us,
        is_conflicting=story.conflict is not None,
    )


def _detail(question: Question, evidence: Evidence, number: int) -> Draft:
    first_us, last_us = evidence.voice.posts[0].received_us, evidence.voice.posts[-1].received_us
    said = say(question, evidence, count_voices([evidence.voice]), first_us, last_us)
    return Draft(
        text=wording(question.lang).detail(said),
        kind="detail",
        evidence=(evidence,),
        story=number,
        num_voices=said.num_voices,
        first_us=first_us,
        last_us=last_us,
    )


def _contradiction(question: Question, conflict: Conflict, number: int) -> Draft:
    times = [post.received_us for voice in conflict.voices for post in voice.posts]
    said = say(question, conflict.against, count_voices(conflict.voices), min(times), max(times))
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


def say(question: Question, evidence: Evidence, num_voices: int, first_us: int, last_us: int) -> Said:
    """Sum up a quote and who says it, for the wordings."""
    return Said(
        quote=isolated(evidence.quote),
        num_voices=num_voices,
        handle=safe_handle(evidence.post.handle),
        first_age_us=max(question.clock_us - first_us, 0),
        last_age_us=max(question.clock_us - last_us, 0),
    )
