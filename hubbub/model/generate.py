"""Writing on, token by token, with a cache of keys and values; it knows ids, not text."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import torch
from torch import Tensor

from hubbub.errors import InvalidInput
from hubbub.model.llama import KvCache, Llama


@torch.inference_mode()
def generate(
    model: Llama,
    prompt: Sequence[int],
    *,
    max_tokens: int = 256,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 0,
    stops: Collection[int] = (),
) -> Iterator[int]:
    """Yield ids until one of `stops` (not yielded), `max_tokens`, or the model's context is full.

    Temperature 0 takes the likeliest; `top_p` draws from the likeliest ids that hold this share of the
    probability (arXiv 1904.09751).

    Raises:
        InvalidInput: the prompt is empty, has ids the model lacks, or leaves no room to write.
    """
    seq = model.shape.seq
    if not prompt or not 0 <= min(prompt) <= max(prompt) < model.shape.vocab:
        raise InvalidInput(f"a prompt needs ids from 0 to {model.shape.vocab - 1:,}")
    if len(prompt) >= seq:
        raise InvalidInput(f"the prompt has {len(prompt):,} tokens; this model holds {seq:,}: shorten it")
    if not (temperature >= 0 and 0 < top_p <= 1):
        raise InvalidInput(f"temperature {temperature} must not be below 0, top_p {top_p} within 0 and 1")
    weight = model.head
    room = min(len(prompt) + max_tokens, seq)
    cache = KvCache(model.shape, 1, room, weight)
    chance = torch.Generator(weight.device).manual_seed(seed)
    ids = torch.tensor([list(prompt)], device=weight.device)
    for _ in range(room - len(prompt)):
        logits = model(ids, cache=cache, is_last_only=True)[0, -1].float()
        token = int(_draw(logits, temperature, top_p, chance))
        if token in stops:
            return
        yield token
        ids = torch.tensor([[token]], device=weight.device)


def _draw(logits: Tensor, temperature: float, top_p: float, chance: torch.Generator) -> Tensor:
    if temperature == 0:
        return logits.argmax()
    shares, order = (logits / temperature).softmax(-1).sort(descending=True)
    shares[shares.cumsum(-1) - shares >= top_p] = 0.0  # the first always stays
    return order[torch.multinomial(shares, 1, generator=chance)]
