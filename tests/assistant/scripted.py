"""A fake OpenAI-compatible endpoint on 127.0.0.1: real HTTP, a script instead of a model."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

Reply = Callable[[dict[str, object]], Response]


def sse(text: str, size: int = 7) -> Response:
    """Stream a text in pieces, as OpenAI does."""

    async def pieces() -> AsyncIterator[str]:
        for start in range(0, len(text), size):
            chunk = {"choices": [{"delta": {"content": text[start : start + size]}}]}
            yield f"data: {json.dumps(chunk)}\n\n"
        yield "data: [DONE]\n\n"

    return StreamingResponse(pieces(), media_type="text/event-stream")


def says(*sentences: tuple[list[int], str]) -> Reply:
    """Answer with these sentences, whatever is asked."""
    body = json.dumps({"sentences": [{"evidence": numbers, "text": text} for numbers, text in sentences]})
    return lambda request: sse(body)


def writes(text: str) -> Reply:
    """Answer with this text, streamed."""
    return lambda request: sse(text)


def whole(*sentences: tuple[list[int], str]) -> Reply:
    """Answer in one JSON document, as endpoints do that cannot stream."""
    body = json.dumps({"sentences": [{"evidence": numbers, "text": text} for numbers, text in sentences]})
    return lambda request: JSONResponse({"choices": [{"message": {"content": body}}]})


def fails(status: int) -> Reply:
    """Answer with an error."""
    return lambda request: PlainTextResponse("no \x1b[31mway", status)


def hangs(seconds: float) -> Reply:
    """Begin, then fall silent."""

    async def pieces() -> AsyncIterator[str]:
        yield 'data: {"choices": [{"delta": {"content": "{\\"sent"}}]}\n\n'
        await asyncio.sleep(seconds)

    return lambda request: StreamingResponse(pieces(), media_type="text/event-stream")


class Scripted:
    """The endpoint's script and what it was asked."""

    def __init__(self, url: str, reply: Reply) -> None:
        self.url = url
        self.reply = reply
        self.asked: list[dict[str, object]] = []
        self.headers: list[dict[str, str]] = []

    async def __call__(self, request: Request) -> Response:
        """Answer as the script says."""
        self.asked.append(await request.json())
        self.headers.append(dict(request.headers))
        return self.reply(self.asked[-1])


@contextmanager
def scripted_endpoint(reply: Reply) -> Iterator[Scripted]:
    """Serve the script on a free port of 127.0.0.1."""
    listener = socket.create_server(("127.0.0.1", 0))
    scripted = Scripted(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", reply)

    async def chat(request: Request) -> Response:
        return await scripted(request)

    app = Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])])
    config = uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield scripted
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
