"""Cross entropy over a large vocabulary in chunks, so that logits never fill memory; nothing else."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

IGNORED = -100
"""A target that counts for nothing (torch's and transformers' convention)."""
_CHUNK_ELEMENTS = {"cpu": 1 << 21, "cuda": 1 << 28}
"""Logits that are there at a time: 8 MB stay near a CPU's caches, 1 GB fills a GPU."""


def chunked_loss(x: Tensor, head: Tensor, targets: Tensor, num_targets: Tensor | float | None) -> Tensor:
    """Return the mean negative log likelihood of `targets` [B, T] under states x [B, T, C], in nats."""
    targets = targets.reshape(-1)
    if num_targets is None:
        num_targets = (targets != IGNORED).sum().clamp(min=1)
    total: Tensor = _Loss.apply(x.reshape(-1, x.shape[-1]), head, targets)  # type: ignore[no-untyped-call]
    return total / num_targets


class _Loss(torch.autograd.Function):
    """Sum of losses; gradients are made with it, chunk by chunk (as in Liger, arXiv 2410.10989)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, head: Tensor, targets: Tensor) -> Tensor:
        is_training = any(ctx.needs_input_grad)
        low = torch.get_autocast_dtype(x.device.type) if torch.is_autocast_enabled(x.device.type) else x.dtype
        x_low, head_low = x.to(low), head.to(low)
        grad_x = torch.empty_like(x_low) if is_training else None
        grad_head = torch.zeros(head.shape, dtype=torch.float32, device=x.device) if is_training else None
        total = torch.zeros((), dtype=torch.float32, device=x.device)
        size = max(_CHUNK_ELEMENTS.get(x.device.type, 1 << 28) // head.shape[0], 16)
        with torch.autocast(x.device.type, enabled=False):
            for start in range(0, len(x), size):
                part = slice(start, start + size)
                logits = F.linear(x_low[part], head_low).float()
                is_counted = (targets[part] != IGNORED)[:, None]
                picked = targets[part].clamp(min=0)[:, None]
                norms = logits.logsumexp(-1, keepdim=True)
                total += ((norms - logits.gather(1, picked)) * is_counted).sum()
                if grad_x is not None and grad_head is not None:
                    grad = logits.sub_(norms).exp_()
                    grad.scatter_add_(1, picked, torch.full_like(norms, -1.0))
                    low_grad = (grad * is_counted).to(low)
                    torch.mm(low_grad, head_low, out=grad_x[part])
                    grad_head += low_grad.T @ x_low[part]
        if grad_x is not None and grad_head is not None:
            ctx.save_for_backward(grad_x, grad_head)
            ctx.dtypes = x.dtype, head.dtype
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor, Tensor, None]:
        grad_x, grad_head = ctx.saved_tensors
        return (grad_x * grads[0]).to(ctx.dtypes[0]), (grad_head * grads[0]).to(ctx.dtypes[1]), None
