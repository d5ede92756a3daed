"""`ask` and `explain_post`: sentences that were checked when they were handed over for good."""

from __future__ import annotations

import re

from hubbub.errors import InvalidInput
from hubbub.server.answering import Answering
from hubbub.server.desk import Desk
from hubbub.server.explain import Cards
from hubbub.server.mcp.finding import check_text, find_named
from hubbub.server.mcp.shapes import Answered, AskArguments, Explained, PostArguments
from hubbub.server.mcp.views import show_post, show_sentence
from hubbub.server.scope import Scope
from hubbub.units import US_PER_DAY, format_time, parse_time_us
from hubbub.web.wire import Refusal

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
    answer = await answering.whole()
    has_claim = any(sentence.kind != "note" for sentence in answer.sentences)
    return Answered(
        outcome="nothing_found" if answer.outcome in _CLAIMS and not has_claim else answer.outcome,
        lang=answer.lang,
        asked=format_time(answer.asked_us),
        sentences=[show_sentence(sentence) for sentence in answer.sentences],
        house_rules=answering.rules.version if answering.rules else None,
    )


async def explain_post(cards: Cards, desk: Desk, given: PostArguments) -> Explained:
    """Give the context card of a post, as every other caller gets it.

    Raises:
        Refusal: the post may not be shown to a model, or too many answers are being written.
    """
    post = await find_named(desk, given.url_or_id, "url_or_id")
    card = await cards.get(Answering.whole, desk, post, for_prompt=True)
    assert card is not None  # `whole` does not give up
    return Explained(
        post=show_post(card.post),
        text=card.text,
        sentences=[show_sentence(sentence) for sentence in card.sentences],
    )


def _time_us(text: str, num_days: int) -> int | None:
    """Read a time; of a date the end of a range is the end of its day."""
    try:
        time_us = parse_time_us(text) if text else None
    except InvalidInput as error:
        raise Refusal(400, str(error), code="invalid_time") from None
    is_date = _DATE.fullmatch(text.strip()) is not None
    return time_us + num_days * US_PER_DAY if time_us is not None and is_date else time_us
