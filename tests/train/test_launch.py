import os
import subprocess
import sys

from hubbub.train.launch import adopt_slurm

TASK = {
    "SLURM_STEP_ID": "0",
    "SLURM_NTASKS": "4",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
    "SLURM_LAUNCH_NODE_IPADDR": "10.0.0.7",
    "SLURM_JOB_ID": "9001",
}


def test_a_task_of_srun_is_a_rank():
    told = adopt_slurm(TASK)
    assert (told["RANK"], told["WORLD_SIZE"], told["LOCAL_RANK"]) == ("3", "4", "1")
    assert told["MASTER_ADDR"] == "10.0.0.7" and 1_024 < int(told["MASTER_PORT"]) < 32_768
    other = adopt_slurm({**TASK, "SLURM_STEP_LAUNCHER_PORT": "35169"})
    assert other["MASTER_PORT"] != told["MASTER_PORT"], "another cluster's job of the same number"


def test_what_is_no_task_of_several_is_left_alone():
    assert adopt_slurm({}) == {}
    assert adopt_slurm({**TASK, "RANK": "0"}) == {}
    assert adopt_slurm({**TASK, "SLURM_NTASKS": "1"}) == {}


def test_how_threads_wait_is_said_before_torch_is_there():
    code = "import os, sys, hubbub.train; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    bare = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    for said, told in ({}, "passive"), ({"OMP_WAIT_POLICY": "active"}, "active"):
        found = subprocess.run([sys.executable, "-c", code], env=bare | said, capture_output=True, text=True)
        assert found.stdout == f"{told} False\n", found.stderr
