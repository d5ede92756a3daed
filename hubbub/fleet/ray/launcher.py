"""A Ray cluster as a launcher: `ray://HOST:PORT` is the address of its head, on whose nodes this must run."""

from __future__ import annotations

import os
import secrets
import socket
import time
from typing import Any

import msgspec

from hubbub.errors import HubbubError, InUse, InvalidInput, MissingExtra, StorageError
from hubbub.fleet.actions import Action
from hubbub.fleet.launcher import Edit, Launcher, Truth, Wish, check_wish, dated, pretend_fleet
from hubbub.fleet.local.journal import GRACE_S, Book, Change, row_of
from hubbub.fleet.local.ranks import task_of
from hubbub.fleet.local.truth import spec_of, truth_of
from hubbub.fleet.ray.cluster import SPACE, Store
from hubbub.fleet.ray.leader import NAME, Leader
from hubbub.fleet.spec import FleetSpec

_ANSWER_S = 30.0


class OnRay(Launcher):
    """The fleet on a Ray cluster; its leader is an actor there."""

    def __init__(self, url: str, leader: Any) -> None:
        self.url, self._leader = url, leader
        self.spec = spec_of(self._book())

    def look(self) -> Truth:
        """Read this moment; nothing changes."""
        book = self._book()
        self.spec, truth = spec_of(book), truth_of(book, time.time())
        unit = self.spec.pools[0].gpu
        truth.notes = () if unit == "gpu" else (f"{self.url} has no GPUs: a job's GPUs are CPUs there",)
        return truth

    def hand_in(self, wish: Wish) -> str:
        """Let a command wait for its GPUs, and return the job's number."""
        check_wish(self.spec, wish)
        task = msgspec.json.encode(task_of(wish.command, wish.directory))
        row = msgspec.structs.replace(row_of(wish, "0", time.time()), token=secrets.token_hex(8))
        job: str = self._ask("submit", row, task)
        return job

    def cancel(self, job: str) -> None:
        """End a job: what runs is told by SIGTERM, and killed after the grace."""
        self._ask("cancel", job)

    def carry_out(self, action: Action) -> None:
        """Preempt a job, drain a node or take it in again; InvalidInput names the rest."""
        self._ask("carry_out", action)

    def output_of(self, job: str) -> None:
        """Ray keeps what a job prints with its worker's logs, on the node where it ran."""

    def change(self, to: FleetSpec | Edit) -> None:
        """Take another fleet's tenants, power and prices over, or edit these; the nodes are what Ray has."""
        self._ask("change", to)
        self.spec = spec_of(self._book())

    def stop(self) -> None:
        """Cancel all jobs and end the leader; the cluster stays."""
        import ray

        self._ask("stop")
        end_s = time.monotonic() + self._book().grace_s + 30.0
        while (book := self._book()).open_rows():
            if time.monotonic() > end_s:
                raise StorageError(f"{self.url}: jobs {[row.id for row in book.open_rows()]} did not leave")
            time.sleep(0.1)
        ray.kill(self._leader)
        Store().clear()

    def _book(self) -> Book:
        book = Book()
        book.take_in(msgspec.json.decode(self._ask("book_now"), type=Change))
        return book

    def _ask(self, what: str, *told: Any) -> Any:
        import ray

        end_s = time.monotonic() + _ANSWER_S
        while True:
            try:
                refusal, answer = ray.get(self._leader.ask.remote(what, *told), timeout=_ANSWER_S)
                break
            except ray.exceptions.RayError as error:  # it died, and Ray starts it again
                if time.monotonic() > end_s:
                    raise HubbubError(f"{self.url} does not answer: {type(error).__name__}") from error
                time.sleep(0.5)
        if refusal:
            raise InvalidInput(refusal)
        return answer


def open_ray(url: str, address: str, *, make: bool = False) -> OnRay:
    """Find what leads the jobs of a cluster; `make` starts it with the usual tenants where there is none.

    Raises:
        InvalidInput: no cluster answers there, or nothing leads it yet.
        MissingExtra: Ray is not installed.
    """
    import_and_join(address)
    import ray

    try:
        return OnRay(url, ray.get_actor(NAME, namespace=SPACE))
    except ValueError:
        if make:
            return start_ray(url, address, None)
        raise InvalidInput(
            f"no jobs are led on {url} yet; the first is: hubbub fleet submit --on {url}"
        ) from None


def start_ray(url: str, address: str, spec: FleetSpec | None, grace_s: float | None = None) -> OnRay:
    """Start to lead jobs on a cluster, with a fleet's tenants.

    Raises:
        InUse: they are led already.
    """
    import_and_join(address)
    import ray

    kept = msgspec.json.encode(dated(spec or pretend_fleet()))
    try:
        leader = (
            ray.remote(Leader)
            .options(
                name=NAME,
                namespace=SPACE,
                lifetime="detached",
                max_restarts=-1,
                num_cpus=0,
                resources={"node:__internal_head__": 0.001},
            )  # fmt: skip
            .remote(kept, GRACE_S if grace_s is None else grace_s)
        )
    except ValueError:
        raise InUse(
            f"jobs are led on {url} already; change it: hubbub fleet apply FLEET.toml --to {url}"
        ) from None
    return OnRay(url, leader)


def import_and_join(address: str) -> None:
    """Import Ray and join a cluster as a driver, once a process.

    On loopback Ray would take the machine's own address and wait for it in vain, but for a variable that it
    reads when it is imported (measured with 2.60).

    Raises:
        MissingExtra: Ray is not installed.
        InvalidInput: no cluster answers.
    """
    is_loopback = address.partition(":")[0] in ("127.0.0.1", "localhost")
    if is_loopback:
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingExtra("ray is not installed: pip install 'hubbub[ray]'") from error
    if ray.is_initialized():
        return
    own = {"_node_ip_address": "127.0.0.1"} if is_loopback else {}
    try:
        host, _, port = address.rpartition(":")  # where nobody listens, Ray would try for minutes
        socket.create_connection((host, int(port)), timeout=5.0).close()
        ray.init(address=address, namespace=SPACE, log_to_driver=False, logging_level="ERROR", **own)
    except (OSError, RuntimeError, ValueError) as error:
        raise InvalidInput(
            f"no Ray cluster at {address}, of which this machine is a node ({error}); start one: "
            "ray start --head"
        ) from error
