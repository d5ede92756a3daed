"""`POST /v1/responses`, whole and streamed; of a thread only questions are kept, never an answer."""

from __future__ import annotations

import time
import uuid
from collections import OrderedDict
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hubbub.assistant.answer import Answer, Found, Retraction, Sentence, Shown
from hubbub.assistant.question import understand
from hubbub.server.answering import Answering
from hubbub.server.caller import caller
from hubbub.server.desk import desk_of
from hubbub.server.openai.models import MODEL
from hubbub.server.openai.prose import Piece, Prose
from hubbub.server.openai.reading import Message, Wanted, read_body, read_question, read_scope, user_texts
from hubbub.server.openai.whole import set_prose, write_whole
from hubbub.server.usage import count_tokens
from hubbub.web.streams import Emit
from hubbub.web.wire import LEFT, Refusal, encode_event, json_response

MAX_THREADS = 10_000
"""Responses that can be followed up; the oldest is forgotten first, and all with the process."""
_MAX_ASKED = 16
_SOURCES = "web_search_call.action.sources"


class Threads:
    """What was asked up to each response."""

    def __init__(self) -> None:
        self._asked: OrderedDict[tuple[str, str], list[str]] = OrderedDict()

    def keep(self, tenant: str, response: str, asked: list[str]) -> None:
        """Remember the questions that led to a response."""
        self._asked[tenant, response] = asked[-_MAX_ASKED:]
        while len(self._asked) > MAX_THREADS:
            self._asked.popitem(last=False)

    def find(self, tenant: str, response: str) -> list[str]:
        """Return them; another tenant's responses are as unknown as those that never were.

        Raises:
            Refusal: there is no such response, or no longer.
        """
        if (tenant, response) not in self._asked:
            raise Refusal(
                400,
                f"previous response {response[:100]!r} is not known here (any more); "
                "send the whole thread as input",
                code="previous_response_not_found",
                param="previous_response_id",
            )
        return self._asked[tenant, response]


class _Wanted(Wanted):
    input: str | list[Message] = ""
    previous_response_id: str | None = None
    include: list[str] | None = None
    metadata: dict[str, str] | None = None
    instructions: str | None = None


async def respond(request: Request) -> Response:
    """Answer an input, in the light of the response that it follows."""
    desk = desk_of(request)
    desk.check_working()
    wanted = await read_body(request, _Wanted)
    threads: Threads = request.app.state.threads
    tenant = caller().tenant
    asked = threads.find(tenant, wanted.previous_response_id) if wanted.previous_response_id else []
    said = [wanted.input] if isinstance(wanted.input, str) else user_texts(wanted.input)
    if not said or not said[-1].strip():
        asked = []  # an old question is not asked again because nothing new was
    asked = [*asked, *said]
    question = read_question(asked, desk.limits.max_question_chars, "input")
    num_tokens = sum(map(count_tokens, said))
    answering = Answering(desk, question, scope=read_scope(request, wanted), num_tokens_in=num_tokens)
    form = _Form(wanted, question, answering)
    threads.keep(tenant, form.id, asked)
    if wanted.stream:
        return answering.stream(lambda emit: _Stream(emit, form).run(answering))
    answer = await write_whole(request, answering)
    return json_response(form.whole(answer)) if answer else Response(status_code=LEFT)


class _Form:
    """What all events of one response share."""

    def __init__(self, wanted: _Wanted, question: str, answering: Answering) -> None:
        self.question = question
        self.lang = understand(question, 0).lang
        self.id, self.message_id, self.search_id = (
            f"{kind}_{uuid.uuid4().hex}" for kind in ("resp", "msg", "ws")
        )
        self._wanted = wanted
        self._answering = answering
        self._created_at = int(time.time())

    def whole(self, answer: Answer) -> dict[str, object]:
        prose = set_prose(answer.lang, answer.sentences)
        return self.fill("completed", [self.search(_sources(answer.sentences)), self.message(prose)], prose)

    def fill(
        self, status: str, output: list[dict[str, object]], prose: Prose | None = None
    ) -> dict[str, object]:
        return {
            "id": self.id,
            "object": "response",
            "created_at": self._created_at,
            "status": status,
            "model": MODEL,
            "output": output,
            "parallel_tool_calls": False,
            "tool_choice": "auto",
            "tools": [],
            "error": None,
            "incomplete_details": None,
            "instructions": self._wanted.instructions,
            "metadata": self._wanted.metadata or {},
            "previous_response_id": self._wanted.previous_response_id,
            "usage": self._usage() if prose else None,
            "house_rules": self._answering.rules.version if self._answering.rules else None,
        }

    def search(self, sources: list[str], status: str = "completed") -> dict[str, object]:
        action: dict[str, object] = {"type": "search", "query": self.question, "queries": [self.question]}
        if _SOURCES in (self._wanted.include or ()):
            action["sources"] = [{"type": "url", "url": url} for url in sources]
        return {"id": self.search_id, "type": "web_search_call", "status": status, "action": action}

    def message(self, prose: Prose | None, status: str = "completed") -> dict[str, object]:
        return {
            "id": self.message_id,
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": [part(prose)] if prose else [],
        }

    def _usage(self) -> dict[str, object]:
        num_in, num_out = self._answering.num_tokens_in, self._answering.num_tokens_out
        return {
            "input_tokens": num_in,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": num_out,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": num_in + num_out,
        }


def part(prose: Prose) -> dict[str, object]:
    """Write the text as one part of a message."""
    return {
        "type": "output_text",
        "text": prose.text,
        "annotations": msgspec.to_builtins(prose.marks),
        "logprobs": [],
    }


class _Stream:
    """One response on its way: the search, then the message, then the whole."""

    def __init__(self, emit: Emit, form: _Form) -> None:
        self._emit, self._form = emit, form
        self._prose = Prose(form.lang)
        self._number = 0
        self._sources: list[str] = []
        self._is_searching = True
        self._has_failed = False

    async def run(self, answering: Answering) -> None:
        form = self._form
        await self._send("response.created", response=form.fill("in_progress", []))
        await self._send("response.in_progress", response=form.fill("in_progress", []))
        await self._send("response.output_item.added", output_index=0, item=form.search([], "in_progress"))
        for state in ("in_progress", "searching"):
            await self._send(f"response.web_search_call.{state}", output_index=0, item_id=form.search_id)
        await answering.run(self._tell)
        if not self._has_failed:  # only now nothing can: a stop may come while the last event is told
            await self._end()

    async def _tell(self, name: str, event: object) -> None:
        if isinstance(event, Found):
            self._sources = list(dict.fromkeys([*self._sources, *(c.url or c.post for c in event.posts)]))
        elif isinstance(event, Shown):
            await self._add(self._prose.add(event.sentence))
        elif isinstance(event, Retraction):
            await self._add(self._prose.withdraw(event.sentence))
        elif name == "error":
            self._has_failed = True
            await self._fail(event)

    async def _begin(self) -> None:
        """End the search and open the message, once."""
        if not self._is_searching:
            return
        self._is_searching = False
        form = self._form
        await self._send("response.web_search_call.completed", output_index=0, item_id=form.search_id)
        await self._send("response.output_item.done", output_index=0, item=form.search(self._sources))
        await self._send("response.output_item.added", output_index=1, item=form.message(None, "in_progress"))
        await self._send("response.content_part.added", **self._place(), part=part(Prose(form.lang)))

    async def _add(self, piece: Piece) -> None:
        await self._begin()
        await self._send("response.output_text.delta", **self._place(), delta=piece.text, logprobs=[])
        for number, mark in enumerate(piece.marks, len(self._prose.marks) - len(piece.marks)):
            await self._send(
                "response.output_text.annotation.added",
                **self._place(),
                annotation_index=number,
                annotation=msgspec.to_builtins(mark),
            )

    async def _end(self) -> None:
        await self._begin()
        form, prose = self._form, self._prose
        message = form.message(prose)
        await self._send("response.output_text.done", **self._place(), text=prose.text, logprobs=[])
        await self._send("response.content_part.done", **self._place(), part=part(prose))
        await self._send("response.output_item.done", output_index=1, item=message)
        whole = form.fill("completed", [form.search(self._sources), message], prose)
        await self._send("response.completed", response=whole)

    async def _fail(self, event: object) -> None:
        assert isinstance(event, dict)
        error = event["error"]
        whole = self._form.fill("failed", []) | {
            "error": {"code": "server_error", "message": error["message"]}
        }
        await self._send("response.failed", response=whole)

    def _place(self) -> dict[str, Any]:
        return {"item_id": self._form.message_id, "output_index": 1, "content_index": 0}

    async def _send(self, kind: str, **fields: object) -> None:
        await self._emit(encode_event(kind, {"type": kind, "sequence_number": self._number, **fields}))
        self._number += 1


def _sources(sentences: tuple[Sentence, ...]) -> list[str]:
    return list(dict.fromkeys(c.url or c.post for sentence in sentences for c in sentence.citations))
