"""Ask a house that another process keeps, over HTTP; and the note by which that process is found."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import httpx2
import msgspec

from hubbub.assistant import AnswerEvent
from hubbub.assistant.answer import Done, Found, Retraction, Shown
from hubbub.disk import refusals
from hubbub.errors import HubbubError, InvalidInput
from hubbub.index import Hit
from hubbub.server.alerts.subject import Alert
from hubbub.trends import Story
from hubbub.units import format_time

ADDRESS_FILE = "address.json"
TIMEOUT_S = 60.0


class Address(msgspec.Struct, frozen=True):
    """Where the process that owns a data directory answers."""

    url: str
    pid: int


def write_address(directory: Path, url: str) -> None:
    """Leave a note in the data directory that `url` answers for it.

    Raises:
        StorageError: the disk refuses.
    """
    note = directory / ADDRESS_FILE
    fresh = note.with_suffix(f".{os.getpid()}")
    with refusals("write", note):
        fresh.write_bytes(msgspec.json.encode(Address(url, os.getpid())))
        fresh.replace(note)


def remove_address(directory: Path) -> None:
    """Take the note away, if it is ours."""
    address = read_address(directory)
    if address is not None and address.pid == os.getpid():
        (directory / ADDRESS_FILE).unlink(missing_ok=True)


def read_address(directory: Path) -> Address | None:
    """Find who answers for a data directory; None if nobody left a readable note."""
    try:
        return msgspec.json.decode((directory / ADDRESS_FILE).read_bytes(), type=Address)
    except (OSError, msgspec.DecodeError):
        return None


class _Clock(msgspec.Struct, frozen=True):
    clock_us: int


class RemoteHouse:
    """The verbs of a house, answered by the process that owns it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx2.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False)

    def __enter__(self) -> RemoteHouse:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._client.close()

    def ask(self, question: str, clock_us: int | None = None) -> Iterator[AnswerEvent]:
        """Stream the answer to a question until it is done.

        Raises:
            HubbubError: the owner refused, failed, or left before the answer was done.
        """
        params = {"q": question} if clock_us is None else {"q": question, "clock": str(clock_us)}
        try:
            with self._client.stream("GET", "/api/ask", params=params) as response:
                self._check(response)
                for name, data in _read_events(response.iter_lines()):
                    if name == "error":
                        raise self._refused(data.encode(), response.status_code)
                    if name in _DECODERS:
                        yield _DECODERS[name].decode(data)
                    if name == "done":
                        return
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error
        raise HubbubError(f"{self.url} left before the answer was done; ask again")

    def search(self, text: str, limit: int, is_newest_first: bool = False) -> list[Hit]:
        """Search with the query syntax that people type."""
        params = {"q": text, "limit": str(limit), "sort": "time" if is_newest_first else "relevance"}
        return msgspec.convert(self._get("/api/search", params)["hits"], list[Hit])

    def respell(self, text: str) -> str:
        """Return a search with words that hardly a post holds as posts spell near ones; empty if none are."""
        return str(self._get("/api/find", {"q": text, "limit": "1", "facets": "false"})["did_you_mean"] or "")

    def trends(self, hours: float, limit: int, at_us: int | None = None) -> list[Story]:
        """Tell what is rising, each with a quote of a living post."""
        params = {"hours": str(hours), "limit": str(limit)}
        params |= {} if at_us is None else {"at": format_time(at_us)}
        return msgspec.convert(self._get("/api/trends", params)["trends"], list[Story])

    def watch(self, question: str, novelty: str) -> Iterator[Alert | Retraction]:
        """Yield what is new about something as it comes, and what of it is withdrawn.

        Raises:
            HubbubError: the owner refused, or left.
        """
        try:
            params = {"q": question, "novelty": novelty}
            with self._client.stream("GET", "/api/alerts", params=params) as response:
                self._check(response)
                for name, data in _read_events(response.iter_lines()):
                    if name == "alert":
                        yield msgspec.json.decode(data, type=Alert)
                    elif name == "retraction":
                        yield msgspec.json.decode(data, type=Retraction)
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error
        raise HubbubError(f"{self.url} has left; watch again when it is back")

    def now_us(self) -> int:
        """Tell the owner's time, microseconds since 1970 UTC."""
        return msgspec.convert(self._get("/api/status", {})["house"], _Clock).clock_us

    def status(self) -> dict[str, object]:
        """Report how the owner's house is doing."""
        return msgspec.convert(self._get("/api/status", {})["house"], dict[str, object])

    def _get(self, path: str, params: dict[str, str]) -> dict[str, object]:
        try:
            response = self._client.get(path, params=params)
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error
        self._check(response)
        return msgspec.json.decode(response.content, type=dict[str, object])

    def _check(self, response: httpx2.Response) -> None:
        if response.status_code >= 400:
            raise self._refused(response.read(), response.status_code)

    def _refused(self, body: bytes, status: int) -> HubbubError:
        try:
            error = msgspec.json.decode(body, type=_Refusal).error
        except msgspec.DecodeError:
            error = _Error(message=f"HTTP {status}")
        kind = InvalidInput if error.type == "invalid_request_error" else HubbubError
        return kind(f"{self.url} refused: {error.message}")

    def _unreachable(self, error: Exception) -> HubbubError:
        return HubbubError(
            f"no answer from {self.url} ({type(error).__name__}); is `hubbub serve` still running?"
        )


class _Error(msgspec.Struct, frozen=True, kw_only=True):
    message: str
    type: str | None = None


class _Refusal(msgspec.Struct, frozen=True, kw_only=True):
    error: _Error


_DECODERS: dict[str, msgspec.json.Decoder[AnswerEvent]] = {
    "found": msgspec.json.Decoder(Found),
    "sentence": msgspec.json.Decoder(Shown),
    "retraction": msgspec.json.Decoder(Retraction),
    "done": msgspec.json.Decoder(Done),
}


def _read_events(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Read names and data of server-sent events; our server writes each on one line."""
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield name, line[6:]
