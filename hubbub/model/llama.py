"""The Llama itself, with Hugging Face's parameter names; it knows no files, no tokens, no optimiser.

B rows, T tokens a row, H heads, D wide each. Positions are rotations, so attention sees only differences of
them: documents packed into one row need a mask but no positions of their own.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hubbub.model import sweeps
from hubbub.model.copying import wire
from hubbub.model.loss import IGNORED, chunked_loss
from hubbub.model.shape import LlamaShape
from hubbub.model.sweeps import is_swept, low_precision

__all__ = ["IGNORED", "KvCache", "Llama"]
_SPREAD = 0.02


class KvCache:
    """Keys and values of the tokens seen so far, one pair a layer; room for `room` tokens."""

    def __init__(self, shape: LlamaShape, num_rows: int, room: int, like: Tensor) -> None:
        """Take the room at once, on the device and in the precision of `like`."""
        size = (num_rows, shape.num_kv_heads, room, shape.head_dim)
        self._layers = [(like.new_empty(size), like.new_empty(size)) for _ in range(shape.num_layers)]
        self.length = 0

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Add a layer's new keys and values [B, H, T, D] and return all of that layer's."""
        end = self.length + k.shape[2]
        keys, values = self._layers[layer]
        keys[:, :, self.length : end] = k
        values[:, :, self.length : end] = v
        return keys[:, :, :end], values[:, :, :end]


class _Norm(nn.Module):
    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(size)), eps

    def forward(self, x: Tensor) -> Tensor:
        if is_swept(x):
            return sweeps.norm(x, self.weight, self.eps)
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


class _Attention(nn.Module):
    def __init__(self, shape: LlamaShape, layer: int) -> None:
        super().__init__()
        self.head_dim, self.layer = shape.head_dim, layer
        self.num_groups = shape.num_heads // shape.num_kv_heads
        width, kv_width = shape.num_heads * shape.head_dim, shape.num_kv_heads * shape.head_dim
        self.q_proj = nn.Linear(shape.hidden, width, bias=False)
        self.k_proj = nn.Linear(shape.hidden, kv_width, bias=False)
        self.v_proj = nn.Linear(shape.hidden, kv_width, bias=False)
        self.o_proj = nn.Linear(width, shape.hidden, bias=False)

    def forward(self, x: Tensor, turn: tuple[Tensor, ...], mask: Any, cache: KvCache | None) -> Tensor:
        rows, length, _ = x.shape
        q, k, v = (
            proj(x).view(rows, length, -1, self.head_dim).transpose(1, 2)
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = _rotate(q, *turn), _rotate(k, *turn)
        if cache is not None:
            k, v = cache.extend(self.layer, k, v)
        out = _attend(q, k, v, mask, self.num_groups)
        return self.o_proj(out.transpose(1, 2).reshape(rows, length, -1))  # type: ignore[no-any-return]


class _Mlp(nn.Module):
    def __init__(self, shape: LlamaShape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden, shape.ffn, bias=False)
        self.up_proj = nn.Linear(shape.hidden, shape.ffn, bias=False)
        self.down_proj = nn.Linear(shape.ffn, shape.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))  # type: ignore[no-any-return]


class _Layer(nn.Module):
    def __init__(self, shape: LlamaShape, layer: int) -> None:
        super().__init__()
        self.self_attn = _Attention(shape, layer)
        self.mlp = _Mlp(shape)
        self.input_layernorm = _Norm(shape.hidden, shape.norm_eps)
        self.post_attention_layernorm = _Norm(shape.hidden, shape.norm_eps)

    def forward(self, x: Tensor, turn: tuple[Tensor, ...], mask: Any, cache: KvCache | None) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), turn, mask, cache)
        return x + self.mlp(self.post_attention_layernorm(x))  # type: ignore[no-any-return]


class _Trunk(nn.Module):
    def __init__(self, shape: LlamaShape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocab, shape.hidden)
        self.layers = nn.ModuleList(_Layer(shape, layer) for layer in range(shape.num_layers))
        self.norm = _Norm(shape.hidden, shape.norm_eps)


class Llama(nn.Module):
    """A plain Llama: GQA, RoPE, SwiGLU, RMSNorm, no biases; `layers` are what FSDP wraps.

    Made on the meta device it holds no weights: `to_empty(device=...)`, then `init_weights(seed)`, or a load
    and `init_rotations()`. Tied models have no `lm_head`: the embedding stands in for it.
    """

    _cos: Tensor
    _sin: Tensor

    def __init__(self, shape: LlamaShape, seed: int = 0, *, is_wired: bool = False) -> None:
        """Make the weights unless this is the meta device, as `init_weights` does."""
        super().__init__()
        self.shape = shape
        self.model = _Trunk(shape)
        if not shape.is_tied:
            self.lm_head = nn.Linear(shape.hidden, shape.vocab, bias=False)
        empty = torch.empty(shape.seq, shape.head_dim // 2)
        self.register_buffer("_cos", empty, persistent=False)
        self.register_buffer("_sin", empty.clone(), persistent=False)
        if not empty.is_meta:
            self.init_weights(seed, is_wired=is_wired)

    @property
    def layers(self) -> nn.ModuleList:
        """The blocks, in order."""
        return self.model.layers

    @property
    def head(self) -> Tensor:
        """The matrix that turns states into logits."""
        return self.model.embed_tokens.weight if self.shape.is_tied else self.lm_head.weight

    def init_rotations(self) -> None:
        """Fill the tables of cosines and sines (arXiv 2104.09864); needed after `to_empty`."""
        size = self.shape.head_dim
        # On the CPU and in this order, so that they equal transformers' to the bit.
        powers = torch.arange(0, size, 2, dtype=torch.int64, device="cpu").float() / size
        steps = torch.arange(self.shape.seq, device="cpu").float()
        angles = torch.outer(steps, 1.0 / (self.shape.rope_theta**powers))
        device = self.model.norm.weight.device
        self._cos, self._sin = angles.cos().to(device), angles.sin().to(device)

    @torch.no_grad()
    def init_weights(self, seed: int = 0, *, is_wired: bool = False) -> None:
        """Draw all weights: normal, 0.02, and less by sqrt(2 layers) where a block writes (GPT-2); rotations.

        Each matrix has its own generator, so that the weights do not depend on the number of ranks. With
        `is_wired` the model can copy from the start (`copying`).

        Raises:
            InvalidInput: the shape has no room to be wired.
        """
        self.init_rotations()
        narrow = _SPREAD / math.sqrt(2 * self.shape.num_layers)
        for number, (name, weight) in enumerate(self.named_parameters()):
            if weight.ndim == 1:
                drawn = torch.ones(weight.shape, dtype=torch.float32, device=weight.device)
                if is_wired:
                    wire(name, drawn, self.shape, _SPREAD)
                weight.copy_(_spread(drawn, weight))
                continue
            generator = torch.Generator(weight.device).manual_seed((seed << 20) + number)
            drawn = torch.empty(weight.shape, dtype=torch.float32, device=weight.device)
            drawn.normal_(0.0, narrow if name.endswith(("o_proj.weight", "down_proj.weight")) else _SPREAD,
                          generator=generator)  # fmt: skip
            if is_wired:
                wire(name, drawn, self.shape, _SPREAD)
            weight.copy_(_spread(drawn, weight))

    def forward(
        self,
        ids: Tensor,
        targets: Tensor | None = None,
        document_mask: Tensor | None = None,
        *,
        num_targets: Tensor | float | None = None,
        cache: KvCache | None = None,
        is_last_only: bool = False,
    ) -> Tensor:
        """Return logits [B, T, vocab], or with targets [B, T] (IGNORED: none) the loss in nats a token.

        `document_mask` [B, T] numbers the document of each token: it attends only within its own. The loss is
        the sum over the targets divided by `num_targets`, by default their count in this call.
        With a `cache` the ids follow those it holds; `is_last_only` gives the last token's logits only.
        """
        start = cache.length if cache is not None else 0
        end = start + ids.shape[1]
        mask = _mask(ids, document_mask, start)
        x = self.model.embed_tokens(ids)
        turn = tuple(table[start:end].to(low_precision(x)) for table in (self._cos, self._sin))
        for layer in self.model.layers:
            x = layer(x, turn, mask, cache)
        x = self.model.norm(x)
        if cache is not None:
            cache.length = end
        if targets is None:
            return F.linear(x[:, -1:] if is_last_only else x, self.head)
        return chunked_loss(x, self.head, targets, num_targets)


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the pairs (d, d + D/2) of x [B, H, T, D] by their position's angle."""
    if is_swept(x):
        return sweeps.rotate(x, cos, sin)
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


def _spread(full: Tensor, like: Any) -> Tensor:
    """Give a whole tensor the sharding of `like`, a tensor or a DTensor."""
    if not hasattr(like, "device_mesh"):  # importing DTensor takes a second
        return full
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(full, like.device_mesh, like.placements, src_data_rank=None)


def _mask(ids: Tensor, documents: Tensor | None, start: int) -> Any:
    """Return None for plain causal attention, a mask [B, 1, T, T], or on a GPU a block mask."""
    rows, length = ids.shape
    if documents is not None and ids.is_cuda:
        from torch.nn.attention.flex_attention import create_block_mask

        def sees(row: Tensor, head: Tensor, q: Tensor, k: Tensor) -> Tensor:
            return (q >= k) & (documents[row, q] == documents[row, k])

        return create_block_mask(sees, rows, None, length, length, device=ids.device)
    if documents is not None:
        return ((documents[:, :, None] == documents[:, None, :]).tril())[:, None]
    if start and length > 1:
        return torch.ones(length, start + length, dtype=torch.bool, device=ids.device).tril(start)
    return None


def _attend(q: Tensor, k: Tensor, v: Tensor, mask: Any, num_groups: int) -> Tensor:
    if mask is not None and not isinstance(mask, Tensor):
        from torch.nn.attention.flex_attention import flex_attention

        return flex_attention(q, k, v, block_mask=mask, enable_gqa=num_groups > 1)
    if num_groups > 1 and not q.is_cuda:  # the CPU's kernel knows no groups
        k, v = k.repeat_interleave(num_groups, 1), v.repeat_interleave(num_groups, 1)
    is_causal = mask is None and q.shape[2] > 1
    if is_causal and is_swept(q) and q.requires_grad and q.dtype == torch.bfloat16 and q.shape[2] <= 1024:
        return sweeps.attend(q, k, v)
    is_grouped = k.shape[1] != q.shape[1]
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=is_causal, enable_gqa=is_grouped)
