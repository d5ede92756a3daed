"""Groups of ranks that outlive each other: one that dies costs a step, one that comes back heals from a peer.

On torchft's quorum (lighthouse, manager) and its process groups that can be made anew; the rest is ours, so
that nothing listens but on the given address, no pickle crosses the network, and the batch is always whole:
those that are there share its micro batches. Each group is a failure unit (its ranks die together).
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from hubbub.errors import HubbubError, InvalidInput, MissingExtra
from hubbub.train.faults import Requests
from hubbub.train.launch import send, start_ranks

if TYPE_CHECKING:
    from hubbub.train.loop import Trainer

HEARTBEAT_MS, JOIN_MS = 1000, 10_000
TIMEOUT = timedelta(seconds=60)
MAX_STARTS = 20


class Groups:
    """This group among the others; begins at `join` and asks for a quorum before each step."""

    def __init__(self, lighthouse: str, name: str, host: str = "127.0.0.1") -> None:
        """Raises MissingExtra: torchft is not installed."""
        try:
            from torchft.process_group import ProcessGroupGloo, ProcessGroupNCCL
        except ModuleNotFoundError as error:
            raise MissingExtra(f"replicas need {error.name!r}; run: pip install 'hubbub[ft]'") from None
        self._lighthouse, self.name, self._host = lighthouse, name, host
        self._kinds = {True: ProcessGroupNCCL, False: ProcessGroupGloo}
        self._quorum_id = -1
        self._num_failures = 0
        self.rank, self.world = -1, 1  # nobody is first before the first quorum
        self.is_failed = False

    def join(self, trainer: Trainer) -> None:
        """Meet the lighthouse; only now, when the model is built, so that no other group waits for it."""
        from torchft._torchft import ManagerClient, ManagerServer

        from hubbub.train.parallel import open_store

        ranks = trainer.ranks
        self._pg = self._kinds[ranks.is_gpu](timeout=TIMEOUT)
        address = ""
        if ranks.rank == 0:
            self._store = open_store(self._host, 0, is_master=True, timeout_s=TIMEOUT.total_seconds())
            self._server = ManagerServer(
                replica_id=f"{self.name}:{uuid.uuid4()}",
                lighthouse_addr=self._lighthouse,
                hostname=self._host,
                bind=f"{self._host}:0",
                store_addr=f"{self._host}:{self._store.port}",
                world_size=ranks.world,
                heartbeat_interval=timedelta(milliseconds=100),
                connect_timeout=TIMEOUT,
                quorum_retries=0,
            )
            address = self._server.address()
        self._client = ManagerClient(ranks.share(address), connect_timeout=TIMEOUT)

    def begin(self, trainer: Trainer) -> None:
        """Agree who takes part in the next step; heal those that are behind."""
        ranks = trainer.ranks
        quorum = self._client._quorum(
            group_rank=ranks.rank,
            step=trainer.batch,
            checkpoint_metadata="",
            shrink_only=False,
            timeout=TIMEOUT,
            commit_failures=self._num_failures,
            init_sync=True,
        )
        self.is_failed = False
        self.rank, self.world = quorum.replica_rank, quorum.replica_world_size
        if quorum.quorum_id != self._quorum_id:
            self._quorum_id = quorum.quorum_id
            place = f"{quorum.store_address}/hubbub/{quorum.quorum_id}/{ranks.rank}"
            self._pg.configure(
                place, self.name, self.rank, self.world, quorum.quorum_id, ranks.rank, ranks.world
            )
        if self._num_failures:
            trainer.say("repeated", f"batch {trainer.batch} again: a group was lost, {self.world} are left")
        try:
            for other in quorum.recover_dst_replica_ranks:
                self._send(trainer, other)
            if quorum.heal:
                self._receive(trainer, quorum.recover_src_replica_rank)
        except RuntimeError:  # the peer died on the way: the step will not be committed
            self.is_failed = True
        trainer.batches.place(self.rank * ranks.world + ranks.rank, self.world * ranks.world)

    def add_up(self, tensors: list[Any], values: list[float]) -> list[float]:
        """Add up tensors in place, and values, over all groups; a failure is remembered for `commit`."""
        import torch

        if self.world == 1 or self.is_failed:
            return values
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        told = torch.tensor(values, dtype=torch.float64)
        try:
            for each in (told if not flat.is_cuda else told.to(flat.device), flat):
                self._all_reduce(each)
                told = each.cpu() if each.dtype == torch.float64 else told
        except RuntimeError:
            self.is_failed = True
            return values
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))
        return told.tolist()

    def commit(self, trainer: Trainer) -> bool:
        """Agree within the group whether the step holds; if not, those that are left do it again."""
        is_good = self._client.should_commit(
            trainer.ranks.rank, trainer.batch, not self.is_failed, timeout=TIMEOUT
        )
        self._num_failures = 0 if is_good else self._num_failures + 1
        if self._num_failures > 10:
            raise HubbubError(
                f"group {self.name} failed 10 times in a row at step {trainer.step}; look at its peers"
            )
        return bool(is_good)

    def close(self) -> None:
        """Leave the quorum."""
        self._pg.shutdown()
        if hasattr(self, "_server"):
            self._server.shutdown()

    def _all_reduce(self, tensor: Any) -> None:
        from torch.distributed import ReduceOp

        self._pg.allreduce([tensor], ReduceOp.SUM).wait()

    def _send(self, trainer: Trainer, other: int) -> None:
        import torch

        told = msgspec.json.encode(trainer.progress())
        about = torch.frombuffer(bytearray(told), dtype=torch.uint8)
        tensors = [torch.tensor([len(told)]), about, *_locals(trainer.checkpoints.state())]
        for tag, tensor in enumerate(tensors, 1):
            self._pg.send([tensor], other, tag).wait()

    def _receive(self, trainer: Trainer, source: int) -> None:
        import torch

        from hubbub.train.checkpoints import Progress

        size = torch.zeros(1, dtype=torch.int64)
        self._pg.recv([size], source, 1).wait()
        about = torch.empty(int(size), dtype=torch.uint8)
        self._pg.recv([about], source, 2).wait()
        state = trainer.checkpoints.state()
        for tag, tensor in enumerate(_locals(state), 3):
            self._pg.recv([tensor], source, tag).wait()
        trainer.checkpoints.put(state)
        trainer.take(msgspec.json.decode(about.numpy().tobytes(), type=Progress))


def _locals(state: dict[str, Any]) -> list[Any]:
    """Return this rank's parts of all tensors of a state, in one order for all groups."""
    import torch
    from torch.distributed.tensor import DTensor
    from torch.utils._pytree import tree_leaves

    found = [leaf for leaf in tree_leaves(state) if isinstance(leaf, torch.Tensor)]
    return [leaf.to_local() if isinstance(leaf, DTensor) else leaf for leaf in found]


def launch_replicas(
    command: Sequence[str], nproc: int, replicas: int, lighthouse: str, *, tell: Callable[[str], None]
) -> None:
    """Run groups of `nproc` ranks until all have finished, starting again one that fails.

    Without a lighthouse's URL one is opened here, for this machine only. With one (`torchft_lighthouse` on a
    host that all reach) groups of several machines meet there, and listen on the address that leads to it:
    on an internal network only, for nothing of it asks who calls.

    Raises:
        MissingExtra: torchft is not installed.
        HubbubError: groups fail again and again.
    """
    os.environ.setdefault("RUST_LOG", "warn")  # else torchft tells of each step
    server, lighthouse = (None, lighthouse) if lighthouse else open_lighthouse()

    told = {"HUBBUB_LIGHTHOUSE": lighthouse, "HUBBUB_HOST": _host_towards(lighthouse)}
    is_here = told["HUBBUB_HOST"].startswith("127.")
    told |= {"GLOO_SOCKET_IFNAME": "lo"} if is_here else {}

    def begin(number: int) -> list[subprocess.Popen[bytes]]:
        name = str(number) if is_here else f"{socket.gethostname()}-{number}"
        return start_ranks(command, nproc, {**told, "HUBBUB_GROUP": name})

    with Requests() as requests:
        groups = {number: begin(number) for number in range(replicas)}
        _keep(groups, begin, requests, tell)
    if server is not None:
        server.shutdown()


def _host_towards(lighthouse: str) -> str:
    """Return the address of this machine on the way to a lighthouse."""
    to = urlsplit(lighthouse)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:  # sends nothing
            probe.connect((to.hostname, to.port))
            return str(probe.getsockname()[0])
    except (OSError, TypeError, ValueError) as error:
        raise InvalidInput(
            f"lighthouse {lighthouse!r} cannot be reached: {error}; write http://HOST:PORT"
        ) from None


def _keep(
    groups: dict[int, list[subprocess.Popen[bytes]]],
    begin: Callable[[int], list[subprocess.Popen[bytes]]],
    requests: Requests,
    tell: Callable[[str], None],
) -> None:
    """Watch groups until all have finished."""
    num_starts, was_asked = 0, False
    while groups:
        time.sleep(0.05)
        if requests.signal is not None and not was_asked:
            was_asked = True
            for ranks in groups.values():
                send(ranks, signal.SIGTERM)
        for number, ranks in list(groups.items()):
            codes = [rank.poll() for rank in ranks]
            if all(code is not None for code in codes) and (was_asked or not any(codes)):
                del groups[number]
            elif not was_asked and any(codes):
                send(ranks, signal.SIGKILL)
                for rank in ranks:
                    rank.wait()
                num_starts += 1
                if num_starts > MAX_STARTS:
                    for other in groups.values():
                        send(other, signal.SIGTERM)
                    raise HubbubError(
                        f"group {number} failed (codes {codes}), after {MAX_STARTS} fresh starts in all"
                    )
                tell(f"group {number} failed (codes {codes}); it is started again and heals from the others")
                groups[number] = begin(number)


def open_lighthouse() -> tuple[Any, str]:
    """Open a lighthouse for groups on this machine; return it and its URL."""
    try:
        from torchft._torchft import LighthouseServer
    except ModuleNotFoundError as error:
        raise MissingExtra(f"--replicas needs {error.name!r}; run: pip install 'hubbub[ft]'") from None
    server = LighthouseServer(
        bind="127.0.0.1:0", min_replicas=1, join_timeout_ms=JOIN_MS, heartbeat_timeout_ms=HEARTBEAT_MS
    )
    return server, f"http://127.0.0.1:{server.address().rsplit(':', 1)[1].rstrip('/')}"
