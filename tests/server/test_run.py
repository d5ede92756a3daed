from __future__ import annotations

import os
import socket
import threading
import time

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from hubbub.errors import InUse, InvalidInput
from hubbub.server.app import create_app
from hubbub.web.run import Server, serve_in_thread
from tests.patience import patient
from tests.server.reading import open_stream
from tests.server.small_house import SmallHouse


def test_it_says_where_it_is_and_answers_there(house: SmallHouse) -> None:
    said: list[str] = []
    is_ready = threading.Event()
    server = Server(create_app(house), port=0, on_ready=lambda url: (said.append(url), is_ready.set()))
    thread = threading.Thread(target=server.run)
    thread.start()
    assert is_ready.wait(5)
    assert httpx2.get(said[0] + "/api/status", trust_env=False).status_code == 200
    server.stop()
    thread.join(5)
    assert not thread.is_alive()


def test_stopping_ends_open_streams_at_once(house: SmallHouse) -> None:
    server = serve_in_thread(create_app(house))
    url = server.__enter__()
    with (
        open_stream(url, "/api/live") as live,
        open_stream(url, "/api/ask", q="What about the dam?") as answer,
    ):
        live.next("status")
        answer.until("done")
        start_s = time.monotonic()
        server.__exit__(None, None, None)
        assert time.monotonic() - start_s < patient(2.0)
        with pytest.raises(EOFError):
            answer.next("never")


def test_a_taken_port_is_said_clearly(house: SmallHouse) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InUse, match=rf"127\.0\.0\.1:{port} .*--port"):
            Server(create_app(house), port=port)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "house.example"])
def test_the_network_is_not_let_in_by_accident(house: SmallHouse, host: str) -> None:
    with pytest.raises(InvalidInput, match="others on the network"):
        Server(create_app(house), host, 0)


def test_the_network_is_let_in_when_that_is_said(house: SmallHouse) -> None:
    server = Server(create_app(house, hosts=None), "0.0.0.0", 0, is_public=True)
    server.close()
    assert server.url.startswith("http://0.0.0.0:")


def test_a_port_out_of_range_is_misuse(house: SmallHouse) -> None:
    with pytest.raises(InvalidInput, match="70000"):
        Server(create_app(house), port=70_000)


def test_answers_do_not_wait_for_acknowledgements(house: SmallHouse) -> None:
    async def delays(request: Request) -> JSONResponse:
        assert request.client
        mine = [fd for fd in map(int, os.listdir("/proc/self/fd")) if _peer(fd) == request.client.port]
        with socket.socket(fileno=os.dup(mine[0])) as connection:
            return JSONResponse(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    app = create_app(house)
    app.router.routes.insert(0, Route("/delays", delays))
    with serve_in_thread(app) as url:
        assert httpx2.get(url + "/delays", trust_env=False).json() == 1


def _peer(descriptor: int) -> int | None:
    try:
        with socket.socket(fileno=os.dup(descriptor)) as found:
            return int(found.getpeername()[1])
    except (OSError, IndexError):
        return None
