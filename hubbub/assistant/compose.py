"""Lets a chat model choose evidence and phrase sentences; drafts until `verify` has passed them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

import msgspec

from hubbub.assistant.display import inert
from hubbub.assistant.draft import Draft
from hubbub.assistant.evidence import Evidence
from hubbub.assistant.model import ChatModel
from hubbub.assistant.prompt import (
    MAX_RECORDS,
    MAX_RECORDS_BRIEF,
    MAX_SENTENCES_BRIEF,
    messages,
    quoting_schema,
    schema,
)
from hubbub.assistant.question import Question
from hubbub.assistant.storylines import Story
from hubbub.assistant.verify import SAYS_IT, support
from hubbub.assistant.voices import Voice, count_voices
from hubbub.assistant.wordforms import fold
from hubbub.assistant.write import say, wording
from hubbub.errors import PromptTooLong
from hubbub.posts import Post, PostId

Record = tuple[Evidence, tuple[Voice, ...], bool]
"""A span, who says it, and whether it was denied later."""

_MAX_TEXT = 400


class Choice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One sentence as a model gives it: numbers of records, then the text."""

    evidence: list[int]
    text: str


def records(stories: Sequence[Story], living: Mapping[PostId, Post]) -> list[Record]:
    """List the evidence of the stories that may stand in a prompt and still reads so, each span once."""
    found: dict[tuple[PostId, int], Record] = {}
    for story in stories:
        items: list[Record] = [(story.head, story.voices, False)]
        if story.conflict:
            items.append((story.conflict.against, story.conflict.voices, story.conflict.is_overtaken))
        items += [(detail, (detail.voice,), False) for detail in (*story.details, *story.alternates)]
        for item in items:
            post = living.get(item[0].post.id)
            if post and post.text[item[0].start : item[0].end] == item[0].quote:
                found.setdefault((item[0].post.id, item[0].start), item)
    return list(found.values())[:MAX_RECORDS]


def compose(
    model: ChatModel,
    question: Question,
    given: Sequence[Record],
    max_sentences: int,
    dropped: Counter[str],
    tone: str = "",
) -> Iterator[Draft]:
    """Yield the model's sentences as drafts while it writes; malformed ones are counted in `dropped`.

    Raises:
        ModelError: the model failed, or wrote nothing that follows the schema.
    """
    if model.is_small:
        given, max_sentences = given[:MAX_RECORDS_BRIEF], min(max_sentences, MAX_SENTENCES_BRIEF)
    given, pieces = _asked(model, question, given, max_sentences, tone)
    told: set[str] = set()
    for number, found in enumerate(sentences(pieces)):
        if number >= max_sentences:
            return
        draft = _draft(question, found, given, is_first=number == 0, is_quoting=model.is_small)
        if draft is None:
            dropped["malformed"] += 1
        elif told & {fold(draft.text), fold(draft.claim)}:
            dropped["repeated"] += 1
        else:
            told |= {fold(draft.text), fold(draft.claim)}
            yield draft


def _asked(
    model: ChatModel, question: Question, given: Sequence[Record], max_sentences: int, tone: str
) -> tuple[Sequence[Record], Iterator[str]]:
    """Ask with as many of the first records as the model's context holds, and return those and the reply."""
    while True:
        asked = messages(question, given, max_sentences, tone, is_brief=model.is_small)
        form = schema(len(given), max_sentences)
        if model.is_small:
            form = quoting_schema([item.quote for item, _, _ in given], max_sentences)
        pieces = model.stream(asked, form)
        try:
            first = next(pieces, "")
        except PromptTooLong:
            if len(given) == 1:
                raise
            given = given[: len(given) * 3 // 4]
        else:
            return given, chain([first], pieces)


def sentences(pieces: Iterable[str]) -> Iterator[object]:
    """Yield each element of the reply's list as soon as it is complete; what stands around it is skipped."""
    decoder = json.JSONDecoder()
    text, place = "", -1
    for piece in pieces:
        text += piece
        if place < 0:
            begin = text.find("[", max(text.find('"sentences"'), 0)) if '"sentences"' in text else -1
            place = begin + 1 if begin >= 0 else -1
        while 0 < place < len(text):
            place += len(text[place:]) - len(text[place:].lstrip(" \t\r\n,"))
            if text[place : place + 1] != "{":
                if text[place : place + 1] == "]":
                    return
                break
            try:
                found, place = decoder.raw_decode(text, place)
            except ValueError:
                break  # not complete yet
            yield found


def _says_too(question: Question, record: Record, chosen: Evidence, claim: str) -> bool:
    item, _, is_denied = record
    is_other = item is not chosen and not is_denied and item.is_negative == chosen.is_negative
    return is_other and support(claim, [item.quote], question.lang) >= SAYS_IT


def _draft(
    question: Question, found: object, given: Sequence[Record], *, is_first: bool, is_quoting: bool
) -> Draft | None:
    """Frame a model's sentence: with how many say it, or, where only one does, as that one's own words.

    Who wants a false thing told in our voice needs several who say it, and then it is said that they do. A
    model that quotes chooses one record; the others that say as much are added to it here.
    """
    try:
        choice = msgspec.convert(found, Choice)
    except msgspec.ValidationError:
        return None
    numbers = list(dict.fromkeys(choice.evidence))
    claim = " ".join(inert(choice.text).split())
    if (
        not claim
        or len(claim) > _MAX_TEXT
        or not numbers
        or not all(1 <= number <= len(given) for number in numbers)
    ):
        return None
    chosen = [given[number - 1] for number in numbers]
    if is_quoting:
        chosen += [each for each in given if _says_too(question, each, chosen[0][0], claim)]
    evidence = tuple(item for item, _, _ in chosen)
    shares = [support(claim, [item.quote], question.lang) for item in evidence]
    saying = [record for record, share in zip(chosen, shares, strict=True) if share >= SAYS_IT]
    voices = list({id(voice): voice for _, group, _ in saying for voice in group}.values())
    if count_voices(voices) <= 1:
        voices = [evidence[shares.index(max(shares))].voice]
    times = [post.received_us for voice in voices for post in voice.posts]
    num_voices, first_us, last_us = count_voices(voices), min(times), max(times)
    best = evidence[shares.index(max(shares))]
    said = say(question, best, num_voices, first_us, last_us)
    words = wording(question.lang)
    return Draft(
        text=words.several(said, claim) if num_voices > 1 else words.story(said),
        kind="lead" if is_first else "story",
        evidence=evidence,
        claim=claim,
        num_voices=num_voices,
        first_us=first_us,
        last_us=last_us,
        is_conflicting=len({item.is_negative for item in evidence}) > 1,
        is_overtaken=all(is_denied for _, _, is_denied in chosen),
    )
