"""A start that can copy: two kinds of attention heads that a small model would need long to find.

In the first layer, heads look one or two tokens back (their queries and keys are constants, turned apart by
so many positions) and note what stood there; in the second, heads look for where the present token and the
one before it were noted, so for what followed them the last time, and write that as the next one. These are
the induction heads of Olsson et al. (arXiv 2209.11895), set as weights of a plain Llama. A state is cut into
a constant, the token's own numbers, and the notes. Training changes all of it as it likes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec
import torch
from torch import Tensor

from hubbub.errors import InvalidInput
from hubbub.model.shape import LlamaShape

THETA = 1e6
"""Rotations that leave more than half of a head's numbers nearly where they are over some 250 tokens, so that
alikeness is seen at any distance; 10,000 leaves a third."""
_WIDE, _PLAIN = 16.0, 3.0
"""Times the usual spread: of the embedding, and of it as the head sees it through the last norm. An optimiser
that moves each weight by its rate then blurs tokens less before it has learnt anything: with 3 for both, what
could be copied was lost within 60,000 tokens, with 16 and a third of the rate it stayed."""
_CONSTANT = 4.0
"""Times the embedding's spread: what every token has in its first number, for queries to stand on."""
_NEAR, _ALIKE = 25.0, 100.0
"""Attention logits, about: for the place looked back to, and for one where the same was noted."""
_NUM_QUICK = 6
"""Pairs of numbers, the quickest to turn, that tell neighbours apart."""
_SLOW = 4e-3
"""Radians a token up to which a pair's turn does not blur who is alike within some 250 tokens."""
_LOUD = 30.0
"""How far what followed outweighs the present token in the state that the next is read from."""
_SPLIT = 0.2
"""One of the two factors of what a head carries over, so that both have room to learn."""


class _Note(NamedTuple):
    """What is noted of the token `back` before: its first own numbers, at these places of a state."""

    back: int
    start: int
    stop: int


def notes(shape: LlamaShape) -> list[_Note]:
    """Return where the notes stand: behind the constant and the token's own numbers."""
    size, heads = shape.head_dim, shape.num_heads
    sizes = [max(heads // 3, 1) * size] + [size] * (heads > 3)
    start, found = shape.hidden - sum(sizes), []
    for back, count in enumerate(sizes, 1):
        found.append(_Note(back, start, start + count))
        start += count
    return found


def wire(name: str, weight: Tensor, shape: LlamaShape, std: float) -> None:
    """Set in one whole weight, drawn with spread `std`, what it has to do with copying; leave the others.

    Raises:
        InvalidInput: the shape has no room: under two layers or three heads, or shared or untied ones.
    """
    if not fits(shape):
        raise InvalidInput(
            "a start that copies needs two layers, three heads with keys of their own and tied embeddings; "
            f"this shape has {shape.num_layers} layers, {shape.num_heads} heads of {shape.num_kv_heads} keys"
        )
    own = notes(shape)[0].start
    if name == "model.embed_tokens.weight":
        weight *= _WIDE
        weight[:, own:] = 0.0
        weight[:, 0] = _CONSTANT * _WIDE * std
    elif name == "model.norm.weight":
        weight[:] = _PLAIN / _WIDE
        weight[0] = 0.0
        weight[own:] = 0.0
    elif name.startswith("model.layers.0.self_attn."):
        _look_back(name.split(".")[-2], weight, shape, std * _WIDE)
    elif name.startswith("model.layers.1.self_attn."):
        _look_for_it(name.split(".")[-2], weight, shape, std * _WIDE)


def roomy(shape: LlamaShape) -> LlamaShape:
    """Return a shape of about as many weights with heads of 64 numbers, at least four, and slow rotations.

    One too narrow for that keeps its heads. Of replies to lessons, untrained weights of 256 x 3 foresaw .87
    of the tokens with heads of 64, those of 224 x 3 with heads of 32 .82: more numbers tell who is alike.
    """
    if shape.hidden < 3 * 64:
        return msgspec.structs.replace(shape, rope_theta=THETA)
    hidden = max(round(shape.hidden / 64) * 64, 4 * 64)
    layers = max(round(shape.num_layers * (shape.hidden / hidden) ** 2), 2)
    changes = {"num_heads": hidden // 64, "num_kv_heads": hidden // 64, "head_dim": 64, "rope_theta": THETA}
    ffn = math.ceil(8 * hidden / 3 / 64) * 64
    return msgspec.structs.replace(shape, hidden=hidden, num_layers=layers, ffn=ffn, is_tied=True, **changes)


def fits(shape: LlamaShape) -> bool:
    """Tell whether a shape has room for it."""
    is_plain = shape.is_tied and shape.num_kv_heads == shape.num_heads
    return is_plain and shape.num_layers > 1 and shape.num_heads > 2 and shape.head_dim >= 16


def _turns(shape: LlamaShape) -> Tensor:
    return shape.rope_theta ** -(torch.arange(0, shape.head_dim, 2).double() / shape.head_dim)


def _look_back(part: str, weight: Tensor, shape: LlamaShape, std: float) -> None:
    size, first = shape.head_dim, notes(shape)[0].start
    quick = _turns(shape)[:_NUM_QUICK].float()
    amplitude = math.sqrt(_NEAR / (_CONSTANT**2 * shape.hidden / (first - 1 + _CONSTANT**2)))
    _clear(part, weight, shape.hidden - first)
    for note in notes(shape):
        for i in range(note.start - first, note.stop - first):
            if part == "v_proj":
                weight[i, 1 + i + first - note.start] = _SPLIT
            elif part == "o_proj":
                weight[first + i, i] = std / _SPLIT
        for head in range(note.start - first, note.stop - first, size):
            if part in ("q_proj", "k_proj"):
                turned = quick * (note.back if part == "k_proj" else 0)
                weight[head : head + len(quick), 0] = amplitude * turned.cos()
                weight[head + size // 2 : head + size // 2 + len(quick), 0] = amplitude * turned.sin()


def _look_for_it(part: str, weight: Tensor, shape: LlamaShape, std: float) -> None:
    size, noted = shape.head_dim, notes(shape)
    slow = [place for place, turn in enumerate(_turns(shape).tolist()) if turn < _SLOW]
    slots = [each for place in slow for each in (place, size // 2 + place)]
    amplitude = math.sqrt(_ALIKE * math.sqrt(size) / max(len(slots), 1))
    _clear(part, weight, shape.num_heads * size)
    sought = [1, *(note.start for note in noted)]  # the present token, then those that are noted
    for head in range(shape.num_heads if part in ("q_proj", "k_proj") else 0):
        for turn, note in enumerate(noted):
            mine = slots[turn :: len(noted)]
            shift = head * (note.stop - note.start - len(mine)) // (shape.num_heads - 1)
            start = (sought[turn] if part == "q_proj" else note.start) + shift
            for i, slot in enumerate(mine):
                weight[head * size + slot, start + i] = amplitude
    for i in range(min(noted[0].start - 1, shape.num_heads * size)):
        if part == "v_proj":
            weight[i, 1 + i] = _SPLIT
        elif part == "o_proj":
            weight[1 + i, i] = _LOUD * std / _SPLIT


def _clear(part: str, weight: Tensor, count: int) -> None:
    if part == "o_proj":
        weight[:, :count] = 0.0
    else:
        weight[:count] = 0.0
