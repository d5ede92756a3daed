"""`POST /v1/chat/completions`, whole and streamed, with xAI's habits (`citations`, `search_parameters`)."""

from __future__ import annotations

import time
import uuid
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hubbub.assistant.answer import Answer, Retraction, Shown
from hubbub.assistant.question import understand
from hubbub.server.answering import Answering
from hubbub.server.desk import desk_of
from hubbub.server.openai.models import MODEL
from hubbub.server.openai.prose import Mark, Piece, Prose
from hubbub.server.openai.reading import Message, Wanted, read_body, read_question, read_scope, user_texts
from hubbub.server.openai.whole import set_prose, write_whole
from hubbub.server.usage import count_tokens
from hubbub.web.streams import Emit
from hubbub.web.wire import LEFT, Refusal, encode_json, json_response


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Chat(Wanted):
    messages: list[Message] = []
    stream_options: _StreamOptions | None = None
    n: int | None = None


async def complete(request: Request) -> Response:
    """Answer the last message of a user, in the light of those before."""
    desk = desk_of(request)
    desk.check_working()
    wanted = await read_body(request, _Chat)
    if wanted.n not in (None, 1):
        raise Refusal(400, "only one answer is written; leave n out", code="invalid_request", param="n")
    asked = user_texts(wanted.messages)
    question = read_question(asked, desk.limits.max_question_chars, "messages")
    num_tokens = sum(count_tokens(message.text) for message in wanted.messages)
    answering = Answering(desk, question, scope=read_scope(request, wanted), num_tokens_in=num_tokens)
    form = _Form(answering)
    if wanted.stream:
        has_usage = bool(wanted.stream_options and wanted.stream_options.include_usage)
        return answering.stream(lambda emit: _Stream(emit, form, question, has_usage).run(answering))
    answer = await write_whole(request, answering)
    return json_response(form.whole(answer)) if answer else Response(status_code=LEFT)


class _Form:
    """What all chunks of one completion share."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._id = f"chatcmpl-{uuid.uuid4().hex}"
        self._created = int(time.time())

    def fill(self, kind: str, choices: list[dict[str, object]], **more: object) -> dict[str, object]:
        rules = self._answering.rules
        return {
            "id": self._id,
            "object": kind,
            "created": self._created,
            "model": MODEL,
            "house_rules": rules.version if rules else None,
            "choices": choices,
            **more,
        }

    def whole(self, answer: Answer) -> dict[str, object]:
        prose = set_prose(answer.lang, answer.sentences)
        message = {
            "role": "assistant",
            "content": prose.text,
            "refusal": None,
            "annotations": [_nest(mark) for mark in prose.marks],
        }
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        return self.fill("chat.completion", [choice], usage=self.usage(), citations=prose.urls)

    def usage(self) -> dict[str, int]:
        num_in, num_out = self._answering.num_tokens_in, self._answering.num_tokens_out
        return {
            "prompt_tokens": num_in,
            "completion_tokens": num_out,
            "total_tokens": num_in + num_out,
        }


class _Stream:
    """One completion on its way, chunk by chunk."""

    def __init__(self, emit: Emit, form: _Form, question: str, has_usage: bool) -> None:
        self._emit, self._form, self._has_usage = emit, form, has_usage
        self._prose = Prose(understand(question, 0).lang)
        self._has_failed = False

    async def run(self, answering: Answering) -> None:
        await self._say({"role": "assistant", "content": ""})
        await answering.run(self._tell)
        if not self._has_failed:  # only now nothing can: a stop may come while the last event is told
            await self._say({}, "stop", citations=self._prose.urls)
            if self._has_usage:
                usage = self._form.usage()
                await self._send(self._form.fill("chat.completion.chunk", [], usage=usage))
        await self._emit(b"data: [DONE]\n\n")

    async def _tell(self, name: str, event: object) -> None:
        if isinstance(event, Shown):
            await self._add(self._prose.add(event.sentence))
        elif isinstance(event, Retraction):
            await self._add(self._prose.withdraw(event.sentence))
        elif name == "error":
            self._has_failed = True
            await self._send(event)

    async def _add(self, piece: Piece) -> None:
        delta: dict[str, Any] = {"content": piece.text}
        if piece.marks:
            delta["annotations"] = [_nest(mark) for mark in piece.marks]
        await self._say(delta)

    async def _say(self, delta: dict[str, Any], reason: str | None = None, **more: object) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        await self._send(self._form.fill("chat.completion.chunk", [choice], **more))

    async def _send(self, value: object) -> None:
        await self._emit(b"data: " + encode_json(value) + b"\n\n")


def _nest(mark: Mark) -> dict[str, object]:
    fields = msgspec.to_builtins(mark)
    kind = fields.pop("type")
    return {"type": kind, kind: fields}
