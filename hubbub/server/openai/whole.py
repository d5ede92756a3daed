"""Waits for a whole answer, for callers who do not stream; a caller who leaves ends its writing."""

from __future__ import annotations

from collections.abc import Iterable

import anyio
from starlette.requests import Request

from hubbub.assistant.answer import Answer, Sentence
from hubbub.server.answering import Answering
from hubbub.server.openai.prose import Prose
from hubbub.web.wire import Refusal


async def write_whole(request: Request, answering: Answering) -> Answer | None:
    """Return the finished answer; None if the caller has left.

    Raises:
        Refusal: it could not be written.
    """
    answer: Answer | None = None
    refusal: Refusal | None = None

    async def leave(group: anyio.abc.TaskGroup) -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(leave, group)
        try:
            answer = await answering.whole()
        except Refusal as error:  # which a task group would wrap
            refusal = error
        group.cancel_scope.cancel()
    if refusal:
        raise refusal
    return answer


def set_prose(lang: str, sentences: Iterable[Sentence]) -> Prose:
    """Set whole sentences."""
    prose = Prose(lang)
    for sentence in sentences:
        prose.add(sentence)
    return prose
