from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hubbub.server.streams import HouseStreams
from hubbub.web.run import serve_in_thread
from hubbub.web.streams import Emit, Streams
from hubbub.web.wire import Refusal
from tests.server.reading import open_stream


def make_app(streams: Streams, ended: list[str]) -> Starlette:
    async def pour(emit: Emit) -> None:
        while True:
            await emit(b"data: " + b"x" * 65_536 + b"\n\n")

    async def drip(emit: Emit) -> None:
        while True:
            await emit(b'event: drop\ndata: "x"\n\n')
            await anyio.sleep(0.02)

    def serve(produce):
        async def endpoint(request: Request) -> Response:
            return streams.response(produce, on_end=lambda: ended.append(request.url.path))

        return endpoint

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.streams = streams
        yield

    return Starlette(routes=[Route("/pour", serve(pour)), Route("/drip", serve(drip))], lifespan=lifespan)


def wait_until(is_true, timeout_s: float = 5.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_a_reader_that_takes_nothing_is_dropped() -> None:
    streams, ended = HouseStreams(8, send_timeout_s=0.3), []
    with serve_in_thread(make_app(streams, ended)) as url:
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as reader:
            reader.sendall(b"GET /pour HTTP/1.1\r\nHost: localhost\r\n\r\n")
            wait_until(lambda: streams.num_slow_dropped == 1)
            wait_until(lambda: ended == ["/pour"])
    assert streams.num_open == 0


def test_a_reader_who_leaves_ends_its_stream() -> None:
    streams, ended = HouseStreams(8, send_timeout_s=5), []
    with serve_in_thread(make_app(streams, ended)) as url:
        with open_stream(url, "/drip") as stream:
            stream.next("drop")
            assert streams.num_open == 1
        wait_until(lambda: ended == ["/drip"])
        assert streams.num_slow_dropped == 0


def test_one_stream_too_many_is_refused() -> None:
    streams, ended = HouseStreams(1, send_timeout_s=5), []
    with serve_in_thread(make_app(streams, ended)) as url, open_stream(url, "/drip") as stream:
        stream.next("drop")
        with pytest.raises(Refusal, match="1 streams are open") as refused:
            streams.response(None)  # type: ignore[arg-type]
    assert (refused.value.status, refused.value.retry_after_s) == (429, 5)
