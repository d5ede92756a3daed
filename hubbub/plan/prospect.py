"""The speed of a scenario's model by number of GPUs, each in its best layout; no dates, no money."""

from __future__ import annotations

from functools import cache

import msgspec

from hubbub.errors import InvalidInput
from hubbub.plan.estimate import exact
from hubbub.plan.hardware import find_cluster
from hubbub.plan.layouts import search
from hubbub.plan.models import find_model
from hubbub.plan.scenario import Scenario
from hubbub.plan.throughput import Speed, SpeedOf
from hubbub.specs import ModelSpec

# Llama 3 405B's step, 16M tokens (arXiv 2407.21783, table 4), where a scenario names none.
_TOKENS_A_STEP = 2**24


class Prospect(msgspec.Struct, frozen=True, kw_only=True):
    """A model, and its speed for any number of GPUs."""

    model: ModelSpec
    speed_of: SpeedOf


def prospect_of(scenario: Scenario) -> Prospect:
    """Return what a scenario's model reaches on any number of its GPUs; 0 where it does not fit.

    Raises:
        InvalidInput: the model, cluster or stack is unknown, or `gpu` is not the cluster's.
    """
    model, cluster = find_model(scenario.model), find_cluster(scenario.cluster or scenario.gpu)
    if cluster.gpu.name.split("-")[0] != scenario.gpu.lower().split("-")[0]:
        raise InvalidInput(
            f"gpu {scenario.gpu!r} is not that of cluster {cluster.name!r}; write gpu = {cluster.gpu.name!r}"
        )
    anywhere = msgspec.structs.replace(cluster, num_gpus=0)
    seq = scenario.seq or model.seq
    batch = scenario.global_batch or max(1, _TOKENS_A_STEP // seq)

    @cache
    def speed_of(num_gpus: int) -> Speed:
        found = search(
            model,
            anywhere,
            num_gpus,
            global_batch=batch,
            seq=seq,
            precision=scenario.precision,
            stack=scenario.stack,
            top=1,
        )
        if not found.ranked:
            return Speed(tokens_per_s=exact(0.0), busy_share=0.0)
        told = found.ranked[0].prediction
        return Speed(tokens_per_s=told.tokens_per_s, busy_share=told.busy_share)

    return Prospect(model=model, speed_of=speed_of)
