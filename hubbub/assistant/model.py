"""What a chat model is to the assistant, and how a setting names one; vendors are the sibling files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from hubbub.errors import InvalidInput

API_KEY_VARIABLE = "HUBBUB_MODEL_API_KEY"
"""Environment variable that holds an endpoint's key, so that it never stands in a settings file."""


class ChatModel(Protocol):
    """Turns messages into JSON text that follows a schema; whatever it writes is checked by `verify`."""

    @property
    def name(self) -> str:
        """How reports call it."""
        ...

    @property
    def is_small(self) -> bool:
        """Whether its context holds only the brief form of a prompt."""
        ...

    def stream(self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, object]) -> Iterator[str]:
        """Yield the reply in pieces; closing the iterator stops the model.

        Raises:
            ModelError: it cannot be reached, refuses, or breaks off.
        """
        ...


class OpenModel(ChatModel, Protocol):
    """One that holds connections or memory until it is closed."""

    def close(self) -> None:
        """Let go of them."""
        ...


def open_model(spec: str, *, api_key: str | None = None) -> OpenModel | None:
    """Open what a setting names: `quotes` (None: no model), `URL#model`, or the path of a GGUF file.

    The key of an endpoint comes from `api_key`, else from the environment (`HUBBUB_MODEL_API_KEY`).

    Raises:
        InvalidInput: the setting is none of the three.
        MissingExtra: a GGUF is named and xllamacpp is not installed.
        ModelError: the GGUF cannot be loaded.
    """
    if spec in ("", "quotes"):
        return None
    if spec.startswith(("http://", "https://")):
        from hubbub.assistant.openai_endpoint import OpenAiEndpoint

        url, _, model = spec.partition("#")
        if not model:
            raise InvalidInput(f"model {spec!r} names no model; write {url}#NAME")
        return OpenAiEndpoint(url, model, api_key=api_key or os.environ.get(API_KEY_VARIABLE))
    if Path(spec).suffix.lower() == ".gguf":
        from hubbub.assistant.gguf import open_gguf

        return open_gguf(Path(spec))
    raise InvalidInput(
        f"model {spec!r} is not understood; write quotes, https://HOST/v1#MODEL, or a .gguf file"
    )
