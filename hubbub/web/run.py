"""Runs an application on a port with uvicorn and stops it cleanly; it prints nothing.

The application's `state.streams` are its open streams, which end when it is stopped.
"""

from __future__ import annotations

import gc
import ipaddress
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import uvicorn
from starlette.applications import Starlette

from hubbub.errors import HubbubError, InUse, InvalidInput

_LOOK_S = 0.2
GRACE_S = 3
"""A request that is still being answered when the server is stopped gets so long."""

KEEP_ALIVE_S = 15
"""Longer than the 5 s that clients keep a silent connection, so that none writes into one that closes."""

MAX_LINE_BYTES = 1_048_576
"""An address line up to here is read, so that a question that is far too long gets a proper answer."""


class Server:
    """One application on one port; `run` blocks until `stop` is called from elsewhere or a signal comes."""

    def __init__(
        self,
        app: Starlette,
        host: str = "127.0.0.1",
        port: int = 8888,
        *,
        on_ready: Callable[[str], None] | None = None,
        is_public: bool = False,
    ) -> None:
        """Bind the port; port 0 takes a free one. `on_ready` gets the URL once requests are answered.

        Raises:
            InvalidInput: the host is not this machine's own and `is_public` is not set.
            InUse: the port is taken.
        """
        check_host(host, is_public=is_public)
        self._socket = _bind(host, port)
        name = f"[{host}]" if ":" in host else host
        self.url = f"http://{name}:{self._socket.getsockname()[1]}"
        self._server = _Uvicorn(app, self.url, on_ready)

    def run(self) -> None:
        """Serve until stopped; a signal that stopped it is raised again once everything is closed.

        Raises:
            HubbubError: `on_ready` raised it.
        """
        with self._socket:
            self._server.run(sockets=[self._socket])
        if self._server.failure:
            raise self._server.failure

    def close(self) -> None:
        """Give the port back without having run."""
        self._socket.close()

    def stop(self) -> None:
        """End every open stream and leave `run`; callable from any thread."""
        self._server.should_exit = True


def serve(
    app: Starlette,
    host: str = "127.0.0.1",
    port: int = 8888,
    on_ready: Callable[[str], None] | None = None,
    *,
    is_public: bool = False,
    is_over: Callable[[], bool] = lambda: False,
) -> None:
    """Serve in this thread until interrupted, or until `is_over`.

    Raises:
        InvalidInput: the host is not local and `is_public` is not set.
        InUse: the port is taken.
    """

    def settle(url: str) -> None:
        # What is there from the start stays: to look through all of it again stalls everybody for .1 s.
        gc.collect()
        gc.freeze()
        if on_ready:
            on_ready(url)

    server = Server(app, host, port, on_ready=settle, is_public=is_public)
    has_ended = Event()

    def watch() -> None:
        while not has_ended.wait(_LOOK_S):
            if is_over():
                server.stop()

    watcher = Thread(target=watch, name="watch")
    watcher.start()
    try:
        server.run()
    finally:
        has_ended.set()
        watcher.join()


def check_host(host: str, *, is_public: bool) -> None:
    """Make sure that nobody lets the network in by accident.

    Raises:
        InvalidInput: the host is not this machine's own and `is_public` is not set.
    """
    if not is_public and not _is_local(host):
        raise InvalidInput(
            f"host {host!r} would let others on the network read this house; "
            "use 127.0.0.1, or say --public if they are meant to"
        )


@contextmanager
def serve_in_thread(app: Starlette, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve beside the block, which gets the URL; stopped and joined when the block ends."""
    is_ready = Event()
    server = Server(app, host, port, on_ready=lambda _: is_ready.set())
    thread = Thread(target=server.run, name="http")
    thread.start()
    try:
        while not is_ready.wait(0.1) and thread.is_alive():
            pass
        yield server.url
    finally:
        server.stop()
        thread.join()


class _Uvicorn(uvicorn.Server):
    def __init__(self, app: Starlette, url: str, on_ready: Callable[[str], None] | None) -> None:
        self._app = app
        self._url = url
        self._on_ready = on_ready
        self.failure: HubbubError | None = None
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                http="h11",
                ws="none",
                lifespan="on",
                timeout_graceful_shutdown=GRACE_S,
                timeout_keep_alive=KEEP_ALIVE_S,
                h11_max_incomplete_event_size=MAX_LINE_BYTES,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._on_ready is not None and not self.should_exit:
            try:
                self._on_ready(self._url)
            except HubbubError as error:  # raised here it would tear the application down in mid-start
                self.failure, self.should_exit = error, True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.streams.close()  # else open streams would use up the whole grace
        await super().shutdown(sockets)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named TCP, or asyncio leaves connections without TCP_NODELAY, and every answer waits 40 ms for an ACK.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OverflowError:
        listener.close()
        raise InvalidInput(f"port {port} is not between 0 and 65535") from None
    except OSError as error:
        listener.close()
        raise InUse(f"cannot listen on {host}:{port} ({error.strerror}); try another --port") from None
    return listener


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
