"""A real Slurm on this machine as a launcher: what is asked of it, and how it is changed and stopped."""

from __future__ import annotations

import contextlib
import getpass
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from hubbub.disk import refusals, replace_durably
from hubbub.errors import HubbubError, InvalidInput
from hubbub.fleet.actions import Action
from hubbub.fleet.launcher import Edit, Launcher, Wish, changed
from hubbub.fleet.slurm import accounting, daemons
from hubbub.fleet.slurm.config import POLICY, policy_lines
from hubbub.fleet.slurm.hands import carry_out
from hubbub.fleet.slurm.observing import lemons
from hubbub.fleet.slurm.submit import hand_in
from hubbub.fleet.slurm.truth import SlurmTruth, read_truth
from hubbub.fleet.spec import FleetSpec
from hubbub.fleet.turns import its_turn

_JUDGE_S = 30.0
"""To read logs of some megabytes takes .2 s (measured), and health changes slowly."""


class Cluster(Launcher):
    """A Slurm that `start` brought up, or that `find` found again; every command sees only it."""

    def __init__(self, directory: Path, spec: FleetSpec) -> None:
        self.directory, self.spec = directory, spec
        self.url = f"slurm:{directory}"
        self._lemons: dict[tuple[str, int], str] = {}
        self._judge_at_s = 0.0

    @property
    def is_up(self) -> bool:
        """Tell whether it came up and was not taken down, whatever its controller does now."""
        return (self.directory / daemons.READY).exists()

    def run(self, *command: str, timeout_s: float = 30.0) -> str:
        """Run one of Slurm's commands, without a shell, and return what it printed.

        Raises:
            InvalidInput: it refused (its own words are given), or did not answer.
        """
        try:
            done = subprocess.run(
                command,
                env=daemons.environment(self.directory),
                capture_output=True,
                text=True,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise InvalidInput(f"{command[0]} did not answer within {timeout_s:g} s") from error
        if done.returncode:
            raise InvalidInput(f"{command[0]} refused: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def look(self, *, are_gone: bool = False) -> SlurmTruth:
        """Read this moment of Slurm's own truth, and the fleet that another process may have changed.

        With `are_gone` it is as it will be when the processes have left that leave now.
        """
        self.spec = read_spec(self.directory)
        truth = read_truth(self.run, self.spec, are_gone=are_gone)
        if not are_gone:
            if time.monotonic() > self._judge_at_s:
                self._lemons, self._judge_at_s = lemons(self.directory, truth), time.monotonic() + _JUDGE_S
            truth.lemons = {place: why for place, why in self._lemons.items() if place not in truth.out}
            truth.notes = tuple(self._notes())
        return truth

    def _notes(self) -> Iterator[str]:
        """Yield what of the fleet's file Slurm does not do."""
        limited = [tenant.name for tenant in self.spec.tenants if tenant.max_gpus]
        if limited and not accounting.is_kept(self.directory):
            yield f"Slurm keeps the quota of {', '.join(limited)} only after `up --accounting`"
        if spares := [pool.name for pool in self.spec.pools if pool.num_spares]:
            yield f"Slurm keeps no spares back: num_spares of {', '.join(spares)} holds no node free"
        if clocked := [pool.name for pool in self.spec.pools if pool.min_clock < 1]:
            yield (
                f"Slurm sets clocks only when a job starts (srun --gpu-freq): under a lower cap jobs of "
                f"{', '.join(clocked)} leave, whatever its min_clock"
            )

    def hand_in(self, wish: Wish) -> str:
        """Submit a command as a tenant's job, and return its number in Slurm."""
        return hand_in(self, wish)

    def cancel(self, job: str) -> None:
        """End a job that waits or runs, with all its processes.

        Raises:
            InvalidInput: Slurm knows no such job.
        """
        if not job.isascii() or not job.isdigit() or not self.run("squeue", "-h", f"--jobs={job}").strip():
            raise InvalidInput(f"job {job!r} neither waits nor runs")
        self.run("scancel", "--full", job)

    def output_of(self, job: str) -> Path:
        """Return where a job's output is written."""
        return self.directory / "log" / f"job-{job}.out"

    def carry_out(self, action: Action) -> None:
        """Do what was decided, as far as Slurm does not do it by itself."""
        carry_out(self, action)

    def change(self, to: FleetSpec | Edit) -> None:
        """Take another fleet's partitions and caps over into the running cluster, or edit these.

        Raises:
            InvalidInput: a name does not do, a tenant with jobs would go, or Slurm refused; the old one
                stands then.
        """
        path = self.directory / "slurm.conf"
        with self.held():
            spec = changed(self.url, read_spec(self.directory), to)
            in_use = self.run("squeue", "--noheader", "--format=%P").replace(",", " ").split()
            lines = policy_lines(spec, in_use)
            old = path.read_text()
            kept = [line for line in old.splitlines() if not line.startswith(POLICY)]
            _replace(path, "\n".join([*kept, *lines]) + "\n")
            try:
                self.run("scontrol", "reconfigure")
                _replace(self.directory / "fleet.json", msgspec.json.encode(spec).decode())
            except HubbubError:
                _replace(path, old)
                with contextlib.suppress(InvalidInput):
                    self.run("scontrol", "reconfigure")
                raise
            self.spec = spec
            if accounting.is_kept(self.directory):
                accounting.write_accounts(self)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let nobody else change this cluster inside the block: another `steer` waits for its end."""
        with its_turn(self.directory / "lock"):
            yield

    def stop(self) -> None:
        """Cancel all jobs, then stop every daemon; safe to call twice."""
        with contextlib.suppress(InvalidInput, OSError):
            self.run("scancel", f"--user={getpass.getuser()}", timeout_s=10)
            if not daemons.until(self._is_empty, 1):
                daemons.tell_jobs(self.directory, signal.SIGTERM)  # who just started may not have heard
                daemons.until(self._is_empty, 7)
        daemons.end(self.directory)

    def _is_empty(self) -> bool:
        return not self.run("squeue", "--noheader", "--states=R,CG").strip()


def find(directory: Path) -> Cluster:
    """Return the cluster that runs in a directory.

    Raises:
        InvalidInput: none does.
    """
    directory = directory.resolve()
    if not (directory / daemons.READY).exists() or not daemons.running(directory, "slurmctld"):
        raise InvalidInput(
            f"no Slurm of {str(directory)!r} runs; hubbub fleet up --on slurm:{directory} brings one up, or "
            "back with its jobs where only its controller died"
        )
    return Cluster(directory, read_spec(directory))


def read_spec(directory: Path) -> FleetSpec:
    """Return the fleet of a cluster's directory."""
    return msgspec.json.decode((directory / "fleet.json").read_bytes(), type=FleetSpec)


def _replace(path: Path, text: str) -> None:
    """Write a file wholly or not at all."""
    temporary = path.with_suffix(".new")
    with refusals("write", path):
        with temporary.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        replace_durably(temporary, path)
