import json
import shutil

import pytest

from hubbub.cli.main import run
from hubbub.fleet.slurm.cluster import PROGRAMS, find

FLEET = """
[[tenants]]
name = "xai"
priority = 20
[[tenants]]
name = "tesla"
priority = {priority}
[[pools]]
name = "hall"
num_nodes = 2
site = "hall"
busy_kw_per_gpu = 1.0
[[sites]]
name = "hall"
cap_kw = {cap}
"""
RUN = """
global_batch = 8
num_tokens = 1e9
[model]
name = "small"
num_layers = 16
hidden = 2048
num_heads = 32
num_kv_heads = 8
head_dim = 64
ffn = 8192
vocab = 128256
[layout]
dp = 8
[cluster]
name = "hall"
nic_bytes_per_s = 5e10
[cluster.gpu]
name = "h100"
memory_bytes = 8.5e10
memory_bytes_per_s = 3.35e12
link_bytes_per_s = 4.5e11
tdp_w = 700.0
gemm = "h100_sxm"
peak_flops = {bf16 = 9.89e14}
"""


@pytest.mark.skipif(
    not all(map(shutil.which, PROGRAMS)), reason="needs Debian's slurmctld, slurmd and slurm-client"
)
def test_a_running_slurm_takes_another_fleet_over_and_a_predicted_run(tmp_path, capsys):
    fleet, spec, there = tmp_path / "fleet.toml", tmp_path / "run.toml", tmp_path / "slurm"
    fleet.write_text(FLEET.format(priority=10, cap=16.0))
    spec.write_text(RUN)
    assert run(["fleet", "up", "--fleet", str(fleet), "--on", f"slurm:{there}"]) == 0
    try:
        fleet.write_text(FLEET.format(priority=30, cap=12.0))
        assert run(["fleet", "apply", str(fleet), "--to", f"slurm:{there}"]) == 0
        assert "tenant tesla, priority 30" in capsys.readouterr().out
        cluster = find(there)
        assert "watt_hall" in (said := cluster.run("scontrol", "show", "licenses")) and "Total=12000" in said
        assert "PriorityTier=11" in cluster.run("scontrol", "show", "partition", "tesla")
        fleet.write_text(FLEET.format(priority=30, cap=12.0).replace("num_nodes = 2", "num_nodes = 3"))
        assert run(["fleet", "apply", str(fleet), "--to", f"slurm:{there}"]) == 2
        assert "its nodes stay as they are" in capsys.readouterr().err
        submit = ["fleet", "submit", "--on", f"slurm:{there}", "--spec", str(spec), "--json", "--tenant"]
        assert run([*submit, "nobody", "--", "sleep", "30"]) == 2
        assert "tenant 'nobody' is not known" in capsys.readouterr().err
        assert run([*submit, "xai", "--gpus", "4", "--", "sleep", "30"]) == 2
        capsys.readouterr()
        assert run([*submit, "xai", "--", "sleep", "30"]) == 0
        out, err = capsys.readouterr()
        told = json.loads(out)
        assert told["gpus"] == 8 and told["kw"] > 1 and "plan predicts" in err
        noted = cluster.run("scontrol", "show", "job", told["job"])
        assert f"Comment=hubbub:expected_s={round(told['expected_s'])}" in noted
    finally:
        find(there).stop()
