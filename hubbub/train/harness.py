"""A model of ours for EleutherAI's lm-eval: `simple_evaluate(HubbubLM(DIR), tasks=[...])`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hubbub.corpus.tokenizer import load_tokenizer
from hubbub.errors import MissingExtra
from hubbub.model.generate import generate
from hubbub.model.hf import load_hf
from hubbub.train.bits import nats

try:
    from lm_eval.api.model import LM
except ImportError:
    raise MissingExtra("the harness needs lm_eval; run: pip install lm_eval") from None

_MAX_NEW = 256


class HubbubLM(LM):  # type: ignore[misc]
    """A plain Llama from a Hugging Face directory, on the CPU."""

    def __init__(self, directory: Path | str) -> None:
        """Load model and tokenizer."""
        super().__init__()
        self._model, self._shape = load_hf(Path(directory))
        self._tokens = load_tokenizer(directory)

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """Return how likely each continuation of a context is, and whether greedy choice writes it."""
        return [self._one(*request.args) for request in requests]

    def loglikelihood_rolling(self, requests: Sequence[Any]) -> list[float]:
        """Return the log likelihood of whole texts; long ones in windows that overlap by half."""
        rows = [np.array([self._tokens.begin, *self._tokens.encode(request.args[0])]) for request in requests]
        return [-float(costs.sum()) for costs in nats(self._model, rows, seq=self._shape.seq)]

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """Write on greedily until one of the stop words."""
        return [self._write(*request.args) for request in requests]

    def _one(self, context: str, continuation: str) -> tuple[float, bool]:
        """Blanks between both belong to the continuation, as in the harness's own models."""
        kept = context.rstrip()
        whole = [self._tokens.begin, *self._tokens.encode(context + continuation)]
        first = min(1 + len(self._tokens.encode(kept)), len(whole) - 1)
        ids, size = whole[-(self._shape.seq + 1) :], min(len(whole) - first, self._shape.seq)
        costs = nats(self._model, [np.array(ids)], seq=self._shape.seq)[0][-size:]
        written = list(generate(self._model, ids[:-size], max_tokens=size))
        return -float(costs.sum()), written == ids[-size:]

    def _write(self, context: str, settings: dict[str, Any]) -> str:
        until = settings.get("until") or []
        stops = [until] if isinstance(until, str) else list(until)
        most = int(settings.get("max_gen_toks", _MAX_NEW))
        ids = [self._tokens.begin, *self._tokens.encode(context)][-(self._shape.seq - most) :]
        found: list[int] = []
        for token in generate(self._model, ids, max_tokens=most, stops=(self._tokens.end,)):
            found.append(token)
            text = self._tokens.decode(found)
            ends = [text.index(stop) for stop in stops if stop and stop in text]
            if ends:
                return text[: min(ends)]
        return self._tokens.decode([token for token in found if token != self._tokens.end])
