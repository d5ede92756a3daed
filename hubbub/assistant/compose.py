"""Lets a chat model choose evidence and phrase sentences; drafts until `verify` has passed them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from hubbub.assistant.display import inert
from hubbub.assistant.draft import Draft
from hubbub.assistant.evidence import Evidence
from hubbub.assistant.model import ChatModel
from hubbub.assistant.prompt import MAX_RECORDS, messages, schema
from hubbub.assistant.question import Question
from hubbub.assistant.storylines import Story
from hubbub.assistant.voices import Voice, count_voices
from hubbub.assistant.wordforms import fold
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
    pieces = model.stream(messages(question, given, max_sentences, tone), schema(len(given), max_sentences))
    told: set[str] = set()
    for number, found in enumerate(sentences(pieces)):
        if number >= max_sentences:
            return
        draft = _draft(found, given, is_first=number == 0)
        if draft is None:
            dropped["malformed"] += 1
        elif fold(draft.text) in told:
            dropped["repeated"] += 1
        else:
            told.add(fold(draft.text))
            yield draft


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


def _draft(found: object, given: Sequence[Record], *, is_first: bool) -> Draft | None:
    try:
        choice = msgspec.convert(found, Choice)
    except msgspec.ValidationError:
        return None
    numbers = list(dict.fromkeys(choice.evidence))
    text = " ".join(inert(choice.text).split())
    if (
        not text
        or len(text) > _MAX_TEXT
        or not numbers
        or not all(1 <= number <= len(given) for number in numbers)
    ):
        return None
    chosen = [given[number - 1] for number in numbers]
    voices = list({id(voice): voice for _, group, _ in chosen for voice in group}.values())
    times = [post.received_us for voice in voices for post in voice.posts]
    return Draft(
        text=text,
        kind="lead" if is_first else "story",
        evidence=tuple(evidence for evidence, _, _ in chosen),
        claim=text,
        num_voices=count_voices(voices),
        first_us=min(times),
        last_us=max(times),
        is_conflicting=len({evidence.is_negative for evidence, _, _ in chosen}) > 1,
        is_overtaken=all(is_denied for _, _, is_denied in chosen),
    )
