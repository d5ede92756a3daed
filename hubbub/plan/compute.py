"""The time that one GPU computes: matrix products by measured curves, attention, passes over memory.

Times are seconds of one micro batch. It knows no network.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from hubbub.plan.cases import Cases, Column
from hubbub.plan.stacks import Tuning

# Kernels are queued ahead of the GPU, so little of the start t0 of a lone product shows: a third, by eye.
START = 0.3
# The backward kernel runs at 1/1.25 of the forward's rate (FlashAttention-2, arXiv 2307.08691, figures 5, 6).
FLASH_BACK = 1.25


class LayerTime(msgspec.Struct, kw_only=True):
    """Seconds of one layer and one micro batch, forward and backward; recompute is not counted."""

    forward: Column
    backward: Column


def gemm_s(curve: tuple[Column, ...], m: Column, n: Column, k: Column, bytes_per_s: Column) -> Column:
    """Return the seconds of one m x k by k x n product.

    max(2mnk / rate (1 + m0/m)(1 + n0/n)(1 + k0/k), bytes / memory) + t0, with the constants of gemm_fit.csv.
    """
    rate, m0, n0, k0, t0 = curve
    work = 2.0 * m * n * k / rate * (1 + m0 / m) * (1 + n0 / n) * (1 + k0 / k)
    moved = 2.0 * (m * k + k * n + m * n) / bytes_per_s
    return np.maximum(work, moved) + t0 * 1e-6


def linear_s(
    curve: tuple[Column, ...], m: Column, n: Column, k: Column, hbm: Column
) -> tuple[Column, Column]:
    """Return the seconds of a linear layer, forward and backward: the gradients of input and of weight."""
    forward = gemm_s(curve, m, n, k, hbm)
    return forward, gemm_s(curve, m, k, n, hbm) + gemm_s(curve, k, n, m, hbm)


def slim(c: Cases, t: Tuning) -> tuple[Column, ...]:
    """Return the curve of the layers' precision, at the clock that a long run sustains."""
    return c.slim * t.slim_clock, c.slim_m0, c.slim_n0 * t.cast, c.slim_k0, c.slim_t0 * START


def wide(c: Cases, t: Tuning) -> tuple[Column, ...]:
    """Return the curve of 16 bit: what stays so in every recipe, such as the logits."""
    return c.wide * t.wide_clock, c.wide_m0, c.wide_n0, c.wide_k0, c.wide_t0 * START


def projections(c: Cases, t: Tuning) -> LayerTime:
    """Return the time of the four projections around attention (MLA: six)."""
    curve, tokens = slim(c, t), c.tokens
    width = c.heads * c.qk_dim / c.tp
    if np.any(c.kv_rank > 0):
        mla = _latent(c, curve, tokens, width)
    out_f, out_b = linear_s(curve, tokens, c.hidden, c.heads * c.v_dim / c.tp, c.hbm)
    kv = np.maximum(c.kv_heads / c.tp, 1.0)
    in_f, in_b = linear_s(curve, tokens, width + kv * (c.qk_dim + c.v_dim), c.hidden, c.hbm)
    if np.any(c.kv_rank > 0):
        is_mla = c.kv_rank > 0
        in_f, in_b = np.where(is_mla, mla[0], in_f), np.where(is_mla, mla[1], in_b)
    return LayerTime(forward=in_f + out_f, backward=in_b + out_b)


def _latent(c: Cases, curve: tuple[Column, ...], tokens: Column, width: Column) -> tuple[Column, Column]:
    """Return the time of MLA's way in: down to the ranks, and up to the heads (arXiv 2412.19437)."""
    q, kv = np.maximum(c.q_rank, 1.0), np.maximum(c.kv_rank, 1.0)
    parts = [
        linear_s(curve, tokens, q, c.hidden, c.hbm),
        linear_s(curve, tokens, width, q, c.hbm),
        linear_s(curve, tokens, kv + c.rope_dim, c.hidden, c.hbm),
        linear_s(curve, tokens, c.heads * (c.head_dim + c.v_dim) / c.tp, kv, c.hbm),
    ]
    return np.asarray(sum(p[0] for p in parts)), np.asarray(sum(p[1] for p in parts))


def feed_forward(c: Cases, t: Tuning) -> LayerTime:
    """Return the time of a dense feed-forward."""
    return _mlp(c, t, c.tokens, np.maximum(c.ffn / c.tp, 1.0))


def _mlp(c: Cases, t: Tuning, tokens: Column, width: Column) -> LayerTime:
    curve = slim(c, t)
    up_f, up_b = linear_s(curve, tokens, (c.gates - 1) * width, c.hidden, c.hbm)
    down_f, down_b = linear_s(curve, tokens, c.hidden, width, c.hbm)
    return LayerTime(forward=up_f + down_f, backward=up_b + down_b)


def experts(c: Cases, t: Tuning) -> LayerTime:
    """Return the time of a layer's experts, shared ones too, at balanced load.

    A GPU holds E/ep experts, each split `etp` ways, and gets tokens x top_k / E of each; the products of one
    layer run as one grouped kernel, so the start t0 counts once, but each expert's rows are few.
    """
    curve = slim(c, t)
    count = np.maximum(c.experts / c.ep, 1.0)
    rows = c.tokens / c.tp * c.top_k * c.etp / count
    rows = np.maximum(rows, 1.0)
    width = np.maximum(c.moe_ffn / c.etp, 1.0)
    # Short rows: a grouped kernel works in tiles of 128 rows (CUTLASS), so it pads to them.
    rows = np.maximum(rows, 16.0)
    bare = (*curve[:4], np.zeros_like(curve[4]))
    up_f, up_b = linear_s(bare, rows, (c.gates - 1) * width, c.hidden, c.hbm)
    down_f, down_b = linear_s(bare, rows, c.hidden, width, c.hbm)
    shared = _mlp(c, t, c.tokens, np.maximum(c.moe_ffn * c.shared_experts / c.tp, 1.0))
    has = c.shared_experts > 0
    start = 6 * curve[4] * 1e-6
    # Permute and its inverse: every copied token is read and written, forward twice and backward twice.
    moved = c.tokens / c.tp * c.top_k * c.hidden * 2.0 * t.permute / c.hbm
    return LayerTime(
        forward=count * (up_f + down_f) + np.where(has, shared.forward, 0.0) + start + moved,
        backward=count * (up_b + down_b) + np.where(has, shared.backward, 0.0) + 2 * start + 2 * moved,
    )


def lacks_kernel(c: Cases, t: Tuning) -> NDArray[np.bool_]:
    """Tell where the stack has no fused kernel for latent attention; its recipes then recompute the core."""
    return (c.kv_rank > 0) & (t.latent_unfused > 0)


def unfused(c: Cases, t: Tuning) -> NDArray[np.bool_]:
    """Tell where attention is not one kernel: as asked, or for lack of one."""
    return (c.is_unfused > 0) | lacks_kernel(c, t)


def attention(c: Cases, t: Tuning) -> LayerTime:
    """Return the time of the attention itself, flash or unfused.

    Flash: 2 b s attended a (d_qk + d_v) operations at a share of the 16-bit peak, and 2.5 times as many
    backward (FlashAttention-2, arXiv 2307.08691, section 3.1.1: five products against two).
    """
    attended = t.window_seen * c.attended + (1 - t.window_seen) * c.seq / 2
    work = 2.0 * c.tokens * attended * c.heads / c.tp * (c.qk_dim + c.v_dim)
    # A causal mask cut into plain blocks leaves the last rank 2 - 1/c times the mean (Brandon et al.,
    # Striped Attention, arXiv 2311.09431); zigzag orders even it out.
    skew = 1 + t.cp_skew * (1 - 1 / c.cp)
    narrow = np.minimum(1.0, c.qk_dim / 128.0) ** t.flash_dim
    rate = c.peak16 * t.flash * narrow / (1 + t.flash_s0 / c.seq) / skew
    flash_f, flash_b = work / rate, 2.5 * work / rate * FLASH_BACK
    is_unfused = unfused(c, t)
    if not np.any(is_unfused):
        return LayerTime(forward=flash_f, backward=flash_b)
    # Unfused kernels compute the whole square, and move the scores of s x s through memory.
    square = 2.0 * c.tokens * c.seq * c.heads / c.tp * (c.qk_dim + c.v_dim)
    # cuBLAS needs rows of a multiple of 8 elements for tensor cores (BLOOM prequel, head dim 108: +40 %).
    odd = np.where(c.qk_dim % 8 == 0, 1.0, t.odd_head)
    bmm = square / (0.5 * c.peak16) * odd
    passes = c.tokens * c.seq * c.heads / c.tp * t.score_bytes / c.hbm
    unfused_f, unfused_b = bmm + passes, 2 * bmm + 1.5 * passes
    return LayerTime(
        forward=np.where(is_unfused, unfused_f, flash_f), backward=np.where(is_unfused, unfused_b, flash_b)
    )


def memory_passes(c: Cases, t: Tuning) -> LayerTime:
    """Return the time of what only moves memory: norms, residuals, dropout, activations, rotation.

    Bytes a token forward: 20 h for two norms and two residual additions, (2 g) f for the activation, 4 for
    each element of queries, keys and values (rotation and copies: much with MLA), 16-bit; backward twice
    that. `t.passes` counts how often, against a fused stack.
    """
    split = np.where(c.is_sp > 0, c.tp, 1.0)
    dense_width = c.ffn / c.tp
    moe_width = (c.moe_ffn * c.top_k / c.tp) + c.moe_ffn * c.shared_experts / c.tp
    share = c.moe_layers / c.num_layers
    width = (1 - share) * dense_width + share * moe_width
    kv = np.maximum(c.kv_heads / c.tp, 1.0)
    rotated = c.heads / c.tp * c.qk_dim + kv * (c.qk_dim + c.v_dim)
    row = 20.0 * c.hidden / split + 2.0 * c.gates * width + 4.0 * rotated
    moved = c.tokens * row * t.passes / c.hbm
    return LayerTime(forward=moved, backward=2 * moved)


def logits(c: Cases, t: Tuning) -> Column:
    """Return the seconds of logits and loss of one micro batch, forward and backward.

    The scores are read or written about 6 times in 32 bit (max, sum, softmax, gradient: Megatron's
    vocab_parallel_cross_entropy).
    """
    forward, backward = linear_s(wide(c, t), c.tokens, c.vocab / c.tp, c.hidden, c.hbm)
    return forward + backward + c.tokens * c.vocab / c.tp * 24.0 * t.passes / c.hbm


def optimizer(c: Cases, params: Column) -> Column:
    """Return the seconds of the optimizer on the parameters that one GPU updates.

    Adam reads gradient, weight and two moments in 32 bit, and writes three and the 16-bit copy: 30 bytes.
    """
    return params * 30.0 / c.hbm
