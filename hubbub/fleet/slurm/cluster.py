"""A real Slurm on this machine, for tests and demos: pretend GPUs, loopback only, in one directory."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from hubbub.disk import refusals, replace_durably
from hubbub.errors import InUse, InvalidInput, MissingExtra, StorageError
from hubbub.fleet.slurm.config import POLICY, Place, check_names, policy_lines, render, render_gres
from hubbub.fleet.spec import FleetSpec

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "scontrol", "squeue", "sinfo", "scancel")
_PIDS = "pids.json"


class Cluster:
    """A Slurm that `start` brought up, or that `find` found again; every command sees only it."""

    def __init__(self, directory: Path, spec: FleetSpec) -> None:
        self.directory, self.spec = directory, spec

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment in which Slurm's own commands talk to this cluster."""
        return {**os.environ, "SLURM_CONF": str(self.directory / "slurm.conf")}

    def run(self, *command: str, timeout_s: float = 30.0) -> str:
        """Run one of Slurm's commands, without a shell, and return what it printed.

        Raises:
            InvalidInput: it refused; its own words are given.
        """
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=timeout_s, check=False
        )
        if done.returncode:
            raise InvalidInput(f"{command[0]} refused: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def change(self, spec: FleetSpec) -> None:
        """Take another fleet's partitions and caps over into the running cluster; its nodes stay.

        Raises:
            InvalidInput: a name does not do, or Slurm refused; the old configuration stands then.
        """
        path, lines = self.directory / "slurm.conf", policy_lines(spec)
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

    def stop(self) -> None:
        """Cancel all jobs, then stop every daemon; safe to call twice."""
        with contextlib.suppress(InvalidInput, subprocess.TimeoutExpired, OSError):
            self.run("scancel", f"--user={getpass.getuser()}", timeout_s=10)
            _until(lambda: not self.run("squeue", "--noheader", "--states=R,CG").strip(), 8)
        pids = _read_pids(self.directory)
        for kind in (signal.SIGTERM, signal.SIGKILL):
            for pid in filter(_lives, pids):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, kind)
            _until(lambda: not any(map(_lives, pids)), 5)
        (self.directory / _PIDS).unlink(missing_ok=True)
        _remove_spool(self.directory)


def start(
    directory: Path, spec: FleetSpec, *, timeout_s: float = 60.0, tell: Callable[[str], None] | None = None
) -> Cluster:
    """Bring a pretend cluster up, and return when every node is idle.

    Raises:
        MissingExtra: Slurm is not installed.
        InUse: a cluster of this directory runs already.
        StorageError: a daemon ended or the nodes did not come up; its log's last lines are given.
    """
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        raise MissingExtra(
            f"{', '.join(missing)} not found; on Debian: "
            "apt-get install --no-install-recommends slurmctld slurmd slurm-client"
        )
    if any(map(_lives, _read_pids(directory))):
        raise InUse(
            f"a Slurm of {directory} runs already; stop it first: hubbub fleet down --dir {directory}"
        )
    check_names(spec)
    directory = directory.resolve()
    _write(directory, spec)
    cluster = Cluster(directory, spec)
    pids = [_spawn(directory, "slurmctld", "-D", "-c")]
    names = [f"{pool.name}-{n + 1}" for pool in spec.pools for n in range(pool.num_nodes)]
    pids += [_spawn(directory, "slurmd", "-D", "-N", name) for name in names]
    (directory / _PIDS).write_bytes(msgspec.json.encode(pids))
    end_s = time.monotonic() + timeout_s
    while (num_idle := _num_idle(cluster)) < len(names):
        if tell:
            tell(f"{num_idle} of {len(names)} nodes are up")
        if time.monotonic() > end_s or not _lives(pids[0]):
            cluster.stop()
            raise StorageError(f"Slurm did not come up: {_last_words(directory)}")
        time.sleep(0.05)
    return cluster


def find(directory: Path) -> Cluster:
    """Return the cluster that runs in a directory.

    Raises:
        InvalidInput: none does.
    """
    if not any(map(_lives, _read_pids(directory))):
        raise InvalidInput(
            f"no Slurm of {str(directory)!r} runs; bring one up: hubbub fleet up --dir {directory}"
        )
    spec = msgspec.json.decode((directory / "fleet.json").read_bytes(), type=FleetSpec)
    return Cluster(directory.resolve(), spec)


def _write(directory: Path, spec: FleetSpec) -> None:
    try:
        for name in ("run", "state", "log", "dev"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        _remove_spool(directory)
        spool = Path(tempfile.mkdtemp(prefix="hubbub-slurm-"))
        (directory / "spool").symlink_to(spool)
        num_nodes = sum(pool.num_nodes for pool in spec.pools)
        control, nodes = _free_ports(num_nodes)
        place = Place(
            directory=str(directory),
            spool=str(spool),
            user=getpass.getuser(),
            control_port=control,
            node_port=nodes,
        )
        for pool in spec.pools:
            for n in range(pool.gpus_per_node):
                (directory / "dev" / f"gpu{n}").touch()
            for n in range(pool.num_nodes):
                (spool / f"{pool.name}-{n + 1}").mkdir()
        (directory / "slurm.conf").write_text(render(spec, place))
        (directory / "gres.conf").write_text(render_gres(spec, str(directory)))
        (directory / "fleet.json").write_bytes(msgspec.json.encode(spec))
    except OSError as error:
        raise StorageError(f"cannot write the cluster's files in {str(directory)!r}: {error}") from error


def _remove_spool(directory: Path) -> None:
    link = directory / "spool"
    if link.is_symlink():
        shutil.rmtree(link.resolve(), ignore_errors=True)
        link.unlink()


def _replace(path: Path, text: str) -> None:
    """Write a file wholly or not at all."""
    temporary = path.with_suffix(".new")
    with refusals("write", path):
        with temporary.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        replace_durably(temporary, path)


def _free_ports(num_nodes: int) -> tuple[int, int]:
    """Return a port, and the first of so many in a row behind it, that nobody listens on."""
    for first in range(17_100 + os.getpid() % 1_000 * 10, 32_000, num_nodes + 1):
        try:
            with contextlib.ExitStack() as held:
                for port in range(first, first + num_nodes + 1):
                    bound = held.enter_context(socket.socket())
                    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    bound.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first, first + 1
    raise InUse(f"no {num_nodes + 1} free ports in a row below 32,000 on 127.0.0.1; stop another cluster")


def _spawn(directory: Path, *command: str) -> int:
    """Start a daemon in a session of its own, so that it outlives the command that started it."""
    log = str(directory / "log" / "daemons.log")
    return os.posix_spawnp(
        command[0],
        command,
        {**os.environ, "SLURM_CONF": str(directory / "slurm.conf")},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def _num_idle(cluster: Cluster) -> int:
    try:
        told = cluster.run("sinfo", "--noheader", "--Node", "--format=%N %t", timeout_s=10)
    except (InvalidInput, subprocess.TimeoutExpired):
        return 0
    return len({line.split()[0] for line in told.splitlines() if line.split()[1] == "idle"})


def _read_pids(directory: Path) -> list[int]:
    try:
        return msgspec.json.decode((directory / _PIDS).read_bytes(), type=list[int])
    except (OSError, msgspec.DecodeError):
        return []


def _lives(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"slurm" in command


def _until(holds: Callable[[], bool], timeout_s: float) -> bool:
    end_s = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > end_s:
            return False
        time.sleep(0.05)
    return True


def _last_words(directory: Path) -> str:
    logs = sorted((directory / "log").glob("*.log"), key=lambda log: log.stat().st_mtime)
    lines = [line for log in logs for line in log.read_text(errors="replace").splitlines() if "error" in line]
    return "; ".join(lines[-3:]) or f"see {directory / 'log'}"
