"""A training run on two nodes of a real Slurm gives way to a stronger tenant and loses nothing."""

import json
import shutil
import subprocess
import sys
import time

import pytest

from hubbub.corpus.shards import write_shards
from hubbub.fleet.slurm.bring_up import PROGRAMS, start
from hubbub.fleet.slurm.submit import submit
from hubbub.fleet.spec import FleetSpec, Pool, Tenant
from tests.corpus.made import documents, tokenizer

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, PROGRAMS)), reason="needs Debian's slurmctld, slurmd and slurm-client"
)
STEPS = 80
"""They take some seconds: the stronger tenant needs one or two to take over."""


def test_preempted_training_goes_on_to_the_bit_and_redoes_no_step(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    write_shards(documents(200), tmp_path / "corpus", tokenizer())
    words = ["train", str(tmp_path / "corpus"), "RUN", "--depth", "1", "--steps", str(STEPS)]
    words += ["--batch-tokens", "256", "--precision", "fp32", "--save-every", str(STEPS)]
    whole, led = tmp_path / "whole", tmp_path / "led"
    python = [sys.executable, "-m", "hubbub.cli.main"]
    spec = FleetSpec(
        pools=(Pool(name="hall", num_nodes=2),),
        tenants=(Tenant(name="xai", priority=2), Tenant(name="tesla", priority=1)),
    )
    cluster = start(tmp_path / "slurm", spec)
    try:
        command = [*python, *(str(led) if word == "RUN" else word for word in words)]
        srun = ["srun", "--ntasks=2", "--ntasks-per-node=1"]
        job = submit(cluster, "tesla", 16, [*srun, *command], name="fsd")
        log = cluster.directory / "log" / f"job-{job}.out"
        _until(lambda: len(_losses(led)) >= 5, log)
        grok = submit(cluster, "xai", 16, ["sleep", "1"], name="grok")
        _until(lambda: grok in cluster.run("squeue", "--noheader", "--states=R", "--format=%i").split(), log)
        assert 5 <= len(_losses(led)) < STEPS
        alone = _alone([str(whole) if word == "RUN" else word for word in words])
        _until(lambda: not cluster.run("squeue", "--noheader", "--format=%i").split(), log)
    finally:
        cluster.stop()
    assert alone.wait(60) == 0
    steps = [step for step, _ in _losses(led)]
    assert steps == list(range(1, STEPS + 1)), "each step once, none lost"
    assert _losses(led) == _losses(whole)


def _alone(words):
    """Start the same run without interruption: one process imports torch, and forks into both ranks."""
    script = """
import os, socket, sys
import hubbub.train.run
from hubbub.cli.main import run
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
rank = 0 if os.fork() else 1
os.environ.update(RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
status = run(sys.argv[1:])
sys.exit(status or (os.wait()[1] if rank == 0 else 0))
"""
    return subprocess.Popen([sys.executable, "-c", script, *words], stdout=subprocess.DEVNULL)


def _losses(run_dir):
    try:
        lines = (run_dir / "metrics.ndjson").read_text().splitlines()
    except OSError:
        return []
    told = [json.loads(line) for line in lines if line.endswith("}")]
    return [(event["step"], event["loss"]) for event in told if event["kind"] == "step"]


def _until(holds, log, timeout_s=240.0):
    end_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end_s, log.read_text() if log.exists() else "nothing was written"
        time.sleep(0.1)
