"""Any OpenAI-compatible chat endpoint over HTTP, streaming or not; it knows nothing of posts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

import httpx2

from hubbub.assistant.display import inert
from hubbub.errors import InvalidInput, ModelError, PromptTooLong

SchemaMode: TypeAlias = Literal["json_schema", "json_object", "none"]

CONNECT_TIMEOUT_S = 5.0
SILENCE_TIMEOUT_S = 30.0
"""Longest wait for the next piece: slow machines think long before the first."""
MAX_REPLY_CHARS = 32_000
"""A reply of eight sentences has 3,000; more is a model that lost its way."""
_MAX_TOKENS = 1_200
_NEXT: dict[SchemaMode, SchemaMode | None] = {
    "json_schema": "json_object",
    "json_object": "none",
    "none": None,
}
# What servers answer when they do not know a request's response_format.
_REFUSED = frozenset((400, 404, 415, 422, 501))
# How llama.cpp, OpenAI and vLLM name a prompt that is too long.
_TOO_LONG = ("exceed_context_size", "context_length_exceeded", "maximum context length")


class OpenAiEndpoint:
    """One model behind one URL; what the endpoint cannot do is learnt at the first refusal and kept."""

    is_small = False

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key: str | None = None,
        mode: SchemaMode = "json_schema",
        silence_timeout_s: float = SILENCE_TIMEOUT_S,
    ) -> None:
        """Take the base URL (with `/v1`); nothing is sent yet.

        Raises:
            InvalidInput: the URL is not http(s) with a host.
        """
        parsed = httpx2.URL(url)
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise InvalidInput(f"model endpoint {url!r} is not an http(s) URL; write http://HOST:PORT/v1")
        self.name = model
        self.mode: SchemaMode = mode
        self._url = url.rstrip("/") + "/chat/completions"
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        timeout = httpx2.Timeout(silence_timeout_s, connect=CONNECT_TIMEOUT_S)
        # trust_env off: a proxy variable must not see posts; a redirect must not carry the key elsewhere
        self._client = httpx2.Client(
            headers=headers, timeout=timeout, follow_redirects=False, trust_env=False
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def stream(self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, object]) -> Iterator[str]:
        """Yield the reply in pieces; falls back to looser formats where the endpoint refuses a schema.

        Raises:
            PromptTooLong: the endpoint says that its context does not hold the messages.
            ModelError: the endpoint cannot be reached, refuses, falls silent, or breaks off.
        """
        mode = self.mode
        while True:
            try:
                with self._client.stream(
                    "POST", self._url, json=self._body(messages, schema, mode)
                ) as response:
                    looser = _NEXT[mode]
                    if response.status_code in _REFUSED and looser is not None:
                        _check_length(response)
                        mode = looser
                        continue
                    _check(response)
                    self.mode = mode
                    yield from _capped(_pieces(response))
                    return
            except httpx2.TimeoutException:
                raise ModelError(f"model endpoint {self._url} fell silent; is it overloaded?") from None
            except httpx2.HTTPError as error:
                raise ModelError(f"model endpoint {self._url}: {error}; is it running?") from None

    def _body(
        self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, object], mode: SchemaMode
    ) -> dict[str, object]:
        body: dict[str, object] = {
            "model": self.name,
            "messages": list(messages),
            "temperature": 0,
            "max_tokens": _MAX_TOKENS,
            "stream": True,
        }
        if mode == "json_schema":
            inner = {"name": "answer", "strict": True, "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": inner}
        elif mode == "json_object":
            body["response_format"] = {"type": "json_object"}
        return body


def _check_length(response: httpx2.Response) -> None:
    response.read()
    if any(name in response.text for name in _TOO_LONG):
        raise PromptTooLong(f"model endpoint {response.url}: {inert(response.text[:200])!r}")


def _check(response: httpx2.Response) -> None:
    if response.status_code != 200:
        _check_length(response)
        said = inert(response.text[:200])
        raise ModelError(f"model endpoint {response.url} answered {response.status_code}: {said!r}")


def _pieces(response: httpx2.Response) -> Iterator[str]:
    """Read server-sent events, or a whole JSON document from endpoints that do not stream."""
    if "text/event-stream" not in response.headers.get("content-type", ""):
        response.read()
        yield _content(response.content, "message")
        return
    for line in response.iter_lines():
        if line.startswith("data:"):
            data = line[5:].strip()
            if data == "[DONE]":
                return
            yield _content(data.encode(), "delta")


def _content(data: bytes, field: str) -> str:
    try:
        choices = json.loads(data)["choices"]
        return str(choices[0].get(field, {}).get("content") or "") if choices else ""
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise ModelError(
            f"model endpoint sent no chat completion: {inert(data[:80].decode('utf-8', 'replace'))!r}"
        ) from None


def _capped(pieces: Iterator[str]) -> Iterator[str]:
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > MAX_REPLY_CHARS:
            raise ModelError(f"model endpoint wrote more than {MAX_REPLY_CHARS} characters; stopped")
        if piece:
            yield piece
