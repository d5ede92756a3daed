import json

from hubbub.cli.main import run

FLEET = """
[[tenants]]
name = "first"
priority = 2
[[tenants]]
name = "second"
priority = 1
[[pools]]
name = "hall"
site = "hall"
num_nodes = 2
busy_kw_per_gpu = 1.0
idle_kw_per_gpu = 0.25
[[sites]]
name = "hall"
cap_kw = 12.0
[[grid_events]]
site = "hall"
start_s = 40
duration_s = 20
cut = 0.3
"""
TRACE = """job_id,submit_s,tenant,gpus,run_s
a,0,second,8,100
b,10,first,8,30
c,12,first,0,5
"""


def test_a_replay_tells_what_each_tenant_got_and_draws_it(tmp_path, capsys):
    fleet, trace, page = tmp_path / "fleet.toml", tmp_path / "trace.csv", tmp_path / "page.html"
    fleet.write_text(FLEET)
    trace.write_text(TRACE)
    command = ["fleet", "simulate", "--fleet", str(fleet), "--trace", str(trace)]
    assert run([*command, "--report", str(page), "--json"]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    first, second = sorted(told["tenants"], key=lambda each: each["tenant"])
    # 4 kW idle, 6 kW a job, 12 kW in all: only one job at a time; and the first goes first.
    assert first["wait_mean_s"] == 0 and second["num_preempted"] == 1 and second["wait_mean_s"] == 50
    assert told["over_cap_kw"] == 0 and told["end_s"] == 150
    assert "1 jobs ask for no GPU" in err
    html = page.read_text()
    assert html.count("<figure") == 5 and "Power against the cap" in html
    assert run(command) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].split()[:2] == ["tenant", "jobs"] and "never above the cap" in err


def test_what_cannot_be_is_misuse_and_named(tmp_path, capsys):
    for text, message in (
        (
            FLEET.replace("cap_kw = 12.0", "cap_kw = 3.0"),
            "draw 4 kW when idle, above its cap of 2.1 kW that a cut",
        ),
        (FLEET.replace('site = "hall"\nnum', 'site = "moon"\nnum'), "site 'moon' is not described"),
        (FLEET.replace('"second"', '"first"'), "tenant 'first' is named 2 times"),
        (FLEET.replace("num_nodes", "nodes"), "unknown field `nodes`"),
        (FLEET.replace("num_nodes = 2", "num_nodes = 0"), "0 nodes of 8 GPUs"),
        (FLEET.replace("cut = 0.3", "cut = 3"), "cut 3 between 0 and 1"),
        (FLEET.replace("cap_kw = 12.0", "cap_kw = nan"), "site 'hall': cap_kw is nan"),
        (FLEET.replace("num_nodes = 2", "num_nodes = 2\nmttf_node_days = -1"), "mttf_node_days is -1"),
        (FLEET.replace("priority = 2", "guaranteed_gpus = -8"), "guaranteed_gpus is -8"),
        (FLEET.replace("start_s = 40", "start_s = inf"), "start_s is inf"),
        ("pools = []", "no pools"),
        ("[[pools", "fleet.toml"),
    ):
        path = tmp_path / "fleet.toml"
        path.write_text(text)
        assert run(["fleet", "simulate", "--fleet", str(path)]) == 2, text
        assert message in capsys.readouterr().err.replace("Object contains ", "")
    path.write_bytes(b"\xff")
    assert run(["fleet", "simulate", "--fleet", str(path)]) == 2
    assert run(["fleet", "deliveries", str(path)]) == 2
    assert run(["fleet", "simulate", "--fleet", str(tmp_path / "none.toml")]) == 2
    (tmp_path / "big.csv").write_text("job_id,submit_s,tenant,gpus,run_s\nhuge,0,t,99,1\n")
    assert run(["fleet", "simulate", "--gpus", "16", "--trace", str(tmp_path / "big.csv")]) == 2
    assert "'huge' asks for 99 GPUs; the fleet's largest pool has 16" in capsys.readouterr().err


def test_the_swap_of_december_2023_is_told(capsys):
    assert run(["fleet", "deliveries"]) == 0
    out = capsys.readouterr().out
    assert "x (swap)" in out and out.splitlines()[-1].endswith("1,284,000 saved")
    assert run(["fleet", "deliveries", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["saved_gpu_days"] == 1_284_000
