"""Brings a real Slurm up on this machine: pretend GPUs, loopback only, all its files in one directory."""

from __future__ import annotations

import fcntl
import getpass
import re
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from hubbub.disk import refusals
from hubbub.errors import InUse, InvalidInput, MissingExtra, StorageError
from hubbub.fleet.launcher import check_same_pools, dated, pretend_fleet
from hubbub.fleet.slurm import accounting, daemons
from hubbub.fleet.slurm.cluster import Cluster, read_spec
from hubbub.fleet.slurm.config import Place, check_names, render, render_gres
from hubbub.fleet.slurm.rented import write_programs
from hubbub.fleet.spec import FleetSpec, Pool

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "scontrol", "squeue", "sinfo", "scancel")


def start(
    directory: Path,
    spec: FleetSpec | None,
    *,
    timeout_s: float = 60.0,
    has_accounts: bool = False,
    tell: Callable[[str], None] | None = None,
) -> Cluster:
    """Bring a pretend cluster up (None: as it was, or a small one), and return when its owned nodes are up.

    What a start that was killed left, here or elsewhere, is ended and removed first. Where only the
    controller died, it comes back with all its jobs. `has_accounts` brings slurmdbd and a MariaDB up, too.

    Raises:
        MissingExtra: Slurm is not installed.
        InUse: a cluster of this directory runs already.
        InvalidInput: Slurm cannot hold a name, or the directory's.
        StorageError: a daemon ended or the nodes did not come up; its log's last lines are given.
    """
    directory = directory.resolve()
    _check(directory, has_accounts)
    daemons.sweep()
    with refusals("use", directory):
        directory.mkdir(parents=True, exist_ok=True)
        lock = (directory / "starting").open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InUse(f"another `hubbub fleet up` is starting a Slurm in {directory}") from error
        tell = tell or (lambda said: None)
        if not (directory / daemons.READY).exists():
            return _begin(directory, dated(spec or pretend_fleet()), has_accounts, timeout_s, tell)
        if daemons.running(directory, "slurmctld"):
            raise InUse(
                f"a Slurm of {directory} runs already; stop it: hubbub fleet down --on slurm:{directory}"
            )
        cluster = Cluster(directory, read_spec(directory))
        check_same_pools(cluster.url, cluster.spec, spec or cluster.spec)
        tell("its controller is gone; it comes back with its jobs")
        _bring_up(cluster, timeout_s, tell)
        if spec is not None:
            cluster.change(spec)
        return cluster


def _check(directory: Path, has_accounts: bool) -> None:
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        raise MissingExtra(
            f"{', '.join(missing)} not found; on Debian: "
            "apt-get install --no-install-recommends slurmctld slurmd slurm-client"
        )
    if has_accounts:
        accounting.check_installed()
    if not re.fullmatch(r"[\w/.+@:~-]+", str(directory), re.ASCII):
        raise InvalidInput(
            f"Slurm cannot keep its files in {str(directory)!r}: use a path of plain letters, without spaces"
        )


def _begin(
    directory: Path, spec: FleetSpec, has_accounts: bool, timeout_s: float, tell: Callable[[str], None]
) -> Cluster:
    check_names(spec)
    daemons.end(directory)
    try:
        _write(directory, spec, has_accounts)
        cluster = Cluster(directory, spec)
        _bring_up(cluster, timeout_s, tell)
        (directory / daemons.READY).touch()
    except BaseException:
        daemons.end(directory)
        raise
    return cluster


def clear(directory: Path) -> bool:
    """End and remove what starts that were killed left, and tell whether one was of this directory."""
    directory = directory.resolve()
    is_half_up = not (directory / daemons.READY).exists() and bool(daemons.running(directory))
    if is_half_up:
        daemons.end(directory)
    return directory in daemons.sweep() or is_half_up


def _bring_up(cluster: Cluster, timeout_s: float, tell: Callable[[str], None]) -> None:
    """Start all daemons that do not run, and wait for the nodes; a controller goes on where it was."""
    directory, spec = cluster.directory, cluster.spec
    if accounting.is_kept(directory):
        tell("the accounts come up")
        accounting.start(directory)
    for name in _nodes(spec.pools):  # the system may have emptied /tmp since
        (directory / "spool" / name).mkdir(parents=True, exist_ok=True)
    daemons.spawn(directory, "slurmctld", "-D")
    names = _nodes(pool for pool in spec.pools if not pool.is_rented)
    living = daemons.nodes(directory)
    for name in names:
        if name not in living:
            daemons.spawn(directory, "slurmd", "-D", "-N", name)
    end_s = time.monotonic() + timeout_s
    while (num_up := _num_up(cluster)) < len(names):
        tell(f"{num_up} of {len(names)} nodes are up")
        if time.monotonic() > end_s or not daemons.running(directory, "slurmctld"):
            raise StorageError(f"Slurm did not come up: {daemons.last_words(directory)}")
        time.sleep(0.05)
    if accounting.is_kept(directory):
        accounting.write_accounts(cluster)


def _write(directory: Path, spec: FleetSpec, has_accounts: bool) -> None:
    try:
        for name in ("state", "db"):
            shutil.rmtree(directory / name, ignore_errors=True)
        for name in ("run", "state", "log", "dev"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        spool = daemons.make_spool(directory, _nodes(spec.pools))
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
        (directory / "slurm.conf").write_text(render(spec, place))
        (directory / "gres.conf").write_text(render_gres(spec, str(directory)))
        write_programs(directory, spec)
        (directory / "fleet.json").write_bytes(msgspec.json.encode(spec))
    except OSError as error:
        raise StorageError(f"cannot write the cluster's files in {str(directory)!r}: {error}") from error


def _nodes(pools: Iterable[Pool]) -> list[str]:
    return [f"{pool.name}-{n + 1}" for pool in pools for n in range(pool.num_nodes)]


def _num_up(cluster: Cluster) -> int:
    try:
        told = cluster.run("sinfo", "--noheader", "--Node", "--format=%N %t", timeout_s=10)
    except InvalidInput:
        return 0
    known = (line.split() for line in told.splitlines())
    return len({name for name, state in known if state.startswith(("idle", "mix", "alloc", "comp", "drain"))})
