"""The time of a step, put together: stages, bubble, exposed traffic, optimizer (docs/plan.md).

One formula for one run and for a million; its cost does not grow with the number of micro batches.
"""

from __future__ import annotations

import msgspec
import numpy as np

from hubbub.plan import compute, network
from hubbub.plan.cases import Cases, Column
from hubbub.plan.memory import HeldParams, held_params, stage_layers
from hubbub.plan.stacks import Tuning

# Where the host waits for every kernel, the GPU waits while the next is queued and started: the host's time
# adds to the GPU's, and the start of each kernel, which a queue hides, to the host's: twice, by eye.
WAITED = 2.0


class StepTime(msgspec.Struct, kw_only=True):
    """Seconds of one step, and where they go; the parts add up to the total."""

    compute_s: Column
    tensor_s: Column
    expert_s: Column
    context_s: Column
    host_s: Column
    pipeline_s: Column
    bubble_s: Column
    data_s: Column
    optimizer_s: Column

    @property
    def total_s(self) -> Column:
        """Return the seconds of the step."""
        parts = [getattr(self, name) for name in self.__struct_fields__]
        total = parts[0] + parts[1]
        for part in parts[2:]:
            total = total + part
        return np.asarray(total)


class LayerCost(msgspec.Struct, kw_only=True):
    """Seconds of one layer and one micro batch, forward, backward and recompute."""

    work: Column
    tensor: Column
    expert: Column
    context: Column
    idle: Column

    @property
    def total(self) -> Column:
        """Return the sum."""
        return np.asarray(self.work + self.tensor + self.expert + self.context + self.idle)


def step_time(c: Cases, t: Tuning) -> StepTime:
    """Return the seconds of one step of every case.

    stage x (m + (p-1)/v) + exposed data parallelism + optimizer, with the slowest stage's time of a micro
    batch (arXiv 2104.04473 section 2.2); the bubble runs at the mean stage's. All of it times the family's
    scale, and a wait for the slowest of many that grows with the logarithm of their number.
    """
    m, layers = c.micro_batches, stage_layers(c)
    layer, head = layer_cost(c, t), compute.logits(c, t)
    last = np.maximum(c.num_layers - (c.pp - 1) * layers, 0.0)
    full = layers * layer.total
    stage = np.where(c.pp > 1, np.maximum(full, last * layer.total + head), full + head)
    mean = (c.num_layers * layer.total + head) / c.pp
    hop = network.send(c, t, 2.0 * c.tokens * c.hidden / c.tp, c.tp * c.cp * c.dp)
    sends = 2.0 * c.vpp * hop * t.pp_seen
    params = held_params(c, layers, np.where(c.pp > 1, 1.0, 2.0 - c.is_tied))
    rest = layer.total - layer.work
    scale = t.scale * (1 + t.jitter * np.log2(np.maximum(c.gpus / 8.0, 1.0)))
    scaled = m * scale
    return StepTime(
        compute_s=scaled * (stage - layers * rest),
        tensor_s=scaled * layers * layer.tensor,
        expert_s=scaled * layers * layer.expert,
        context_s=scaled * layers * layer.context,
        host_s=scaled * layers * layer.idle,
        pipeline_s=scaled * sends,
        bubble_s=scale * (c.pp - 1) / c.vpp * (mean + sends),
        data_s=scale * data_parallel(c, t, stage, params),
        optimizer_s=scale * (compute.optimizer(c, updated(c, params)) + t.step_s),
    )


def updated(c: Cases, params: HeldParams) -> Column:
    """Return the parameters that one GPU updates: all it holds, or its share under ZeRO, HSDP of a group."""
    replicas = np.where(c.zero >= 1, np.where(c.shard > 0, np.minimum(c.shard, c.replicas), c.replicas), 1.0)
    few = np.maximum(replicas * c.tp / np.maximum(c.ep * c.etp, 1.0), 1.0)
    return (params.dense + params.ends) / replicas + params.routed / few


def layer_cost(c: Cases, t: Tuning) -> LayerCost:
    """Return what a layer costs; the GPU idles where the host queues kernels more slowly than they run."""
    again, share = c.recompute, c.moe_layers / c.num_layers
    proj, attn = compute.projections(c, t), compute.attention(c, t)
    passes, ffn = compute.memory_passes(c, t), compute.feed_forward(c, t)
    if np.any(c.experts > 0):
        moe = compute.experts(c, t)
        ffn = compute.LayerTime(
            forward=np.where(share > 0, (1 - share) * ffn.forward + share * moe.forward, ffn.forward),
            backward=np.where(share > 0, (1 - share) * ffn.backward + share * moe.backward, ffn.backward),
        )
    forward = proj.forward + attn.forward + passes.forward + ffn.forward
    backward = proj.backward + attn.backward + passes.backward + ffn.backward
    is_again = ((c.is_selective > 0) & (c.is_unfused > 0)) | (compute.lacks_kernel(c, t) & (again < 1))
    core = np.where(is_again, attn.forward, 0.0)
    work = forward * (1 + again) + backward + core
    tensor = tensor_parallel(c, t) * (2 + again) / 2
    expert = expert_parallel(c, t) * (2 + again) / 2
    context = context_parallel(c, t, attn) * (1 + again / 3)
    host = (2.0 + again) * (t.host_s + share * (t.moe_host_s + t.expert_host_s * c.experts / c.ep))
    idle = np.maximum(host - (work + tensor + expert + context), 0.0)
    idle = np.where(t.is_blocking > 0, WAITED * host, idle)
    return LayerCost(work=work, tensor=tensor, expert=expert, context=context, idle=idle)


def tensor_parallel(c: Cases, t: Tuning) -> Column:
    """Return the exposed seconds of tensor parallelism, forward and backward of one layer.

    Two all-reduces of 2 s b h bytes each way; with sequence parallelism a gather and a scatter in their
    place, of the same bytes (arXiv 2205.05198 section 4.2.2). Experts that are not split need half.
    """
    size, one = 2.0 * c.tokens * c.hidden, np.ones_like(c.tp)
    once = np.where(
        c.is_sp > 0, 2 * network.all_gather(c, t, size, c.tp, one), network.all_reduce(c, t, size, c.tp, one)
    )
    share = c.moe_layers / c.num_layers
    times = 4.0 - 2.0 * share * np.where(c.etp < c.tp, 1.0, 0.0)
    return np.asarray(times * once * t.tp_seen)


def expert_parallel(c: Cases, t: Tuning) -> Column:
    """Return the exposed seconds of sending tokens to experts and back, forward and backward, a layer."""
    if not np.any(c.ep > 1):
        return np.zeros_like(c.tokens)
    size = c.tokens / c.tp * c.top_k * c.hidden * 2.0
    both = network.all_to_all(c, t, size, c.ep, c.etp, np.maximum(c.top_k, 1.0))
    share = c.moe_layers / c.num_layers
    return np.where(c.ep > 1, 4.0 * share * both * t.ep_seen, 0.0)


def context_parallel(c: Cases, t: Tuning, attn: compute.LayerTime) -> Column:
    """Return the exposed seconds of exchanging keys and values, forward and backward, a layer.

    A ring hides under the attention of the blocks that are there (arXiv 2310.01889); what is longer shows,
    and a share of the rest.
    """
    if not np.any(c.cp > 1):
        return np.zeros_like(c.tokens)
    heads = np.maximum(c.kv_heads / c.tp, 1.0)
    gather = network.all_gather(c, t, 2.0 * c.tokens * c.cp * heads * (c.qk_dim + c.v_dim), c.cp, c.tp)
    longer = np.maximum(3.0 * gather - (attn.forward + attn.backward), 0.0)
    return np.where(c.cp > 1, longer + 3.0 * gather * t.cp_seen, 0.0)


def data_parallel(c: Cases, t: Tuning, stage: Column, params: HeldParams) -> Column:
    """Return the exposed seconds of data parallelism in one step.

    ZeRO 0 to 2: scatter gradients and gather weights once a step, 2 bytes each, hidden under one micro batch
    but for a share. ZeRO 3: gather twice and scatter once for every micro batch, hidden under that micro
    batch but for a share; buckets are one layer, so latency is paid a layer. HSDP adds an all-reduce of the
    shards across the groups.
    """
    replicas = c.replicas
    group = np.where(c.shard > 0, np.minimum(c.shard, replicas), replicas)
    own = params.dense + params.ends
    once = network.all_gather(c, t, 2.0 * own, group, c.tp)
    if np.any(params.routed > 0):
        apart = network.all_gather(
            c, t, 2.0 * params.routed, c.expert_replicas, np.maximum(c.ep * c.etp, c.tp)
        )
        once = once + np.where(params.routed > 0, apart, 0.0)
    plain = 2 * once
    shown = plain * t.dp_seen + np.maximum(plain * (1 - t.dp_seen) - stage, 0.0)
    if np.any(c.zero >= 3):
        wait = 3.0 * stage_layers(c) * network.latency(c, group, c.tp, c.gather_alpha)
        heavy = 3 * once + wait
        each = np.maximum(heavy - stage, 0.0) + np.minimum(heavy, stage) * t.dp_seen
        shown = np.where(c.zero >= 3, c.micro_batches * each, shown)
    if np.any(c.shard > 0):
        across = network.all_reduce(c, t, 2.0 * own / group, replicas / group, c.tp * group)
        shown = shown + np.where(c.shard > 0, across * t.dp_seen, 0.0)
    return np.where(replicas > 1, shown, 0.0)
