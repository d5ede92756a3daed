"""kill -9 of a whole serving house; the benchmark does more of it, and other ways of running."""

from benchmarks.house_crash import WRONG, measure


def test_a_killed_house_has_lost_nothing_and_brings_nothing_back():
    row, *_ = measure(rounds=1, seconds=1.0, seed=3)
    assert row["events"] > 0
    assert [row[what] for what in WRONG] == [0] * len(WRONG)
