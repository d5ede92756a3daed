"""Accounts, quotas and fair shares of a pretend cluster: Slurm's own slurmdbd on a MariaDB of its own.

Everything listens on the loopback or on a socket, and lies in the cluster's directory. An account a tenant:
its fair share is its guarantee, its quota (GrpTRES=gres/gpu) is `max_gpus`. sacct, sshare and sreport work.
"""

from __future__ import annotations

import getpass
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hubbub.errors import InvalidInput, MissingExtra, StorageError
from hubbub.fleet.slurm import daemons
from hubbub.fleet.spec import FleetSpec

if TYPE_CHECKING:
    from hubbub.fleet.slurm.cluster import Cluster

PROGRAMS = ("slurmdbd", "sacctmgr", "mariadbd", "mariadb-install-db")
CONF = "slurmdbd.conf"


def check_installed() -> None:
    """Refuse where a program lacks.

    Raises:
        MissingExtra: it is named.
    """
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        raise MissingExtra(
            f"{', '.join(missing)} not found, which --accounting needs; on Debian: "
            "apt-get install --no-install-recommends slurmdbd mariadb-server"
        )


def is_kept(directory: Path) -> bool:
    """Tell whether a cluster keeps accounts."""
    return (directory / CONF).exists()


def lines(spec: FleetSpec, port: int) -> list[str]:
    """Return what slurm.conf(5) needs for it; a share of the past counts half after the fleet's half-life."""
    return [
        "AccountingStorageType=accounting_storage/slurmdbd",
        "AccountingStorageHost=127.0.0.1",
        f"AccountingStoragePort={port}",
        "AccountingStorageTRES=gres/gpu",
        "AccountingStorageEnforce=associations,limits",
        "PriorityWeightFairshare=100000",
        f"PriorityDecayHalfLife={max(1, round(spec.half_life_days * 1_440))}",
        "PriorityCalcPeriod=1",
    ]


def write_conf(directory: Path, port: int) -> None:
    """Write slurmdbd.conf(5), which only this user may read."""
    user, conf = getpass.getuser(), directory / CONF
    conf.touch(mode=0o600)
    conf.write_text(
        "CommunicationParameters=NoInAddrAny\n"
        f"AuthType=auth/none\nDbdHost=localhost\nDbdAddr=127.0.0.1\nDbdPort={port}\nSlurmUser={user}\n"
        f"LogFile={directory}/log/slurmdbd.log\nPidFile={directory}/run/slurmdbd.pid\n"
        f"StorageType=accounting_storage/mysql\nStorageHost=localhost\nStorageUser={user}\nStorageLoc=slurm\n"
    )


def start(directory: Path) -> None:
    """Start both daemons, and return when slurmdbd answers.

    Raises:
        StorageError: one did not come up; the last words of its log are given.
    """
    data, socket = directory / "db", directory / "spool" / "db.sock"
    if not data.exists():
        _make_database(data)
    if not daemons.running(directory, "mariadbd", "mysqld"):
        socket.unlink(missing_ok=True)
        where = (f"--datadir={data}", f"--socket={socket}", f"--pid-file={directory}/run/mariadbd.pid")
        small = ("--innodb-buffer-pool-size=64M", "--innodb-lock-wait-timeout=900")
        who = f"--user={getpass.getuser()}"
        daemons.spawn(directory, "mariadbd", "--no-defaults", "--skip-networking", who, *where, *small)
        _await(directory, socket.exists, "MariaDB")
    if not daemons.running(directory, "slurmdbd"):
        # MYSQL_UNIX_PORT: where slurmdbd's client library looks.
        daemons.spawn(directory, "slurmdbd", "-D", named={"MYSQL_UNIX_PORT": str(socket)})
    _await(directory, lambda: _answers(directory), "slurmdbd")
    if "hubbub" not in _manage(directory, "-nP", "list", "cluster", "format=cluster"):
        _manage(directory, "add", "cluster", "hubbub")


def _make_database(data: Path) -> None:
    """Make an empty database that only this user may open, without a password: by who asks at the socket."""
    done = subprocess.run(
        [
            "mariadb-install-db",
            "--no-defaults",
            f"--datadir={data}",
            "--auth-root-authentication-method=socket",
            f"--auth-root-socket-user={getpass.getuser()}",
            f"--user={getpass.getuser()}",
            "--skip-test-db",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StorageError(f"MariaDB cannot make its files in {str(data)!r}: {done.stderr.strip()[-300:]}")


def _await(directory: Path, holds: Callable[[], bool], name: str) -> None:
    if not daemons.until(holds, 30):
        raise StorageError(f"{name} did not come up: {daemons.last_words(directory)}")


def _answers(directory: Path) -> bool:
    try:
        _manage(directory, "list", "cluster")
    except StorageError:
        return False
    return True


def _manage(directory: Path, *words: str) -> str:
    command, environment = ["sacctmgr", "--immediate", *words], daemons.environment(directory)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        told = done.stderr.strip() or done.stdout.strip()
        raise StorageError(f"slurmdbd refused {' '.join(words)}: {told}")
    return done.stdout


def write_accounts(cluster: Cluster) -> None:
    """Give every tenant its account, share and quota; what stands already stays.

    Raises:
        InvalidInput: Slurm refused; its words are given.
    """
    user, manage = getpass.getuser(), ("sacctmgr", "--immediate")
    told = cluster.run("sacctmgr", "-nP", "list", "associations", f"user={user}", "format=account").split()
    for tenant in cluster.spec.tenants:
        how = ("modify", "account", tenant.name, "set")
        if tenant.name not in told:
            how = ("add", "account", tenant.name, "Cluster=hubbub")
        share, most = max(tenant.guaranteed_gpus, 1), tenant.max_gpus or -1
        try:
            cluster.run(*manage, *how, f"Fairshare={share}", f"GrpTRES=gres/gpu={most}")
        except InvalidInput as error:
            if "Nothing modified" not in str(error) and "Nothing new added" not in str(error):
                raise
    if new := [tenant.name for tenant in cluster.spec.tenants if tenant.name not in told]:
        cluster.run(*manage, "add", "user", user, f"Account={','.join(new)}", "Cluster=hubbub")
