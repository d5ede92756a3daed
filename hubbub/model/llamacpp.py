"""A GGUF file run by llama.cpp (xllamacpp), so that its ids and probabilities can be compared; no chat."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2
import numpy as np

from hubbub.errors import InvalidInput, MissingExtra, ModelError

_GREEDY = {"temperature": 0, "samplers": ["top_k"], "top_k": 1, "cache_prompt": True}


class LlamaCpp:
    """A server in this process on 127.0.0.1, behind a key; its cache is F32, so that only the file counts."""

    def __init__(self, path: Path, seq: int) -> None:
        """Load the file with room for `seq` tokens.

        Raises:
            InvalidInput: there is no such file.
            MissingExtra: xllamacpp is not installed.
            ModelError: llama.cpp cannot load it.
        """
        try:
            import xllamacpp
        except ImportError:
            raise MissingExtra(
                "checking a GGUF needs xllamacpp; run: pip install 'hubbub[local-llm]'"
            ) from None
        if not path.is_file():
            raise InvalidInput(f"there is no file {str(path)!r}; write one with `hubbub model export`")
        params, key = xllamacpp.CommonParams(), secrets.token_urlsafe(24)
        params.model.path = str(path)
        params.n_ctx, params.n_parallel, params.verbosity, params.warmup = seq, 1, 0, False
        params.api_keys = [key]
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        try:
            self._server = xllamacpp.Server(params)
        except RuntimeError as error:
            raise ModelError(f"llama.cpp cannot load {str(path)!r}: {error}; export it again") from None
        headers = {"authorization": f"Bearer {key}"}
        self._client = httpx2.Client(
            base_url=self._server.listening_address, headers=headers, timeout=300.0, trust_env=False
        )

    def encode(self, text: str, *, with_begin: bool = True) -> list[int]:
        """Return a text's ids; names of special tokens in it become those tokens."""
        body = {"content": text, "add_special": with_begin, "parse_special": True}
        found: list[int] = self._ask("/tokenize", body)["tokens"]
        return found

    def chat(self, messages: Sequence[Mapping[str, str]]) -> str:
        """Lay out messages by the template that the file holds."""
        return str(self._ask("/apply-template", {"messages": list(messages)})["prompt"])

    def write(self, ids: Sequence[int], num_tokens: int) -> list[int]:
        """Return the ids that it writes on, each the likeliest."""
        body = {"prompt": list(ids), "n_predict": num_tokens, "return_tokens": True, **_GREEDY}
        found: list[int] = self._ask("/completion", body)["tokens"]
        return found

    def logs(self, ids: Sequence[int], vocab: int, plain: int) -> np.ndarray:
        """Return the log-probability of every id to come next; `plain` is any id of a whole letter."""
        # Without a whole letter to send the server keeps the probabilities to itself; they are those before
        # the bias.
        body = {
            "prompt": list(ids),
            "n_predict": 1,
            "n_probs": vocab,
            "logit_bias": [[plain, 1e4]],
            **_GREEDY,
        }
        found = np.full(vocab, -np.inf)
        for each in self._ask("/completion", body)["completion_probabilities"][0]["top_logprobs"]:
            found[each["id"]] = each["logprob"]
        return found

    def close(self) -> None:
        """Close the connection and let the server go."""
        self._client.close()
        del self._server

    def _ask(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        response = self._client.post(path, json=body)
        if response.status_code != 200:
            raise ModelError(f"llama.cpp refused {path}: {response.text[:200]}")
        found: dict[str, Any] = response.json()
        return found
