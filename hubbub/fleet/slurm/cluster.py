"""A real Slurm on this machine, for tests and demos: pretend GPUs, loopback only, in one directory."""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from hubbub.disk import refusals, replace_durably
from hubbub.errors import InUse, InvalidInput, MissingExtra, StorageError
from hubbub.fleet.actions import Action
from hubbub.fleet.launcher import dated
from hubbub.fleet.slurm import accounting, daemons
from hubbub.fleet.slurm.config import POLICY, Place, check_names, policy_lines, render, render_gres
from hubbub.fleet.slurm.hands import carry_out
from hubbub.fleet.slurm.rented import write_programs
from hubbub.fleet.slurm.submit import submit
from hubbub.fleet.slurm.truth import SlurmTruth, read_truth
from hubbub.fleet.spec import FleetSpec

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "scontrol", "squeue", "sinfo", "scancel")


class Cluster:
    """A Slurm that `start` brought up, or that `find` found again; every command sees only it."""

    def __init__(self, directory: Path, spec: FleetSpec) -> None:
        self.directory, self.spec = directory, spec
        self.url = f"slurm:{directory}"

    def run(self, *command: str, timeout_s: float = 30.0) -> str:
        """Run one of Slurm's commands, without a shell, and return what it printed.

        Raises:
            InvalidInput: it refused; its own words are given.
        """
        done = subprocess.run(
            command,
            env=daemons.environment(self.directory),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if done.returncode:
            raise InvalidInput(f"{command[0]} refused: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def look(self) -> SlurmTruth:
        """Read this moment of Slurm's own truth, and the fleet that another process may have changed."""
        self.spec = _read_spec(self.directory)
        truth = read_truth(self.run, self.spec)
        limited = [tenant.name for tenant in self.spec.tenants if tenant.max_gpus]
        if limited and not accounting.is_kept(self.directory):
            truth.notes = (f"Slurm keeps the quota of {', '.join(limited)} only after `up --accounting`",)
        return truth

    def submit(
        self,
        tenant: str,
        gpus: int,
        command: Sequence[str],
        *,
        name: str = "job",
        expected_s: float | None = None,
        directory: Path | None = None,
    ) -> str:
        """Submit a command as a tenant's job, and return its number in Slurm."""
        return submit(self, tenant, gpus, command, name=name, expected_s=expected_s, directory=directory)

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

    def change(self, spec: FleetSpec) -> None:
        """Take another fleet's partitions and caps over into the running cluster; its nodes stay.

        Raises:
            InvalidInput: a name does not do, or Slurm refused; the old configuration stands then.
        """
        spec = dated(spec)
        path, lines = self.directory / "slurm.conf", policy_lines(spec)
        with self.held():
            old = path.read_text()
            kept = [line for line in old.splitlines() if not line.startswith(POLICY)]
            _replace(path, "\n".join([*kept, *lines]) + "\n")
            try:
                self.run("scontrol", "reconfigure")
            except InvalidInput:
                _replace(path, old)
                raise
            _replace(self.directory / "fleet.json", msgspec.json.encode(spec).decode())
            self.spec = spec
            if accounting.is_kept(self.directory):
                accounting.write_accounts(self)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let nobody else change this cluster inside the block: another `steer` waits for its end."""
        with (self.directory / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def stop(self) -> None:
        """Cancel all jobs, then stop every daemon; safe to call twice."""
        with contextlib.suppress(InvalidInput, subprocess.TimeoutExpired, OSError):
            self.run("scancel", f"--user={getpass.getuser()}", timeout_s=10)
            if not daemons.until(self._is_empty, 1):
                daemons.tell_jobs(self.directory, signal.SIGTERM)  # who just started may not have heard
                daemons.until(self._is_empty, 7)
        daemons.end(self.directory)

    def _is_empty(self) -> bool:
        return not self.run("squeue", "--noheader", "--states=R,CG").strip()


def start(
    directory: Path,
    spec: FleetSpec,
    *,
    timeout_s: float = 60.0,
    has_accounts: bool = False,
    tell: Callable[[str], None] | None = None,
) -> Cluster:
    """Bring a pretend cluster up, and return when every node that is owned is idle.

    What a start that was killed left, here or elsewhere, is ended and removed first. `has_accounts` brings
    slurmdbd and a MariaDB up, too.

    Raises:
        MissingExtra: Slurm is not installed.
        InUse: a cluster of this directory runs already.
        InvalidInput: Slurm cannot hold a name, or the directory's.
        StorageError: a daemon ended or the nodes did not come up; its log's last lines are given.
    """
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        raise MissingExtra(
            f"{', '.join(missing)} not found; on Debian: "
            "apt-get install --no-install-recommends slurmctld slurmd slurm-client"
        )
    if has_accounts:
        accounting.check_installed()
    check_names(spec)
    directory = directory.resolve()
    if not re.fullmatch(r"[\w/.+@:~-]+", str(directory), re.ASCII):
        raise InvalidInput(
            f"Slurm cannot keep its files in {str(directory)!r}: use a path of plain letters, without spaces"
        )
    daemons.sweep()
    with refusals("use", directory):
        directory.mkdir(parents=True, exist_ok=True)
        lock = (directory / "starting").open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InUse(f"another `hubbub fleet up` is starting a Slurm in {directory}") from error
        if (directory / daemons.READY).exists() and daemons.running(directory, "slurmctld"):
            raise InUse(
                f"a Slurm of {directory} runs already; stop it: hubbub fleet down --on slurm:{directory}"
            )
        daemons.end(directory)
        try:
            cluster = _write(directory, dated(spec), has_accounts)
            _bring_up(cluster, timeout_s, tell or (lambda said: None))
            return cluster
        except BaseException:
            daemons.end(directory)
            raise


def _bring_up(cluster: Cluster, timeout_s: float, tell: Callable[[str], None]) -> None:
    directory, spec = cluster.directory, cluster.spec
    if accounting.is_kept(directory):
        tell("the accounts come up")
        accounting.start(directory)
    daemons.spawn(directory, "slurmctld", "-D", "-c")
    owned = [pool for pool in spec.pools if not pool.is_rented]
    names = [f"{pool.name}-{n + 1}" for pool in owned for n in range(pool.num_nodes)]
    for name in names:
        daemons.spawn(directory, "slurmd", "-D", "-N", name)
    end_s = time.monotonic() + timeout_s
    while (num_idle := _num_idle(cluster)) < len(names):
        tell(f"{num_idle} of {len(names)} nodes are up")
        if time.monotonic() > end_s or not daemons.running(directory, "slurmctld"):
            raise StorageError(f"Slurm did not come up: {daemons.last_words(directory)}")
        time.sleep(0.05)
    if accounting.is_kept(directory):
        accounting.write_accounts(cluster)
    (directory / daemons.READY).touch()


def find(directory: Path) -> Cluster:
    """Return the cluster that runs in a directory.

    Raises:
        InvalidInput: none does.
    """
    directory = directory.resolve()
    if not (directory / daemons.READY).exists() or not daemons.running(directory, "slurmctld"):
        raise InvalidInput(
            f"no Slurm of {str(directory)!r} runs; bring one up: hubbub fleet up --on slurm:{directory}"
        )
    return Cluster(directory, _read_spec(directory))


def _read_spec(directory: Path) -> FleetSpec:
    return msgspec.json.decode((directory / "fleet.json").read_bytes(), type=FleetSpec)


def _write(directory: Path, spec: FleetSpec, has_accounts: bool) -> Cluster:
    try:
        for name in ("run", "state", "log", "dev"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        spool = daemons.make_spool(directory)
        control = daemons.free_ports(2 + sum(pool.num_nodes for pool in spec.pools))
        place = Place(
            directory=str(directory),
            spool=str(spool),
            user=getpass.getuser(),
            control_port=control,
            node_port=control + 2,
        )
        (directory / accounting.CONF).unlink(missing_ok=True)
        if has_accounts:
            accounting.write_conf(directory, control + 1)
            place = msgspec.structs.replace(place, accounting=accounting.lines(spec, control + 1))
        for pool in spec.pools:
            for n in range(pool.gpus_per_node):
                (directory / "dev" / f"gpu{n}").touch()
            for n in range(pool.num_nodes):
                (spool / f"{pool.name}-{n + 1}").mkdir()
        (directory / "slurm.conf").write_text(render(spec, place))
        (directory / "gres.conf").write_text(render_gres(spec, str(directory)))
        write_programs(directory, spec)
        (directory / "fleet.json").write_bytes(msgspec.json.encode(spec))
    except OSError as error:
        raise StorageError(f"cannot write the cluster's files in {str(directory)!r}: {error}") from error
    return Cluster(directory, spec)


def _replace(path: Path, text: str) -> None:
    """Write a file wholly or not at all."""
    temporary = path.with_suffix(".new")
    with refusals("write", path):
        with temporary.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        replace_durably(temporary, path)


def _num_idle(cluster: Cluster) -> int:
    try:
        told = cluster.run("sinfo", "--noheader", "--Node", "--format=%N %t", timeout_s=10)
    except (InvalidInput, subprocess.TimeoutExpired):
        return 0
    return len({line.split()[0] for line in told.splitlines() if line.split()[1] == "idle"})
