"""The time of a step, put together: stages, bubble, exposed traffic, optimizer (docs/plan.md).

One formula for one run and for a million; its cost does not grow with the number of micro batches.
"""

from __future__ import annotations

import msgspec
import numpy as np

from hubbub.plan import compute, network
from hubbub.plan.cases import Cases, Column
from hubbub.plan.stacks import Tuning


class StepTime(msgspec.Struct, kw_only=True):
    """Seconds of one step, and where they go; the parts add up to `total_s`."""

    total_s: Column
    compute_s: Column
    tensor_s: Column
    expert_s: Column
    context_s: Column
    host_s: Column
    pipeline_s: Column
    bubble_s: Column
    data_s: Column
    optimizer_s: Column


def shard_params(c: Cases) -> tuple[Column, Column, Column]:
    """Return what one GPU of the fullest stage holds: dense parameters, expert parameters, embeddings."""
    attn = np.where(
        c.kv_rank > 0,
        c.hidden * (c.q_rank + c.kv_rank + c.rope_dim)
        + (np.where(c.q_rank > 0, c.q_rank, c.hidden) * c.heads * c.qk_dim
        + c.kv_rank * c.heads * (c.head_dim + c.v_dim)
        + c.heads * c.v_dim * c.hidden) / c.tp,
        c.hidden * c.head_dim * (2 * c.heads + 2 * np.maximum(c.kv_heads, c.tp)) / c.tp,
    )
    layers = stage_layers(c)
    moe = layers * c.moe_layers / c.num_layers
    dense_ffn = c.gates * c.hidden * c.ffn / c.tp
    expert = c.gates * c.hidden * c.moe_ffn
    dense = layers * (attn + 2 * c.hidden) + (layers - moe) * dense_ffn
    dense = dense + moe * (c.shared_experts * expert / c.tp + c.hidden * c.experts)
    routed = moe * expert * c.experts / (np.maximum(c.ep, 1.0) * c.etp)
    ends = np.where((c.pp > 1) | (c.is_tied > 0), 1.0, 2.0)
    return dense, routed, ends * c.vocab * c.hidden / c.tp


def stage_layers(c: Cases) -> Column:
    """Return the layers of the fullest stage; where they do not divide, the slowest stage rules."""
    return np.ceil(c.num_layers / c.pp - 1e-9)


def step_time(c: Cases, t: Tuning) -> StepTime:
    """Return the seconds of one step of every case.

    stage (m + (p-1)/v) + exposed data parallelism + optimizer, with stage the slowest stage's time of a
    micro batch (arXiv 2104.04473 section 2.2).
    """
    m, layers = c.micro_batches, stage_layers(c)
    work, comm = _layer(c, t)
    share = c.moe_layers / c.num_layers
    gpu = work + comm[0] + comm[1] + comm[2]
    # The host queues kernels for every pass; the GPU waits where it is the faster of the two.
    waits = 2.0 + c.recompute
    host = waits * ((1 - share) * t.host_s + share * t.moe_host_s)
    idle = np.maximum(host - gpu, 0.0)
    layer = gpu + idle
    head = compute.logits(c, t)
    last = c.num_layers - (c.pp - 1) * layers
    full = layers * layer
    tail = np.maximum(last, 0.0) * layer + head
    stage = np.where(c.pp > 1, np.maximum(full, tail), full + head)
    mean = (c.num_layers * layer + head) / c.pp
    hop = network.send(c, t, 2.0 * c.tokens * c.hidden / c.tp, c.tp * c.cp * c.dp)
    sends = 2.0 * c.vpp * hop * t.pp_seen
    bubble = (c.pp - 1) / c.vpp * (mean + sends)
    data = _data(c, t, stage, layer)
    dense, routed, ends = shard_params(c)
    spread = np.where(c.zero >= 1, c.dp * c.cp, 1.0)
    opt = compute.optimizer(c, (dense + ends) / spread + routed / np.maximum(spread * c.tp / np.maximum(c.ep * c.etp, 1.0), 1.0)) + t.step_s
    total = m * (stage + sends) + bubble + data + opt
    busy = m * (stage - layers * (comm[0] + comm[1] + comm[2] + idle))
    return StepTime(
        total_s=total,
        compute_s=busy,
        tensor_s=m * layers * comm[0],
        expert_s=m * layers * comm[1],
        context_s=m * layers * comm[2],
        host_s=m * layers * idle,
        pipeline_s=m * sends,
        bubble_s=bubble + 0 * total,
        data_s=data + 0 * total,
        optimizer_s=opt + 0 * total,
    )


def _layer(c: Cases, t: Tuning) -> tuple[Column, tuple[Column, Column, Column]]:
    """Return a layer's seconds of work, and of exposed tensor, expert and context traffic, forward and back."""
    again = c.recompute
    proj, attn = compute.projections(c, t), compute.attention(c, t)
    passes, dense = compute.memory_passes(c, t), compute.feed_forward(c, t)
    share = c.moe_layers / c.num_layers
    ffn_f, ffn_b = dense.forward, dense.backward
    if np.any(c.experts > 0):
        moe = compute.experts(c, t)
        ffn_f = np.where(share > 0, (1 - share) * ffn_f + share * moe.forward, ffn_f)
        ffn_b = np.where(share > 0, (1 - share) * ffn_b + share * moe.backward, ffn_b)
    core = attn.forward * np.where(c.is_selective > 0, np.maximum(c.is_unfused, 0.0), 0.0)
    forward = proj.forward + attn.forward + passes.forward + ffn_f
    backward = proj.backward + attn.backward + passes.backward + ffn_b
    return forward * (1 + again) + backward + core, (
        _tensor(c, t) * (2 + again) / 2,
        _expert(c, t, share) * (2 + again) / 2,
        _context(c, t, attn) * (1 + again / 3),
    )


def _tensor(c: Cases, t: Tuning) -> Column:
    """Return the exposed seconds of tensor parallelism, forward and backward of one layer.

    Two all-reduces of 2 s b h bytes each way; with sequence parallelism a gather and a scatter in their
    place, of the same bytes (arXiv 2205.05198 section 4.2.2). Experts that are not split need half.
    """
    size = 2.0 * c.tokens * c.hidden
    once = np.where(
        c.is_sp > 0,
        2 * network.all_gather(c, t, size, c.tp, np.ones_like(c.tp)),
        network.all_reduce(c, t, size, c.tp, np.ones_like(c.tp)),
    )
    share = c.moe_layers / c.num_layers
    times = 4.0 - 2.0 * share * np.where(c.etp < c.tp, 1.0, 0.0)
    return times * once * t.tp_seen


def _expert(c: Cases, t: Tuning, share: Column) -> Column:
    """Return the exposed seconds of sending tokens to experts and back, forward and backward, a layer."""
    if not np.any(c.ep > 1):
        return np.zeros_like(c.tokens * c.ep)
    size = c.tokens / c.tp * c.top_k * c.hidden * 2.0
    both = network.all_to_all(c, t, size, c.ep, c.etp)
    return np.where(c.ep > 1, 4.0 * share * both * t.ep_seen, 0.0)


def _context(c: Cases, t: Tuning, attn: compute.LayerTime) -> Column:
    """Return the exposed seconds of exchanging keys and values, forward and backward, a layer.

    A ring hides under the attention of the blocks that are there (arXiv 2310.01889); what is longer shows.
    """
    if not np.any(c.cp > 1):
        return np.zeros_like(c.tokens * c.cp)
    kv = 2.0 * 2.0 * c.tokens * np.maximum(c.kv_heads / c.tp, 1.0) * (c.qk_dim + c.v_dim) / 2
    gather = network.all_gather(c, t, kv * c.cp, c.cp, c.tp)
    shown = np.maximum(3.0 * gather - (attn.forward + attn.backward), 0.0) + 3.0 * gather * t.cp_seen
    return np.where(c.cp > 1, shown, 0.0)


def _data(c: Cases, t: Tuning, stage: Column, layer: Column) -> Column:
    """Return the exposed seconds of data parallelism in one step.

    ZeRO 0 to 2: scatter gradients and gather weights once a step, hidden under one micro batch but for a
    share. ZeRO 3: gather twice and scatter once for every micro batch, hidden under that micro batch.
    """
    dense, routed, ends = shard_params(c)
    replicas = c.dp * c.cp
    own = dense + ends
    few = np.maximum(replicas * c.tp / np.maximum(c.ep * c.etp, 1.0), 1.0)
    stride, wide = c.tp, np.maximum(c.ep * c.etp, c.tp)
    group = np.where(c.shard > 0, c.shard, replicas)

    def once(num_bytes: Column) -> Column:
        return network.all_gather(c, t, num_bytes * own, group, stride) + network.all_gather(
            c, t, num_bytes * routed, few, wide
        )

    weights = 2.0
    plain = once(t.grad_bytes) + once(np.full_like(t.grad_bytes, weights))
    shown = plain * t.dp_seen + np.maximum(plain * (1 - t.dp_seen) - stage, 0.0)
    m = c.micro_batches
    layers = stage_layers(c)
    # Buckets are one layer each, so latency is paid a layer.
    wait = 3.0 * layers * network.latency(c, t, group, stride, c.gather_alpha)
    heavy = 2 * once(np.full_like(t.grad_bytes, weights)) + once(np.full_like(t.grad_bytes, 2.0)) + wait
    shown3 = m * (np.maximum(heavy - stage, 0.0) + np.minimum(heavy, stage) * t.dp_seen)
    across = np.where(c.shard > 0, network.all_reduce(c, t, 2.0 * own / np.maximum(c.shard, 1.0), np.maximum(replicas / np.maximum(c.shard, 1.0), 1.0), c.tp * np.maximum(c.shard, 1.0)), 0.0)
    exposed = np.where(c.zero >= 3, shown3, shown) + across * t.dp_seen
    return np.where(replicas > 1, exposed, 0.0)
