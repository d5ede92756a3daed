"""A start that can copy: two kinds of attention heads that a small model would need long to find.

In the first layer, heads look one and two tokens back and for the last digit (their queries are constants, as
are the keys, turned apart by so many positions, or a mark) and note what stands there. In the second, heads
look for where the present token and the one before it were noted under the same digit, so in the same record
of a prompt, and write what followed there as the next token. These are the induction heads of Olsson et al.
(arXiv 2209.11895), set as weights of a plain Llama. A state is cut into a constant, a mark, the token's own
numbers, and the notes. Training changes all of it as it likes.
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
_OWN = 2
"""Where a token's own numbers begin, behind the constant and the mark."""
_MARK = 2.0
"""Times the embedding's spread: what marks a digit, in the second number."""
_DIGITS = slice(55, 64)
"""1 to 9 in every tokenizer that `hubbub.corpus` trains: six special tokens, then the bytes. They number the
records of a prompt; where other tokens stand there, the heads that look for them find nothing."""
_DIGIT, _LATE = 60.0, (0.012, 0.05)
"""Attention logits for the last digit, and the turns a token that tell it from those before it."""
_NEAR, _ALIKE = 25.0, 200.0
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
    """What one head or more of the first layer note: the first own numbers of the token that they look at."""

    back: int
    """How far they look back; 0: to the last digit."""
    head: int
    start: int
    stop: int


def notes(shape: LlamaShape) -> list[_Note]:
    """Return where the notes stand: behind the constant, the mark and the token's own numbers."""
    size, heads = shape.head_dim, shape.num_heads
    first = max(heads // 3, 1)
    start = shape.hidden - (first + (heads > 3)) * size
    found = [_Note(1, 0, start, start + first * size)]
    if heads > 3:
        middle = found[0].stop + size // 2
        found += [_Note(2, first, found[0].stop, middle), _Note(0, first + 1, middle, shape.hidden)]
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
        weight[:, :_OWN] = 0.0
        weight[:, 0] = _CONSTANT * _WIDE * std
        weight[_DIGITS, 1] = _MARK * _WIDE * std
    elif name == "model.norm.weight":
        weight[:] = _PLAIN / _WIDE
        weight[:_OWN] = 0.0
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
    size, turns = shape.head_dim, _turns(shape)
    quick = turns[:_NUM_QUICK].float()
    scale = shape.hidden / (notes(shape)[0].start - _OWN + _CONSTANT**2)
    amplitude = math.sqrt(_NEAR / (_CONSTANT**2 * scale))
    late = [place for place, turn in enumerate(turns.tolist()) if _LATE[0] < turn < _LATE[1]]
    for note in notes(shape):
        first, count = note.head * size, note.stop - note.start
        _clear(part, weight, first, max(count, size))
        for i in range(count):
            if part == "v_proj":
                weight[first + i, _OWN + i] = _SPLIT
            elif part == "o_proj":
                weight[note.start + i, first + i] = std / _SPLIT
        if part not in ("q_proj", "k_proj"):
            continue
        if not note.back:  # a constant meets the mark, the more the nearer
            for place in late:
                is_query = part == "q_proj"
                weight[first + place, 0 if is_query else 1] = math.sqrt(
                    _DIGIT / (len(late) * _CONSTANT * _MARK * scale) * math.sqrt(size)
                )
            continue
        for head in range(first, first + count, size):
            turned = quick * (note.back if part == "k_proj" else 0)
            weight[head : head + len(quick), 0] = amplitude * turned.cos()
            weight[head + size // 2 : head + size // 2 + len(quick), 0] = amplitude * turned.sin()


def _look_for_it(part: str, weight: Tensor, shape: LlamaShape, std: float) -> None:
    size, noted = shape.head_dim, notes(shape)
    slow = [place for place, turn in enumerate(_turns(shape).tolist()) if turn < _SLOW]
    slots = [each for place in slow for each in (place, size // 2 + place)]
    amplitude = math.sqrt(_ALIKE * math.sqrt(size) / max(len(slots), 1))
    _clear(part, weight, 0, shape.num_heads * size)
    # the present token is sought among those one back, the one before it two back, the last digit as it is
    sought = {1: _OWN, 2: noted[0].start, 0: noted[-1].start}
    for head in range(shape.num_heads if part in ("q_proj", "k_proj") else 0):
        for turn, note in enumerate(noted):
            mine = slots[turn :: len(noted)]
            shift = head * (note.stop - note.start - len(mine)) // (shape.num_heads - 1)
            start = (sought[note.back] if part == "q_proj" else note.start) + shift
            for i, slot in enumerate(mine):
                weight[head * size + slot, start + i] = amplitude
    for i in range(min(noted[0].start - _OWN, shape.num_heads * size)):
        if part == "v_proj":
            weight[i, _OWN + i] = _SPLIT
        elif part == "o_proj":
            weight[_OWN + i, i] = _LOUD * std / _SPLIT


def _clear(part: str, weight: Tensor, start: int, count: int) -> None:
    if part == "o_proj":
        weight[:, start : start + count] = 0.0
    else:
        weight[start : start + count] = 0.0
