"""AdamW for all weights, or Muon for the matrices inside the layers; the learning rate is the schedule's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from hubbub.errors import InvalidInput

BETAS = (0.9, 0.95)
"""As GPT-3 (arXiv 2005.14165, appendix B) and Llama (arXiv 2302.13971) train."""
OPTIMIZERS = ("adamw", "muon")


class ShardedMuon(torch.optim.Muon):
    """Torch's Muon, which needs whole matrices, also for matrices that FSDP has cut.

    Moments stay cut; the matrix to orthogonalise is gathered, so that any number of ranks does the same.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Do one step."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._step_one(p, group)

    def _step_one(self, p: Tensor, group: dict[str, Any]) -> None:
        state = self.state[p]
        assert p.grad is not None
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(p.grad)
        moment = state["momentum_buffer"]
        moment.lerp_(p.grad, 1 - group["momentum"])
        update = p.grad.lerp(moment, group["momentum"])
        whole = update.full_tensor() if isinstance(update, DTensor) else update
        whole = orthogonal(whole, group["ns_coefficients"], group["ns_steps"])
        if isinstance(p, DTensor):
            whole = distribute_tensor(whole, p.device_mesh, p.placements, src_data_rank=None)
        p.mul_(1 - group["lr"] * group["weight_decay"])
        p.add_(whole, alpha=-group["lr"] * 0.2 * max(p.shape) ** 0.5)  # AdamW's size: arXiv 2502.16982


def orthogonal(matrix: Tensor, coefficients: tuple[float, float, float], num_steps: int) -> Tensor:
    """Return roughly the nearest orthogonal matrix: Newton-Schulz in bf16 (kellerjordan.github.io)."""
    a, b, c = coefficients
    x = matrix.bfloat16()
    is_tall = x.shape[0] > x.shape[1]
    x = x.T if is_tall else x
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(num_steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.T if is_tall else x).to(matrix.dtype)


class Optimizers:
    """One or two optimisers as one; `set_rate` sets all their learning rates."""

    def __init__(self, model: nn.Module, name: str, rate: float, weight_decay: float) -> None:
        """Take every weight that wants a gradient; norms and the embedding do not decay.

        Raises:
            InvalidInput: there is no such optimiser, or nothing to train.
        """
        if name not in OPTIMIZERS:
            raise InvalidInput(f"optimizer {name!r} is none of {', '.join(OPTIMIZERS)}")
        named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        if not named:
            raise InvalidInput("no weight of the model wants a gradient; there is nothing to train")
        inner = [p for n, p in named if p.ndim == 2 and ".layers." in n]
        outer = [p for n, p in named if not (p.ndim == 2 and ".layers." in n)]
        self.rate = rate
        self.each: list[torch.optim.Optimizer] = []
        if name == "muon" and inner:
            self.each.append(ShardedMuon(inner, lr=rate, weight_decay=weight_decay))
            inner = []
        groups = [{"params": inner, "weight_decay": weight_decay}, {"params": outer, "weight_decay": 0.0}]
        groups = [group for group in groups if group["params"]]
        if groups:
            self.each.append(torch.optim.AdamW(groups, lr=rate, betas=BETAS, fused=True))
        self.weights = [p for _, p in named]

    def step(self, factor: float) -> None:
        """Do one step at `factor` times the learning rate."""
        for optimizer in self.each:
            for group in optimizer.param_groups:
                group["lr"] = self.rate * factor
            optimizer.step()

    def zero(self) -> None:
        """Forget the gradients."""
        for optimizer in self.each:
            optimizer.zero_grad(set_to_none=True)

    def norm(self) -> Tensor:
        """Return the length of all gradients together, over all ranks."""
        norm = torch.nn.utils.get_total_norm(self._gradients())
        return norm.full_tensor() if isinstance(norm, DTensor) else norm

    def scale(self, factor: float) -> None:
        """Multiply all gradients."""
        torch._foreach_mul_(self.local_gradients(), factor)

    def local_gradients(self) -> list[Tensor]:
        """Return this rank's parts of all gradients."""
        return [g.to_local() if isinstance(g, DTensor) else g for g in self._gradients()]

    def _gradients(self) -> list[Tensor]:
        return [p.grad for p in self.weights if p.grad is not None]
