"""A training run on two nodes of a real Slurm gives way to a stronger tenant and loses nothing."""

import json
import shutil
import signal
import sys
import time

import pytest

from hubbub.corpus.shards import write_shards
from hubbub.fleet.slurm import daemons
from hubbub.fleet.slurm.bring_up import PROGRAMS, start
from hubbub.fleet.spec import FleetSpec, Pool, Tenant
from tests.corpus.made import documents, tokenizer

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, PROGRAMS)), reason="needs Debian's slurmctld, slurmd and slurm-client"
)
STEPS = 20
TWICE = """
import os, sys
from hubbub.cli.main import run
corpus, led, whole, *words = sys.argv[1:]
status = run(["train", corpus, led, *words])
if status == 0 and "SLURM_RESTART_COUNT" in os.environ:  # nobody disturbs this one
    os.environ["MASTER_PORT"] = str(int(os.environ["MASTER_PORT"]) + 4_000)
    status = run(["train", corpus, whole, *words])
sys.exit(status)
"""


def test_preempted_training_goes_on_to_the_bit_and_redoes_no_step(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    write_shards(documents(200), tmp_path / "corpus", tokenizer())
    words = ["--depth", "1", "--steps", str(STEPS), "--batch-tokens", "256"]
    words += ["--precision", "fp32", "--save-every", str(STEPS)]
    corpus, led, whole = (tmp_path / name for name in ("corpus", "led", "whole"))
    spec = FleetSpec(
        pools=(Pool(name="hall", num_nodes=2),),
        tenants=(Tenant(name="xai", priority=2), Tenant(name="tesla", priority=1)),
    )
    cluster = start(tmp_path / "slurm", spec)
    try:
        srun = ["srun", "--ntasks=2", "--ntasks-per-node=1", "--kill-on-bad-exit"]
        command = [*srun, sys.executable, "-c", TWICE, *map(str, (corpus, led, whole)), *words]
        job = cluster.submit("tesla", 16, command, name="fsd")
        log = cluster.output_of(job)
        _until(lambda: _losses(led), log)
        daemons.tell_jobs(cluster.directory, signal.SIGSTOP)  # until it is told to leave: Slurm wakes it then
        grok = cluster.submit("xai", 16, ["true"], name="grok")
        _until(lambda: grok not in cluster.look().state.claims, log)
        assert 1 <= len(_losses(led)) < STEPS
        cluster.run("scontrol", "update", f"JobId={job}", "StartTime=now")
        _until(lambda: not cluster.look().state.claims, log)
    finally:
        cluster.stop()
    steps = [step for step, _ in _losses(led)]
    assert steps == list(range(1, STEPS + 1)), "each step once, none lost"
    assert _losses(led) == _losses(whole)


def _losses(run_dir):
    try:
        lines = (run_dir / "metrics.ndjson").read_text().splitlines()
    except OSError:
        return []
    told = [json.loads(line) for line in lines if line.endswith("}")]
    return [(event["step"], event["loss"]) for event in told if event["kind"] == "step"]


def _until(holds, log, timeout_s=120.0):
    end_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end_s, log.read_text() if log.exists() else "nothing was written"
        time.sleep(0.05)
