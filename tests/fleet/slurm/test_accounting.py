"""Accounts, quotas and fair shares in Slurm's own database, where slurmdbd and MariaDB are installed."""

import shutil

import pytest

from hubbub.cli.main import run
from hubbub.errors import MissingExtra
from hubbub.fleet.slurm import accounting, daemons
from hubbub.fleet.slurm.bring_up import PROGRAMS
from hubbub.fleet.slurm.cluster import find

FLEET = """
[[tenants]]
name = "xai"
priority = 20
guaranteed_gpus = 16
[[tenants]]
name = "tesla"
priority = 10
max_gpus = {quota}
[[pools]]
name = "hall"
num_nodes = 2
"""


def test_without_slurmdbd_it_is_said_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtra, match="apt-get install --no-install-recommends slurmdbd mariadb-server"):
        accounting.check_installed()


@pytest.mark.skipif(
    not all(map(shutil.which, (*PROGRAMS, *accounting.PROGRAMS))),
    reason="needs Debian's slurmdbd and mariadb-server beside Slurm",
)
def test_a_quota_holds_jobs_and_shares_are_the_guarantees(tmp_path):
    fleet, there = tmp_path / "fleet.toml", tmp_path / "slurm"
    fleet.write_text(FLEET.format(quota=8))
    assert run(["fleet", "up", "--accounting", "--fleet", str(fleet), "--on", f"slurm:{there}"]) == 0
    cluster = find(there)
    try:
        first, second = (cluster.submit("tesla", 8, ["sleep", "60"], expected_s=60.0) for _ in range(2))
        told = lambda: cluster.run("squeue", "--noheader", "--format=%i %t %r")  # noqa: E731
        assert daemons.until(lambda: f"{first} R None" in told(), 30)
        assert daemons.until(lambda: f"{second} PD AssocGrpGRES" in told(), 30)
        shares = cluster.run("sshare", "--noheader", "--parsable2", "--format=account,rawshares").split()
        assert {"xai|16", "tesla|1"} <= set(shares)
        fleet.write_text(FLEET.format(quota=16))
        assert run(["fleet", "apply", str(fleet), "--to", f"slurm:{there}"]) == 0
        assert daemons.until(lambda: f"{second} R None" in told(), 30), "the new quota is in force"
    finally:
        cluster.stop()
    assert not daemons.running(there)
