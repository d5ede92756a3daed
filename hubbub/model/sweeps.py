"""Parts of a layer with hand-made gradients, for the CPU, where each sweep over memory counts; no weights.

On a GPU the compiler fuses the plain forms. Under autocast a result has the low precision at once.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor


def low_precision(x: Tensor) -> torch.dtype:
    """Return the precision that matrix products of `x` run in."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype


def is_swept(x: Tensor) -> bool:
    """Tell whether the forms of this file are the faster ones for `x`: where gradients follow.

    Elsewhere torch's own round as transformers does, to the bit.
    """
    return x.device.type == "cpu" and torch.is_grad_enabled() and not torch.compiler.is_compiling()


def norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Return the root-mean-square norm (arXiv 1910.07467) of x [..., C] times weight [C]."""
    out: Tensor = _Norm.apply(x, weight, eps)  # type: ignore[no-untyped-call]
    return out


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the pairs (d, d + D/2) of x [B, H, T, D] by the angles of [T, D/2]."""
    out: Tensor = _Rotate.apply(x, cos, sin)  # type: ignore[no-untyped-call]
    return out


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Return causal attention [B, H, T, D], made with whole matrices.

    For bfloat16: torch's flash kernel for CPUs takes 1.5 to 4 times as long forth and back (torch 2.13).
    """
    out: Tensor = _Attend.apply(q, k, v)  # type: ignore[no-untyped-call]
    return out


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        scale = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
        scale = scale.square_().div_(x.shape[-1]).add_(eps).rsqrt_()
        ctx.save_for_backward(x, weight, scale)
        out: Tensor = (x * scale).mul_(weight)
        return out.to(low_precision(x))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, scale = ctx.saved_tensors
        unit = (x * scale).view(-1, x.shape[-1])
        grad = grads[0].reshape(unit.shape).to(unit.dtype)
        product = grad * unit
        along = torch.mv(product, weight.to(unit.dtype)).div_(-x.shape[-1])
        grad_x = unit.mul_(along[:, None]).addcmul_(grad, weight.to(unit.dtype)).view(x.shape).mul_(scale)
        return grad_x.to(x.dtype), product.sum(0).to(weight.dtype), None


class _Rotate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turn(x, cos, sin, 1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors  # the gradient is the rotation back
        return _turn(grads[0], cos, sin, -1), None, None


def _turn(x: Tensor, cos: Tensor, sin: Tensor, sign: int) -> Tensor:
    half = x.shape[-1] // 2
    out = torch.empty_like(x)
    a, b = x[..., :half], x[..., half:]
    torch.mul(a, cos, out=out[..., :half]).addcmul_(b, sin, value=-sign)
    torch.mul(b, cos, out=out[..., half:]).addcmul_(a, sin, value=sign)
    return out


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *qkv: Tensor) -> Tensor:
        ctx.shape = rows, heads, length, size = qkv[0].shape
        q, k, v = (x.reshape(rows * heads, length, size) for x in qkv)
        ctx.scale = 1.0 / math.sqrt(size)
        later = q.new_full((length, length), float("-inf")).triu_(1).expand(rows * heads, length, length)
        seen = torch.softmax(torch.baddbmm(later, q, k.mT, alpha=ctx.scale), -1)
        ctx.save_for_backward(q, k, v, seen)
        return torch.bmm(seen, v).view(ctx.shape)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
        q, k, v, seen = ctx.saved_tensors
        grad = grads[0].reshape(q.shape)
        turned = torch._softmax_backward_data(torch.bmm(grad, v.mT), seen, -1, seen.dtype).mul_(ctx.scale)
        back = (torch.bmm(turned, k), torch.bmm(turned.mT, q), torch.bmm(seen.mT, grad))
        return tuple(x.view(ctx.shape) for x in back)
