"""The step's time where the host waits for every kernel, and over a network that NCCL does not fill."""

from __future__ import annotations

import msgspec
import numpy as np

from hubbub.plan.cases import cases_of
from hubbub.plan.memory import HeldParams
from hubbub.plan.runs import read_runs
from hubbub.plan.stacks import tuning_of
from hubbub.plan.step import WAITED, layer_cost, updated
from hubbub.specs import RunSpec
from tests.plan.invented import a_run

HELD = HeldParams(dense=np.full(1, 7e10), routed=np.zeros(1), ends=np.zeros(1))


def bloom() -> RunSpec:
    run = next(run.run for run in read_runs() if run.id == "R0674")
    assert run is not None
    return run


def test_a_host_that_waits_adds_its_time() -> None:
    """BLOOM ran with CUDA_LAUNCH_BLOCKING=1 (its chronicles); with recompute a layer has three passes."""
    run = bloom()
    cases, tuning = cases_of([run]), tuning_of([run])
    assert tuning.is_blocking[0] == 1
    waits = layer_cost(cases, tuning)
    queues = layer_cost(cases, msgspec.structs.replace(tuning, is_blocking=np.zeros(1)))
    assert waits.idle[0] == WAITED * 3 * tuning.host_s[0]
    assert queues.idle[0] == 0, (
        "a layer of 14,336 keeps the GPU busy for longer than the host takes to queue it"
    )
    assert waits.work[0] == queues.work[0]


def test_a_shard_over_some_replicas_updates_its_share_of_the_group() -> None:
    """HSDP (arXiv 2304.11277, section 3.2.2): each group of shards updates all parameters."""
    whole, some, few = (
        updated(cases_of([a_run(zero=3, dp=dp, shard=shard)]), HELD)[0]
        for dp, shard in ((64, 0), (64, 8), (8, 0))
    )
    assert (some, whole) == (few, few / 8)


def test_omni_path_carries_what_was_measured() -> None:
    assert bloom().cluster.nic_bytes_per_s == 0.6 * 50e9 / 8
