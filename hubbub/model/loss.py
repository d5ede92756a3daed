"""Cross entropy over a large vocabulary in chunks, so that logits never fill memory; nothing else."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hubbub.model.sweeps import is_swept, low_precision

IGNORED = -100
"""A target that counts for nothing (torch's and transformers' convention)."""
_CHUNK_ELEMENTS = {"cpu": 1 << 21, "cuda": 1 << 28}
"""Logits that are there at a time: 8 MB stay near a CPU's caches, 1 GB fills a GPU."""


def chunked_loss(x: Tensor, head: Tensor, targets: Tensor, num_targets: Tensor | float | None) -> Tensor:
    """Return the mean negative log likelihood of `targets` [B, T] under states x [B, T, C], in nats."""
    x, targets = x.reshape(-1, x.shape[-1]), targets.reshape(-1)
    is_counted = targets != IGNORED
    if num_targets is None:
        num_targets = is_counted.sum().clamp(min=1)
    if is_swept(x) and not bool(is_counted.all()):  # padding and prompts then cost no logits
        x, targets, is_counted = x[is_counted], targets[is_counted], is_counted[is_counted]
    total: Tensor = _Loss.apply(x, head, targets, is_counted)  # type: ignore[no-untyped-call]
    return total / num_targets


class _Loss(torch.autograd.Function):
    """Sum of losses; gradients are made with it, chunk by chunk (as in Liger, arXiv 2410.10989)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, head: Tensor, targets: Tensor, is_counted: Tensor) -> Tensor:
        low = low_precision(x)
        x_low, head_low = x.to(low), head.to(low)
        is_training = any(ctx.needs_input_grad)
        grads = (
            (torch.empty_like(x_low), torch.zeros_like(head, dtype=torch.float32)) if is_training else None
        )
        total = torch.zeros((), dtype=torch.float32, device=x.device)
        size = max(_CHUNK_ELEMENTS.get(x.device.type, 1 << 28) // head.shape[0], 16)
        with torch.autocast(x.device.type, enabled=False):
            for start in range(0, len(x), size):
                part = slice(start, start + size)
                picked = targets[part].clamp(min=0)[:, None]
                logs = F.linear(x_low[part], head_low).log_softmax(-1, dtype=torch.float32)
                total -= logs.gather(1, picked)[:, 0].mul_(is_counted[part]).sum()
                if grads is not None:
                    grad = logs.exp_().scatter_add_(1, picked, logs.new_full(picked.shape, -1.0))
                    low_grad = (grad if is_swept(x) else grad * is_counted[part, None]).to(low)
                    torch.mm(low_grad, head_low, out=grads[0][part])
                    grads[1].add_(low_grad.T @ x_low[part])
        if grads is not None:
            ctx.save_for_backward(*grads)
            ctx.dtypes = x.dtype, head.dtype
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor, Tensor, None, None]:
        grad_x, grad_head = ctx.saved_tensors
        return (grad_x * grads[0]).to(ctx.dtypes[0]), (grad_head * grads[0]).to(ctx.dtypes[1]), None, None
