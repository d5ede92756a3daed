"""The shape of a Llama and the one dial that derives it from a size or a depth; no weights, no torch."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import msgspec

from hubbub.errors import InvalidInput
from hubbub.specs import ModelSpec

_FACTORS = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9}
_PUBLISHED = {
    768: 12,
    1024: 24,
    1280: 24,
    1536: 24,
    1792: 24,
    2048: 24,
    2560: 32,
    3072: 32,
    4096: 32,
    5120: 40,
}
"""Layers by width from 768 on: GPT-3's table 2.1 (arXiv 2005.14165): 124M, 350M, 1.3B, 2.7B, 6.7B, 13B."""
_SMALL_HEADS_BELOW = 5e6
"""Under five million weights a head of 64 leaves two to four heads: heads of 32 give twice as many."""


class LlamaShape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `config.json` of a plain Llama says; `seq` is the longest text in tokens."""

    vocab: int
    hidden: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    ffn: int
    seq: int = 1024
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-5
    is_tied: bool = True

    def __post_init__(self) -> None:
        """Refuse what no Llama is."""
        self.to_spec()
        if self.head_dim % 2:
            raise InvalidInput(f"head_dim is {self.head_dim}; rotated positions need an even one")
        if self.hidden % self.num_heads:
            raise InvalidInput(
                f"hidden {self.hidden} is no multiple of num_heads {self.num_heads}; transformers wants one"
            )
        if not (self.rope_theta > 0 and self.norm_eps > 0):
            raise InvalidInput(f"rope_theta {self.rope_theta} and norm_eps {self.norm_eps} must be above 0")

    def to_spec(self, name: str = "llama") -> ModelSpec:
        """Return the shape as `hubbub.specs` knows it; the FLOPs formula stands there."""
        return ModelSpec(
            name=name,
            num_layers=self.num_layers,
            hidden=self.hidden,
            num_heads=self.num_heads,
            num_kv_heads=self.num_kv_heads,
            head_dim=self.head_dim,
            ffn=self.ffn,
            vocab=self.vocab,
            seq=self.seq,
            is_tied=self.is_tied,
        )

    @property
    def num_params(self) -> int:
        """Count all weights."""
        return self.to_spec().num_params


def shape_for(
    params: str | float | None = None, *, depth: int | None = None, vocab: int, seq: int = 1024
) -> LlamaShape:
    """Derive a shape from a number of weights ("10M", embeddings counted) or from a number of layers.

    Below 768 wide: 64 of width a layer (nanochat's dial, GPT-2's 12x768), or down to 48, whichever comes
    nearest to the size asked for: loss hardly depends on that ratio (Kaplan, arXiv 2001.08361, figure 5).
    From 768 on: GPT-3's widths and depths. Feed-forward 8/3 of the width (Llama, arXiv 2302.13971), heads of
    64, of 128 and eight pairs of key and value from 2048 on (Llama 3, arXiv 2407.21783, table 3).

    Raises:
        InvalidInput: neither or both are given, or the size is none that the recipe reaches.
    """
    if (params is None) == (depth is None):
        raise InvalidInput("give one of --params and --depth")
    if depth is not None:
        if not 1 <= depth <= 80:
            raise InvalidInput(f"depth {depth} is not within 1 and 80 layers")
        return _shape(64 * depth, depth, vocab, seq)
    assert params is not None
    wanted = parse_params(params)
    shapes = [_shape(hidden, layers, vocab, seq) for hidden, layers in _ladder()]
    best = min(shapes, key=lambda shape: abs(math.log(shape.num_params / wanted)))
    if not 0.5 <= best.num_params / wanted <= 2:
        raise InvalidInput(
            f"params {params} is out of reach with a vocabulary of {vocab:,}: the nearest shape has "
            f"{best.num_params:,}"
            + ("; take a smaller vocabulary" if best.num_params > wanted else "; name --depth instead")
        )
    return best


def parse_params(text: str | float) -> float:
    """Read "10M", "1.3B", "350m" or a plain number.

    Raises:
        InvalidInput: it is no such number.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?(?:e\d+)?)\s*([kmb]?)\s*", str(text).lower())
    number = float(match[1]) * _FACTORS[match[2]] if match else 0.0
    if not number > 0:
        raise InvalidInput(f"params {text!r} is not a size; write 10M, 350M or 1.3B")
    return number


def _ladder() -> Iterator[tuple[int, int]]:
    for hidden in (*range(64, 256, 32), *range(256, 768, 64)):
        yield from ((hidden, layers) for layers in range(hidden // 64, hidden // 48 + 1))
    yield from _PUBLISHED.items()


def _shape(hidden: int, num_layers: int, vocab: int, seq: int) -> LlamaShape:
    step = 64 if hidden < 1024 else 256
    hidden = hidden if hidden < 2048 else math.ceil(hidden / 128) * 128
    ffn = math.ceil(8 * hidden / 3 / step) * step
    weights = num_layers * (4 * hidden + 3 * ffn) * hidden + vocab * hidden
    head_dim = 32 if weights < _SMALL_HEADS_BELOW or hidden % 64 else 64 if hidden < 2048 else 128
    num_heads = hidden // head_dim
    return LlamaShape(
        vocab=vocab,
        hidden=hidden,
        num_layers=num_layers,
        num_heads=num_heads,
        num_kv_heads=num_heads if hidden < 2048 else next(n for n in range(8, 0, -1) if num_heads % n == 0),
        head_dim=head_dim,
        ffn=ffn,
        seq=seq,
        is_tied=hidden <= 2048,
    )
