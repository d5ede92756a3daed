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
