"""Reads event streams in tests as a client that knows nothing of the server's code."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2


class Stream:
    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self._events = self._read()

    def _read(self) -> Iterator[tuple[str, Any]]:
        name = ""
        for line in self.response.iter_lines():
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                yield name, json.loads(line[6:])

    def next(self, *names: str, timeout_s: float = 5.0) -> tuple[str, Any]:
        """The next event of one of these names; others are passed over."""
        deadline_s = time.monotonic() + timeout_s
        for name, data in self._events:
            if not names or name in names:
                return name, data
            assert time.monotonic() < deadline_s, f"no {names} within {timeout_s} s"
        raise EOFError("the stream has ended")

    def until(self, last: str) -> list[tuple[str, Any]]:
        """All events up to and with the first of this name."""
        events = [self.next()]
        while events[-1][0] != last:
            events.append(self.next())
        return events


@contextmanager
def open_stream(url: str, path: str, **params: str) -> Iterator[Stream]:
    with httpx2.Client(base_url=url, timeout=10, trust_env=False) as client:
        with client.stream("GET", path, params=params) as response:
            assert response.status_code == 200, response.read()
            yield Stream(response)
