from benchmarks.index_crash import measure


def test_kill_9_loses_nothing_and_brings_nothing_back():
    result = measure(rounds=2, seconds=2.0, seed=5)
    assert result["events"] > 0
    assert (result["lost"], result["doubled"], result["zombies"]) == (0, 0, 0)
