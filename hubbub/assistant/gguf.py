"""A local GGUF file as a chat model, through xllamacpp's in-process server; extra `local-llm`."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import httpx2

from hubbub.assistant.openai_endpoint import OpenAiEndpoint
from hubbub.assistant.prompt import SMALL_CONTEXT
from hubbub.errors import MissingExtra, ModelError, PromptTooLong

_CONTEXT_TOKENS = 8_192
"""Sixteen posts, the rules and the reply take about 4,000."""
_REPLY_TOKENS = 400
"""Room that a prompt leaves, but never more than a third of the context."""


class LocalGguf:
    """A loaded model; it lives as long as this object."""

    def __init__(self, server: object, endpoint: OpenAiEndpoint, client: httpx2.Client) -> None:
        """Keep the server alive beside the endpoint that talks to it; `client` reaches its other paths."""
        self._server = server
        self._endpoint = endpoint
        self._client = client
        self.name = endpoint.name
        meta = client.get("/v1/models").json()["data"][0]["meta"]
        self._context = min(int(meta["n_ctx_train"]), _CONTEXT_TOKENS)
        self.is_small = self._context < SMALL_CONTEXT

    def stream(self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, object]) -> Iterator[str]:
        """Yield the reply in pieces.

        Raises:
            PromptTooLong: with the messages the context has no room for a reply.
            ModelError: the model breaks off.
        """
        room = self._context - min(self._context // 3, _REPLY_TOKENS)
        if sum(len(each["content"].encode()) for each in messages) > room:  # a token is a byte at least
            count = self._count(messages)
            if count > room:
                raise PromptTooLong(
                    f"{self.name!r} reads {self._context} tokens at once; {count} leave no room for a reply"
                )
        yield from self._endpoint.stream(messages, schema)

    def close(self) -> None:
        """Close the connections; the model goes with this object."""
        self._endpoint.close()
        self._client.close()

    def _count(self, messages: Sequence[Mapping[str, str]]) -> int:
        try:
            laid_out = self._client.post("/apply-template", json={"messages": list(messages)}).json()[
                "prompt"
            ]
            body = {"content": laid_out, "add_special": True, "parse_special": True}
            return len(self._client.post("/tokenize", json=body).json()["tokens"])
        except (httpx2.HTTPError, ValueError, KeyError) as error:
            raise ModelError(f"model {self.name!r} cannot count tokens: {error!r}") from None


def open_gguf(path: Path, *, num_threads: int | None = None) -> LocalGguf:
    """Load a GGUF file; `num_threads` defaults to all cores but one, which the stream needs.

    Raises:
        MissingExtra: xllamacpp is not installed.
        ModelError: there is no such file, or it cannot be loaded.
    """
    try:
        import xllamacpp
    except ImportError:
        raise MissingExtra("a GGUF model needs xllamacpp; run: pip install 'hubbub[local-llm]'") from None
    if not path.is_file():
        raise ModelError(f"there is no model file {str(path)!r}; give the path of a .gguf file")
    threads = num_threads or max((os.cpu_count() or 2) - 1, 1)
    # The server always opens a port on 127.0.0.1: without a key every local user could use it.
    key = secrets.token_urlsafe(24)
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = _CONTEXT_TOKENS
    params.n_parallel = 1
    params.api_keys = [key]
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.sampling.temp = 0.0
    params.verbosity = 0  # it would write its progress to stderr
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        raise ModelError(
            f"model file {str(path)!r} cannot be loaded: {error}; is it a whole GGUF file?"
        ) from None
    endpoint = OpenAiEndpoint(
        f"{server.listening_address}/v1", path.stem, api_key=key, silence_timeout_s=120.0
    )
    client = httpx2.Client(
        base_url=server.listening_address,
        headers={"authorization": f"Bearer {key}"},
        timeout=30.0,
        trust_env=False,
    )
    return LocalGguf(server, endpoint, client)
