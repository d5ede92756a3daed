"""A training run on two nodes of a real Slurm gives way to a stronger tenant and loses nothing."""

import json
import shutil
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
STEPS = 60
"""They take some seconds, as the stronger tenant needs one or two to take over."""
RANK = """
import os, signal, sys
import hubbub.train.run
from hubbub.cli.main import run
told = []
def once(words):
    if not (child := os.fork()):
        sys.exit(run(words))
    signal.signal(signal.SIGTERM, lambda kind, _: (told.append(kind), os.kill(child, kind)))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
half = len(sys.argv) // 2 + 1
if once(sys.argv[1:half]) == 0 and not told:
    sys.exit(once(sys.argv[half:]))
"""
"""Imports torch once (it takes longer than the training), and runs two commands one after the other.

The first is led by Slurm: preempted, resumed. The second is the same run, and nobody disturbs it.
"""


def test_preempted_training_goes_on_to_the_bit_and_redoes_no_step(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    write_shards(documents(200), tmp_path / "corpus", tokenizer())
    words = ["train", str(tmp_path / "corpus"), "RUN", "--depth", "1", "--steps", str(STEPS)]
    words += ["--batch-tokens", "256", "--precision", "fp32", "--save-every", str(STEPS)]
    whole, led = tmp_path / "whole", tmp_path / "led"
    spec = FleetSpec(
        pools=(Pool(name="hall", num_nodes=2),),
        tenants=(Tenant(name="xai", priority=2), Tenant(name="tesla", priority=1)),
    )
    cluster = start(tmp_path / "slurm", spec)
    try:
        both = [word if word != "RUN" else str(at) for at in (led, whole) for word in words]
        srun = ["srun", "--ntasks=2", "--ntasks-per-node=1", sys.executable, "-c", RANK, *both]
        job = submit(cluster, "tesla", 16, srun, name="fsd")
        log = cluster.directory / "log" / f"job-{job}.out"
        _until(lambda: len(_losses(led)) >= 2, log)
        grok = submit(cluster, "xai", 16, ["sleep", "1"], name="grok")
        _until(lambda: grok in cluster.run("squeue", "--noheader", "--states=R", "--format=%i").split(), log)
        assert 2 <= len(_losses(led)) < STEPS
        _until(lambda: not cluster.run("squeue", "--noheader", "--format=%i").split(), log)
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


def _until(holds, log, timeout_s=240.0):
    end_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end_s, log.read_text() if log.exists() else "nothing was written"
        time.sleep(0.1)
