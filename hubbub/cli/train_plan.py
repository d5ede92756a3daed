"""What `plan` knows of a run: its settings from a RunSpec, the GPU's peak, the step that it predicts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from hubbub.errors import HubbubError, InvalidInput
from hubbub.specs import ClusterSpec, GpuSpec, Layout, ModelSpec, RunSpec

if TYPE_CHECKING:
    from hubbub.train.recipe import TrainSettings
    from hubbub.train.rundir import Run


def read_spec(path: Path) -> RunSpec:
    """Read a run from TOML.

    Raises:
        InvalidInput: it is no run; the message names the field.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=RunSpec)
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidInput(f"{str(path)!r} is no run: {error}; docs/train.md shows one") from None


def from_spec(path: Path) -> dict[str, Any]:
    """Return the settings that a run's spec names.

    Raises:
        InvalidInput: our trainer cannot do what it asks for.
    """
    from hubbub.model.shape import LlamaShape

    spec = read_spec(path)
    model, layout = spec.model, spec.layout
    if model.num_experts or model.kv_rank or model.window or not model.is_gated:
        raise InvalidInput(f"{str(path)!r}: our trainer builds plain Llamas; {model.name!r} is none")
    if (layout.tp, layout.pp, layout.cp, layout.ep) != (1, 1, 1, 1):
        raise InvalidInput(
            f"{str(path)!r}: our trainer shards over data replicas only (tp, pp, cp, ep 1); for more take "
            "the weights to Megatron or torchtitan: the Hugging Face directory is the bridge"
        )
    fields = ("vocab", "hidden", "num_layers", "num_heads", "num_kv_heads", "head_dim", "ffn", "is_tied")
    return {
        "shape": LlamaShape(seq=spec.seq_len, **{name: getattr(model, name) for name in fields}),
        "batch_tokens": spec.tokens_per_step,
        "micro_tokens": layout.micro_batch * spec.seq_len,
        "tokens": spec.num_tokens,
        "shard": layout.shard,
        "precision": "bf16",
        "peak_flops": spec.cluster.gpu.peak_flops.get("bf16", 0.0),
    }


def peak_flops(settings: TrainSettings) -> TrainSettings:
    """Add the dense bf16 peak of this machine's GPU where plan knows it."""
    gpu = _gpu()
    if gpu is None:
        return settings
    return msgspec.structs.replace(settings, peak_flops=gpu.peak_flops.get("bf16", 0.0))


def predicted(run: Run, path: Path | None) -> str:
    """Return in words what plan predicts of a step; nothing where it does not know the machine."""
    from hubbub.plan.predict import predict

    try:
        spec = read_spec(path) if path else _spec(run)
        if spec is None:
            return ""
        told = predict(spec)
    except HubbubError as error:
        return f"no prediction: {error}"
    step, mfu = told.step_s, told.mfu
    return (
        f"plan predicts {step.mid:.3g} s a step ({step.low:.3g} to {step.high:.3g}) and "
        f"{100 * mfu.mid:.0f} % MFU on {told.num_gpus} x {spec.cluster.gpu.name} (causal mask halved)"
    )


def _gpu() -> GpuSpec | None:
    import torch

    if not torch.cuda.is_available():
        return None
    from hubbub.plan.hardware import gpus

    words = torch.cuda.get_device_name(0).lower().replace("-", " ").split()
    found = [gpu for name, gpu in gpus().items() if name.split("-")[0] in words]
    total = torch.cuda.get_device_properties(0).total_memory
    return min(found, key=lambda gpu: abs(gpu.memory_bytes - total), default=None)


def _spec(run: Run) -> RunSpec | None:
    import os

    gpu = _gpu()
    if gpu is None or run.shape is None:
        return None
    world, model = int(os.environ.get("WORLD_SIZE", 1)), run.shape.to_spec()
    cluster = ClusterSpec(name="here", gpu=gpu, nic_bytes_per_s=50e9)
    return RunSpec(
        model=model,
        cluster=cluster,
        layout=_layout(run, model, world),
        global_batch=max(1, run.recipe.batch_tokens // model.seq),
        num_tokens=float(run.recipe.batch_tokens * run.recipe.num_steps),
    )


def _layout(run: Run, model: ModelSpec, world: int) -> Layout:
    rows = max(1, run.recipe.micro_tokens // model.seq)
    return Layout(dp=world, zero=3 if world > 1 else 1, shard=run.settings.shard, micro_batch=rows)
