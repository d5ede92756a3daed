"""What one GPU of each pipeline stage must hold, and what does not fit; it knows no time.

Sizes are bytes at the allocator's peak. What a tool shows beside that (driver context, NCCL buffers,
fragments) is `overhead`.
"""

from __future__ import annotations

import msgspec
import numpy as np

from hubbub.plan.cases import Cases, Column
from hubbub.plan.hardware import GIB

# Driver context, NCCL buffers and fragments: nvidia-smi shows 7 to 9 GiB more than the allocator's peak on
# A100 (BLOOM, bigscience chronicles); 5 GiB is the lower end, which newer allocators reach.
CONTEXT_BYTES = 5.0 * GIB


class StageMemory(msgspec.Struct, kw_only=True):
    """Bytes on one GPU of one pipeline stage."""

    weights: Column
    gradients: Column
    optimizer: Column
    activations: Column
    logits: Column
    work: Column
    overhead: Column

    @property
    def total(self) -> Column:
        """Return the sum of all parts."""
        return sum((getattr(self, name) for name in self.__struct_fields__), np.zeros_like(self.weights))


class HeldParams(msgspec.Struct, kw_only=True):
    """Parameters on one GPU of a stage: in dense parts, in routed experts, in the embeddings."""

    dense: Column
    routed: Column
    ends: Column


def held_params(c: Cases, layers: Column, ends: Column, moe_share: Column | None = None) -> HeldParams:
    """Count the parameters of a stage of `layers` layers and `ends` embeddings on one of its GPUs.

    `moe_share` of the layers have experts; by default as in the whole model.
    """
    heads = c.heads * (c.qk_dim + c.v_dim)
    kv = np.maximum(c.kv_heads, c.tp) * (c.qk_dim + c.v_dim)
    plain = c.hidden * (heads + kv) / c.tp
    low = np.where(c.q_rank > 0, c.q_rank, c.hidden)
    latent = (
        c.hidden * (c.q_rank + c.kv_rank + c.rope_dim)
        + (low * c.heads * c.qk_dim + c.kv_rank * c.heads * (c.head_dim + c.v_dim)) / c.tp
        + c.heads * c.v_dim * c.hidden / c.tp
    )
    attention = np.where(c.kv_rank > 0, latent, plain)
    share = c.moe_layers / c.num_layers if moe_share is None else moe_share
    expert = c.gates * c.hidden * c.moe_ffn
    shared = c.shared_experts * expert / c.tp + c.hidden * c.experts
    ffn = (1 - share) * c.gates * c.hidden * c.ffn / c.tp + share * shared
    return HeldParams(
        dense=layers * (attention + ffn + 2 * c.hidden),
        routed=layers * share * expert * c.experts / (c.ep * c.etp),
        ends=ends * c.vocab * c.hidden / c.tp,
    )


def stage_layers(c: Cases) -> Column:
    """Return the layers of the fullest stage; where they do not divide, the fullest rules."""
    return np.ceil(c.num_layers / c.pp - 1e-9)


def stage_memory(c: Cases, stage: Column, grad_bytes: Column, logit_bytes: Column) -> StageMemory:
    """Return what one GPU of pipeline stage `stage` (0 the first) holds.

    States: weights 2, gradients `grad_bytes`, Adam 12 bytes a parameter (arXiv 1910.02054, K = 12), spread by
    ZeRO; experts spread over the replicas of their group. ZeRO 2 spreads gradients only without pipelining,
    which must add up micro batches. FSDP (ZeRO 3) keeps its weights spread, and two gathered layers. Stage i
    of 1F1B holds p - i micro batches; interleaved 1 + (p-1)/(pv) times as much on the first (arXiv
    2205.05198, section 4.2.3).
    """
    last = stage >= c.pp - 1
    first = stage <= 0
    full = stage_layers(c)
    layers = np.where(last, np.maximum(c.num_layers - (c.pp - 1) * full, 1.0), full)
    ends = np.where(c.pp > 1, first * 1.0 + last * 1.0, 2.0 - c.is_tied)
    # The dense layers of a model of experts come first.
    dense = np.clip(c.num_layers - c.moe_layers - stage * full, 0.0, layers)
    share = np.where(c.moe_layers > 0, 1 - dense / layers, 0.0)
    params = held_params(c, layers, ends, share)
    own = params.dense + params.ends
    group = np.where(c.shard > 0, c.shard, c.replicas)

    def spread(level: float) -> Column:
        return np.where(
            c.zero >= level,
            own / group + params.routed / np.minimum(c.expert_replicas, group),
            own + params.routed,
        )

    two = 2.0 * 2.0 * (params.dense + params.routed) / np.maximum(layers, 1.0) + 2.0 * params.ends
    held = np.where(c.zero >= 3, spread(3) * 2.0 + two, 2.0 * (own + params.routed))
    flight = np.minimum(c.pp - stage, np.maximum(c.micro_batches, 1.0))
    more = np.where((c.vpp > 1) & (c.pp > 1), 1 + (c.pp - 1) / (c.pp * c.vpp), 1.0)
    once = layer_activations(c)
    kept = c.kept * once + (1 - c.kept) * boundary(c)
    # Sequence parallelism works on gathered copies: the input of both blocks, and its gradient.
    gathered = np.where(c.is_sp > 0, 4 * 2.0 * c.tokens * c.hidden, 0.0)
    has_head = last | (c.pp <= 1)
    table = c.vocab * c.hidden / c.tp
    return StageMemory(
        weights=held,
        gradients=grad_bytes * np.where((c.zero == 2) & (c.pp > 1), own + params.routed, spread(2)),
        optimizer=12.0 * spread(1),
        activations=layers * kept * flight * more,
        logits=np.where(has_head, logit_bytes * c.tokens * c.vocab / c.tp, 0.0),
        work=np.where(c.recompute > 0, once, 0.0) + gathered + np.where(has_head, 4.0, 2.0) * table,
        overhead=np.full_like(held, CONTEXT_BYTES),
    )


def boundary(c: Cases) -> Column:
    """Return the bytes of a layer's input, which full recompute keeps: 2 s b h, over t with SP."""
    return 2.0 * c.tokens * c.hidden / np.where(c.is_sp > 0, c.tp, 1.0)


def layer_activations(c: Cases) -> Column:
    """Return the bytes that one layer keeps of one micro batch without recompute, 16 bit, flash attention.

    Inputs and outputs of two norms 8 h, queries, keys, values and the output of attention, both sides of the
    activation (arXiv 2205.05198 section 4.1, without dropout); experts keep top_k copies of a token.
    Unfused attention keeps 5 a s bytes a token more (same, equation 1), selective recompute drops them.
    """
    wide = 8.0 * c.hidden / np.where(c.is_sp > 0, c.tp, 1.0)
    heads = c.heads * (c.qk_dim + c.v_dim) + np.maximum(c.kv_heads, c.tp) * (c.qk_dim + c.v_dim)
    share = c.moe_layers / c.num_layers
    routed = c.top_k * (4.0 * c.hidden / c.tp + 2.0 * c.gates * c.moe_ffn / c.tp)
    shared = 2.0 * c.gates * c.moe_ffn * c.shared_experts / c.tp
    ffn = (1 - share) * 2.0 * c.gates * c.ffn / c.tp + share * (routed + shared)
    scores = np.where((c.is_unfused > 0) & (c.is_selective <= 0), 5.0 * c.heads * c.seq / c.tp, 0.0)
    return c.tokens * (wide + 2.0 * heads / c.tp + ffn + scores)
