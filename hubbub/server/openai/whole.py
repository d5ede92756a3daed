"""Waits for a whole answer, for callers who do not stream; a caller who leaves ends its writing."""

from __future__ import annotations

from collections.abc import Iterable

import anyio
from starlette.requests import Request

from hubbub.assistant.answer import Answer, Done, Sentence
from hubbub.server.answering import Answering
from hubbub.server.openai.prose import Prose
from hubbub.server.wire import Refusal


async def write_whole(request: Request, answering: Answering) -> Answer | None:
    """Return the finished answer; None if the caller has left.

    Raises:
        Refusal: it could not be written.
    """
    answers: list[Answer] = []

    async def tell(name: str, event: object) -> None:
        if isinstance(event, Done):
            answers.append(event.answer)

    async def leave(group: anyio.abc.TaskGroup) -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        group.cancel_scope.cancel()

    refusal: Refusal | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(leave, group)
        try:
            async with answering.admitted():
                await answering.run(tell)
        except Refusal as error:  # which a task group would wrap
            refusal = error
        group.cancel_scope.cancel()
    if refusal or answering.failure:
        raise refusal or answering.failure  # type: ignore[misc]
    return answers[0] if answers else None


def set_prose(lang: str, sentences: Iterable[Sentence]) -> Prose:
    """Set whole sentences."""
    prose = Prose(lang)
    for sentence in sentences:
        prose.add(sentence)
    return prose
