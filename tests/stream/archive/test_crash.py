"""kill -9 at random moments of appending, rolling over and compacting; the benchmark does more of it."""

from benchmarks.archive_crash import run_round


def test_nothing_acknowledged_is_lost_or_doubled_by_kill_9(tmp_path):
    acknowledged = [run_round(tmp_path / "archive", seed, max_delay_s=0.15) for seed in range(4)]
    assert acknowledged == sorted(acknowledged)
    assert acknowledged[0] > 0
