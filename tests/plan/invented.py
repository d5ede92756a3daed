"""A run for the tests of the plan room; what a test does not say is usual."""

from __future__ import annotations

from hubbub.plan.hardware import find_cluster
from hubbub.plan.models import find_model
from hubbub.specs import Layout, ModelSpec, RunSpec


def a_run(
    model: str | ModelSpec = "llama3-70b",
    cluster: str = "h100",
    batch: int = 64,
    *,
    precision: str = "bf16",
    stack: str = "",
    tokens: float = 0.0,
    **layout: int | str,
) -> RunSpec:
    return RunSpec(
        model=find_model(model) if isinstance(model, str) else model,
        cluster=find_cluster(cluster),
        layout=Layout(**layout),
        global_batch=batch,
        precision=precision,
        stack=stack,
        num_tokens=tokens,
    )
