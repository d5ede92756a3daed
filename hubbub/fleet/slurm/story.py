"""A scripted hour of a shared hall, live on a real Slurm in under a minute; it tests nothing.

Every scene waits for what it is about, says how long that took, and what the bar is.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec

from hubbub.errors import HubbubError
from hubbub.fleet.launcher import announced, capped
from hubbub.fleet.policy import Policy
from hubbub.fleet.slurm import daemons
from hubbub.fleet.slurm.bring_up import start
from hubbub.fleet.slurm.cluster import Cluster
from hubbub.fleet.slurm.steer import step
from hubbub.fleet.spec import FleetSpec, Pool, Site, Tenant

HALL = FleetSpec(
    pools=(
        Pool(name="hall", num_nodes=4, site="hall", busy_kw_per_gpu=1.0),
        Pool(name="cloud", num_nodes=1, is_rented=True, usd_per_gpu_hour=2.0, idle_release_s=2.0),
    ),
    tenants=(
        Tenant(name="xai", priority=20),
        Tenant(name="x", priority=15, max_usd_per_gpu_hour=3.0),
        Tenant(name="tesla", priority=10, guaranteed_gpus=8),
    ),
    sites=(Site(name="hall", cap_kw=32.0),),
)
_COUNTS = """
import pathlib, signal, sys, time
path, told = pathlib.Path(sys.argv[1]), []
signal.signal(signal.SIGTERM, lambda *_: told.append(True))
step = len(path.read_text().split()) if path.exists() else 0
while not told:
    time.sleep(.1)
    step += 1
    with path.open("a") as file:
        file.write(f"{step}\\n")
"""
"""A job that saves every step, leaves when told to, and goes on where it was."""
_LONG_S = 60.0


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """What happened, and how long it took; `bar_s` is what issue 7 asks for (0: it names no time)."""

    text: str
    seconds: float
    bar_s: float = 0.0
    is_right: bool = True

    @property
    def is_met(self) -> bool:
        """Tell whether it went as it should, and fast enough."""
        return self.is_right and (not self.bar_s or self.seconds <= self.bar_s)


def play(directory: Path, tell: Callable[[Scene], None]) -> bool:
    """Bring a cluster up, play every scene on it, take it down; tell whether all went as it should.

    Raises:
        MissingExtra: Slurm is not installed.
        HubbubError: something that a scene waits for did not happen.
    """
    began_s, met = time.monotonic(), []

    def tell_on(scene: Scene) -> None:
        met.append(scene.is_met)
        tell(scene)

    cluster = start(directory, HALL)
    try:
        took_s = time.monotonic() - began_s
        tell_on(Scene(text="a real Slurm of 4 nodes, 32 GPUs and 32 kW is up", seconds=took_s, bar_s=10))
        with _steered(cluster):
            for scene in _Stage(cluster).scenes():
                tell_on(scene)
    finally:
        cluster.stop()
    return all(met)


@contextmanager
def _steered(cluster: Cluster) -> Iterator[None]:
    """Steer in the background, as `hubbub fleet steer` does in another window."""
    over, failed = threading.Event(), list[HubbubError]()

    def steer() -> None:
        own = Cluster(cluster.directory, cluster.spec)
        while not over.wait(0.3) and not failed:
            try:
                step(own, Policy())
            except HubbubError as error:
                failed.append(error)

    thread = threading.Thread(target=steer)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if failed:
        raise failed[0]


class _Stage:
    """The hall with its jobs."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self._num_jobs = cluster, 0

    def scenes(self) -> Iterator[Scene]:
        """Play one after the other."""
        yield from self._lend_and_take_back()
        yield from self._let_x_go_first()
        yield from self._lower_the_cap()
        yield from self._obey_the_grid()
        yield from self._lose_a_node()
        yield from self._rent()
        yield self._count()

    def _submit(self, tenant: str, gpus: int) -> str:
        self._num_jobs += 1
        steps = self.cluster.directory / "log" / f"steps-{self._num_jobs}"
        command = [sys.executable, "-S", "-c", _COUNTS, str(steps)]
        return self.cluster.submit(
            tenant, gpus, command, name=f"{tenant}-{self._num_jobs}", expected_s=_LONG_S
        )

    def _running(self) -> set[str]:
        return set(self.cluster.run("squeue", "--noheader", "--states=R", "--format=%i").split())

    def _wait(self, holds: Callable[[], bool], what: str, timeout_s: float = 60.0) -> float:
        """Wait for something, and return how long that took."""
        began_s = time.monotonic()
        if not daemons.until(holds, timeout_s):
            raise HubbubError(f"after {timeout_s:g} s still not so: {what}; {self.cluster.run('squeue')}")
        return time.monotonic() - began_s

    def _wait_for(self, *jobs: str) -> float:
        return self._wait(lambda: set(jobs) <= self._running(), f"jobs {', '.join(jobs)} run")

    def _drawn_kw(self) -> float:
        return self.cluster.look().state.sites["hall"].drawn_kw

    def _lend_and_take_back(self) -> Iterator[Scene]:
        began_s = time.monotonic()
        jobs = [self._submit("xai", 8) for _ in range(4)]
        self._wait_for(*jobs)
        took_s = time.monotonic() - began_s
        yield Scene(text="xai fills the hall, with tesla's 8 idle GPUs, which are lent", seconds=took_s)
        self.tesla = self._submit("tesla", 8)
        took_s = self._wait_for(self.tesla)
        yield Scene(text="tesla wants its 8 back, and has them: one xai job left", seconds=took_s, bar_s=5)
        for job in jobs:
            self.cluster.cancel(job)

    def _let_x_go_first(self) -> Iterator[Scene]:
        self.borrowed = [self._submit("tesla", 8) for _ in range(3)]
        self._wait_for(*self.borrowed)
        self.x = self._submit("x", 16)
        took_s = self._wait_for(self.x)
        yield Scene(text="tesla has all 32 GPUs; x wants 16, and goes first", seconds=took_s, bar_s=2)

    def _lower_the_cap(self) -> Iterator[Scene]:
        self.cluster.change(partial(capped, site="hall", cap_kw=24.0))
        took_s = self._wait(lambda: self._drawn_kw() <= 24.0, "the hall draws 24 kW")
        right = {self.x, self.tesla} <= self._running()
        text = "the cap falls to 24 kW: what tesla borrows leaves until the hall is under it"
        yield Scene(text=text, seconds=took_s, bar_s=30, is_right=right)
        self.cluster.change(partial(capped, site="hall", cap_kw=32.0))
        took_s = self._wait(lambda: self._drawn_kw() == 32.0, "the hall draws 32 kW")
        yield Scene(text="the cap is 32 kW again, and the job is back", seconds=took_s)

    def _obey_the_grid(self) -> Iterator[Scene]:
        start_s = time.time() + 8
        self.cluster.change(partial(announced, site="hall", cap_kw=24.0, start_s=start_s, duration_s=8))
        self._wait(lambda: time.time() >= start_s, "the event has begun")
        over_s = self._wait(lambda: self._drawn_kw() <= 24.0, "the hall draws 24 kW")
        right = {self.x, self.tesla} <= self._running()
        text = "a grid event (-25 %, told 8 s before) begins: from its first second on the hall draws 24 kW"
        yield Scene(text=text, seconds=over_s, bar_s=1, is_right=right)
        self._wait(lambda: time.time() >= start_s + 8, "the event is over")
        took_s = self._wait(lambda: self._drawn_kw() == 32.0, "the hall draws 32 kW")
        yield Scene(text="the event is over, and who left is back", seconds=took_s, bar_s=30)

    def _lose_a_node(self) -> Iterator[Scene]:
        for job in self.borrowed:
            self.cluster.cancel(job)
        node = self.cluster.run("squeue", "--noheader", "--format=%N", f"--jobs={self.tesla}").strip()
        daemons.cut_power(self.cluster.directory, node, [self.tesla])
        self.cluster.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=killed")
        self._wait(lambda: self.tesla not in self._running(), "the job was noticed")
        took_s = self._wait_for(self.tesla)
        text = f"{node} is killed (slurmd -9, and a health check says DOWN): its job runs on a spare"
        yield Scene(text=text, seconds=took_s, bar_s=30)

    def _rent(self) -> Iterator[Scene]:
        job = self._submit("x", 8)
        took_s = self._wait_for(job)
        where = self.cluster.run("squeue", "--noheader", "--format=%N", f"--jobs={job}").strip()
        text = f"x wants 8 more, none are left, and it pays: a rented node came, and it runs on {where}"
        yield Scene(text=text, seconds=took_s, bar_s=10, is_right=where.startswith("cloud"))
        self.cluster.cancel(job)
        took_s = self._wait(
            lambda: not self.cluster.look().state.pools["cloud"].num_active, "the rented node is given back"
        )
        yield Scene(
            text="it ends, and after 2 s idle the rented node is given back", seconds=took_s, bar_s=10
        )

    def _count(self) -> Scene:
        """Look into what every job wrote: each step once, none left out."""
        began_s, num_steps, is_right = time.monotonic(), 0, True
        for path in (self.cluster.directory / "log").glob("steps-*"):
            steps = [int(word) for word in path.read_text().split()]
            is_right &= steps == list(range(1, len(steps) + 1))
            num_steps += len(steps)
        text = f"{self._num_jobs} jobs did {num_steps} steps: each once, none was lost or done again"
        return Scene(text=text, seconds=time.monotonic() - began_s, is_right=is_right)
