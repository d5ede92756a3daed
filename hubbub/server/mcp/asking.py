"""`ask` and `explain_post`: checked sentences, looked at once more before they are handed over for good."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hubbub.assistant.answer import Answer, Done, Sentence, Shown
from hubbub.assistant.explain import say
from hubbub.errors import InvalidInput
from hubbub.server.answering import Answering
from hubbub.server.desk import Desk
from hubbub.server.explain import Cards
from hubbub.server.mcp.finding import check_text, find_named
from hubbub.server.mcp.shapes import Answered, AskArguments, Explained, PostArguments
from hubbub.server.mcp.views import show_post, show_sentence
from hubbub.server.scope import Scope
from hubbub.server.surface import Searchable
from hubbub.server.watch import Watch
from hubbub.server.wire import Refusal
from hubbub.units import US_PER_DAY, format_time, parse_time_us

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_CLAIMS = ("answered", "unconfirmed")


async def ask(desk: Desk, given: AskArguments) -> Answered:
    """Answer with sentences whose posts all live when they are handed over.

    Raises:
        Refusal: too many answers are being written, or the question or a date cannot be read.
    """
    question = check_text(given.question, "question", desk.limits.max_question_chars)
    from_us, to_us = _time_us(given.from_date, 0), _time_us(given.to_date, 1)
    scope = Scope(from_us=from_us, to_us=to_us, for_prompt=True)
    # Of a window in the past, today is its end.
    clock_us = scope.to_us if scope.to_us and scope.to_us < desk.house.now_us() else None
    answering = Answering(desk, question, clock_us, scope)
    answer = await _write(answering)
    said = await desk.look_up(_standing, desk.house.index, answer.sentences)
    has_claim = any(sentence.kind != "note" for sentence in said)
    return Answered(
        outcome="nothing_found" if answer.outcome in _CLAIMS and not has_claim else answer.outcome,
        lang=answer.lang,
        asked=format_time(answer.asked_us),
        sentences=[show_sentence(sentence) for sentence in said],
        house_rules=answering.rules.version if answering.rules else None,
    )


async def explain_post(cards: Cards, desk: Desk, given: PostArguments) -> Explained:
    """Give the context card of a post, as every other caller gets it.

    Raises:
        Refusal: the post may not be shown to a model, or too many answers are being written.
    """
    post = await find_named(desk, given.url_or_id, "url_or_id")
    card = await cards.get(_write, desk, post)
    assert card is not None  # `_write` does not give up
    post = await find_named(desk, post.id, "url_or_id")  # it may have died meanwhile
    said = await desk.look_up(_standing, desk.house.index, card.sentences)
    return Explained(
        post=show_post(post), text=say(post, said), sentences=[show_sentence(sentence) for sentence in said]
    )


async def _write(answering: Answering) -> Answer:
    """Wait for a whole answer; a caller who leaves cancels this task, and with it the writing."""
    answers: list[Answer] = []

    async def tell(name: str, event: object) -> None:
        if isinstance(event, Done):
            answers.append(event.answer)

    async with answering.admitted():
        await answering.run(tell)
    if answering.failure:
        raise answering.failure
    return answers[0]


def _standing(index: Searchable, sentences: Sequence[Sentence]) -> list[Sentence]:
    """Look at every quote again: the feed may not have told of a deletion yet, and nothing can be taken back.

    The sentences go into a prompt, so their authors must allow that, whoever wrote them.
    """
    watch = Watch(index)
    return [one for one in sentences if watch.pass_sentence(Shown(sentence=one, is_composed=True))]


def _time_us(text: str, num_days: int) -> int | None:
    """Read a time; of a date the end of a range is the end of its day."""
    try:
        time_us = parse_time_us(text) if text else None
    except InvalidInput as error:
        raise Refusal(400, str(error), code="invalid_time") from None
    is_date = _DATE.fullmatch(text.strip()) is not None
    return time_us + num_days * US_PER_DAY if time_us is not None and is_date else time_us
