"""Ranks: how they find each other, how a model is cut over them, and what they add up; no training here."""

from __future__ import annotations

import ctypes
import os
import socket
import time
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh

from hubbub.errors import HubbubError, InvalidInput

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Of malloc.h of glibc (mallopt(3)); 32 MiB is the most that the second may be."""


class Ranks:
    """This process among its peers; alone without RANK and WORLD_SIZE in the environment (torchrun's)."""

    def __init__(self, *, join_s: float = 60.0, timeout_s: float = 600.0) -> None:
        """Wait for all ranks.

        Raises:
            HubbubError: one did not come up in time; the message names it.
        """
        self.rank = int(os.environ.get("RANK", 0))
        self.world = int(os.environ.get("WORLD_SIZE", 1))
        self.is_gpu = torch.cuda.is_available()
        self.kind = "cuda" if self.is_gpu else "cpu"
        self.device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if self.is_gpu else "cpu"
        if self.is_gpu:
            torch.cuda.set_device(self.device)
        else:
            _keep_freed_memory()
        self.saving: Any = None
        if self.world > 1:
            store = _meet(self.rank, self.world, join_s)
            backend = "cpu:gloo,cuda:nccl" if self.is_gpu else "gloo"
            dist.init_process_group(
                backend,
                store=store,
                rank=self.rank,
                world_size=self.world,
                timeout=timedelta(seconds=timeout_s),
            )
            # The save thread talks at the same time as training: over one group messages would cross.
            self.saving = dist.new_group(backend="gloo", timeout=timedelta(hours=1))

    def shard(self, model: nn.Module, size: int, *, is_bf16: bool) -> None:
        """Cut the weights over groups of `size` ranks (0: all) that hold copies of each other (HSDP).

        Raises:
            InvalidInput: the ranks cannot be divided so.
        """
        if self.world == 1:
            return
        from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

        size = size or self.world
        if self.world % size:
            raise InvalidInput(f"shard {size} does not divide {self.world} ranks")
        if size == self.world:
            mesh = init_device_mesh(self.kind, (size,), mesh_dim_names=("shard",))
        else:
            names = ("replicate", "shard")
            mesh = init_device_mesh(self.kind, (self.world // size, size), mesh_dim_names=names)
        half = torch.bfloat16 if is_bf16 and self.is_gpu else None
        policy = MixedPrecisionPolicy(param_dtype=half, reduce_dtype=torch.float32 if half else None)
        for layer in layers_of(model):
            fully_shard(layer, mesh=mesh, mp_policy=policy)
        fully_shard(model, mesh=mesh, mp_policy=policy)

    def add_up_and_least(self, values: list[float], least: float) -> list[float]:
        """Return sums of values over all ranks, and the least of the last; the same to the bit on each."""
        if self.world == 1:
            return [*values, least]
        leasts = [0.0] * self.world
        leasts[self.rank] = least
        total = torch.tensor([*values, *leasts], dtype=torch.float64)
        dist.all_reduce(total)
        found = total.tolist()
        return [*found[: len(values)], min(found[len(values) :])]

    def share(self, value: Any) -> Any:
        """Return rank 0's value on every rank."""
        if self.world == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0, group=self.saving)
        return box[0]

    def close(self) -> None:
        """Leave the group."""
        if self.world > 1 and dist.is_initialized():
            dist.destroy_process_group()


def _keep_freed_memory() -> None:
    """Let glibc keep what a step frees for the next one; asked anew, every page of it would be cleared."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # elsewhere there is none
    if mallopt:
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_MMAP_THRESHOLD, 32 << 20)


def _meet(rank: int, world: int, join_s: float) -> Any:
    """Open the common store and wait until every rank has signed it."""
    host, port = os.environ.get("MASTER_ADDR", "127.0.0.1"), int(os.environ.get("MASTER_PORT", 29500))
    has_agent = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    try:
        store = open_store(host, port, is_master=rank == 0 and not has_agent, timeout_s=join_s)
    except dist.DistError as error:
        raise HubbubError(
            f"rank {rank} of {world} cannot reach rank 0 at {host}:{port} within {join_s:g} s; check that "
            f"it runs and that MASTER_ADDR and MASTER_PORT are its ({str(error).splitlines()[0][:120]})"
        ) from None
    # Ranks of another step, or of an attempt before, must never be taken for ours: all would wait for ever.
    of = [os.environ.get(name, "0") for name in ("TORCHELASTIC_RESTART_COUNT", "SLURM_STEP_LAUNCHER_PORT")]
    prefix = f"hubbub-{'-'.join(of)}"
    start = dist.PrefixStore(prefix, store)  # type: ignore[attr-defined]
    start.set(f"up-{rank}", "1")
    missing, deadline = list(range(world)), time.monotonic() + join_s
    while missing := [other for other in missing if not start.check([f"up-{other}"])]:
        if time.monotonic() > deadline:
            names = ", ".join(map(str, missing))
            raise HubbubError(
                f"rank {names} of {world} did not come up within {join_s:g} s (asked at {host}:{port}); look "
                "at what it printed, or start again with a smaller --nproc: the run resumes"
            )
        time.sleep(0.05)
    return start


def open_store(host: str, port: int, *, is_master: bool, timeout_s: float) -> Any:
    """Open or reach a store; one that is opened here for this machine's ranks listens on 127.0.0.1 only."""
    asked: dict[str, Any] = {}
    if is_master and host == "127.0.0.1":
        listening = socket.create_server((host, port))
        port = int(listening.getsockname()[1])
        asked["master_listen_fd"] = listening.detach()
    return dist.TCPStore(  # type: ignore[attr-defined]
        host, port, is_master=is_master, wait_for_workers=False, timeout=timedelta(seconds=timeout_s), **asked
    )


def layers_of(model: nn.Module) -> list[nn.Module]:
    """Return the blocks of a model, for what is done to each: cutting, compiling."""
    layers = getattr(model, "layers", ())
    return list(layers)
