import json

import pytest

from hubbub.cli.main import run

pytest.importorskip("numba", reason="needs pip install 'hubbub[sweep]'")


def test_a_table_of_combinations_and_the_smallest_fleet(tmp_path, capsys):
    trace = tmp_path / "trace.csv"
    trace.write_text(
        "job_id,submit_s,tenant,gpus,run_s\n" + "".join(f"j{n},{n},a,8,100\n" for n in range(20))
    )
    command = ["fleet", "sweep", "--trace", str(trace), "--gpus", "16,32", "--load", ".5,1"]
    assert run([*command, "--want-p95-wait", "0", "--policy", "sjf"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 4 + 2 + 2 and lines[0].split()[:3] == ["policy", "load", "GPUs"]
    assert lines[-1] == "sjf, load 1: 160 GPUs are the fewest with a p95 wait of 0 s or less"
    assert run([*command, "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["policy"], row["load"], row["gpus"]) for row in rows][:3] == [
        ("fifo", 0.5, 16), ("fifo", 0.5, 32), ("fifo", 1.0, 16),
    ]  # fmt: skip
    for bad, message in (
        (["--gpus", "16,many"], "'16,many': give numbers with commas"),
        (["--gpus", "16,inf"], "--gpus inf: give whole GPUs"),
        (["--gpus", "16", "--policy", "lifo"], "policy 'lifo' cannot be swept"),
        ([], "nothing to sweep; give --policy and --gpus"),
    ):
        assert run(["fleet", "sweep", "--trace", str(trace), *bad]) == 2
        assert message in capsys.readouterr().err
