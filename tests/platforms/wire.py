"""Real sockets on 127.0.0.1 for the fake platforms: accepting, HTTP requests and answers, WebSockets."""

from __future__ import annotations

import json
import select
import socket
import threading
from urllib.parse import parse_qs, urlsplit

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol


class Request:
    """The head of an HTTP request, and what came behind it."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        head, _, self.body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.method, target, _ = first.split(" ", 2)
        self.headers = {
            key.strip().lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)
        }
        parts = urlsplit(target)
        self.path = parts.path
        self.query = parse_qs(parts.query, keep_blank_values=True)

    def one(self, key: str, default: str | None = None) -> str | None:
        """Return the last value of a query parameter."""
        return self.query.get(key, [default])[-1]


class Peer:
    """One accepted connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.request = Request(b"GET / HTTP/1.1\r\n\r\n")
        self.is_open = False
        """Whether the WebSocket was accepted."""
        self.texts: list[str] = []
        """What the client said over the WebSocket."""
        self._protocol: ServerProtocol | None = None

    def read_request(self) -> bool:
        """Read the next request; False when the client has left."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.socket.recv(65536)
            if not more:
                return False
            data += more
        self.request = Request(data)
        length = int(self.request.headers.get("content-length", 0))
        while len(self.request.body) < length:
            self.request.body += self.socket.recv(65536)
        return True

    def answer(self, status: int, body: object = b"", **headers: str) -> None:
        """Send a whole answer; what is not bytes becomes JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(data)}", f"Content-Type: {kind}"]
        lines += [f"{key.replace('_', '-')}: {value}" for key, value in headers.items()]
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + data)

    def begin_lines(self, content_type: str) -> None:
        """Open an endless, chunked answer."""
        self.socket.sendall(
            f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )

    def send_chunk(self, data: bytes) -> None:
        """Send a part of the endless answer."""
        self.socket.sendall(b"%x\r\n%s\r\n" % (len(data), data))

    def upgrade(self, subprotocol: str | None = None) -> None:
        """Accept the request as a WebSocket."""
        self._protocol = ServerProtocol(
            extensions=[ServerPerMessageDeflateFactory()],
            subprotocols=[subprotocol] if subprotocol else None,
            max_size=10_000_000,
        )
        self._protocol.receive_data(self.request.raw)
        (request,) = self._protocol.events_received()
        self._protocol.send_response(self._protocol.accept(request))
        self._flush()
        self.is_open = True

    @property
    def is_deflated(self) -> bool:
        """Whether the client has asked for the common compression."""
        return bool(self._protocol and self._protocol.extensions)

    def deflate(self, data: bytes) -> bytes:
        """Frame a message as a server does, compressed."""
        self._protocol.send_text(data)
        return b"".join(self._protocol.data_to_send())

    def listen(self, timeout_s: float = 0.0) -> bool:
        """Read what the client says, answering its pings; False when it has left."""
        assert self._protocol is not None
        if select.select([self.socket], [], [], timeout_s)[0]:
            data = self.socket.recv(65536)
            if not data:
                return False
            self._protocol.receive_data(data)
            for frame in self._protocol.events_received():
                if isinstance(frame, Frame) and frame.opcode is Opcode.TEXT:
                    self.texts.append(bytes(frame.data).decode())
            self._flush()
        return self._protocol.state is State.OPEN

    def _flush(self) -> None:
        self.socket.sendall(b"".join(self._protocol.data_to_send()))


def frame(data: bytes, *, is_binary: bool = False) -> bytes:
    """Frame a message as a server does."""
    return Frame(Opcode.BINARY if is_binary else Opcode.TEXT, data).serialize(mask=False)


class FakeServer:
    """Accepts connections, each in a thread of its own; close it, or use it in a `with` block."""

    def __init__(self, port: int = 0) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        self.is_over = threading.Event()
        self._peers: list[Peer] = []
        self._threads = [threading.Thread(target=self._accept, name=type(self).__name__)]
        self._threads[0].start()

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def serve(self, peer: Peer) -> None:
        """Talk to one client; what is left open when it returns is closed."""
        raise NotImplementedError

    def close(self) -> None:
        """End everything; safe to call twice."""
        if self.is_over.is_set():
            return
        self.is_over.set()
        socket.create_connection(("127.0.0.1", self.port)).close()  # wakes the accepting thread
        for peer in self._peers:
            try:
                peer.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self.is_over.is_set():
            connection, _ = self._listener.accept()
            if self.is_over.is_set():
                connection.close()
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer = Peer(connection)
            self._peers.append(peer)
            thread = threading.Thread(target=self._talk, args=(peer,))
            self._threads.append(thread)
            thread.start()

    def _talk(self, peer: Peer) -> None:
        with peer.socket:
            try:
                self.serve(peer)
            except (ConnectionError, OSError):
                pass  # the client has left
