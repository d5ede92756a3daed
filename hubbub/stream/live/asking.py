"""Single requests to a platform, beside its stream: refusals are those of streams, answers become structs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import httpx2
import msgspec

from hubbub.stream.live.link import Disconnected, Refused
from hubbub.stream.live.websocket import read_retry_s

T = TypeVar("T")


def open_client(origin: str, token: str | None = None) -> httpx2.Client:
    """Return a client of one server; nothing is connected yet."""
    headers = {"User-Agent": "hubbub"} | ({"Authorization": f"Bearer {token}"} if token else {})
    return httpx2.Client(base_url=origin, headers=headers, timeout=15)


def ask(
    client: httpx2.Client,
    path: str,
    query: Mapping[str, str | list[str]] | None = None,
    body: Mapping[str, object] | None = None,
) -> bytes:
    """Return what the server answers; a request with a body is a POST.

    Raises:
        Refused: it answered with an error.
        Disconnected: it did not answer.
    """
    try:
        answer = client.request("GET" if body is None else "POST", path, params=query, json=body)
    except httpx2.HTTPError as error:
        raise Disconnected(f"{client.base_url.host}{path} does not answer: {error}") from None
    if answer.status_code not in (200, 201):
        raise Refused(
            f"{client.base_url.host}{path} answered {answer.status_code}: {answer.text[:200]!r}",
            status=answer.status_code,
            retry_s=read_retry_s(answer.headers.get("Retry-After")),
        )
    return answer.content


def decode_answer(data: bytes | msgspec.Raw, kind: type[T]) -> T:
    """Decode an answer; Disconnected if it is not what it should be."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Disconnected(f"the server answered with nonsense: {error}") from None
