"""Some of the random schedules of `benchmarks/schedules.py`; a hundred thousand run there."""

import pytest

from benchmarks.schedules import measure


@pytest.mark.parametrize(("number", "edge_share"), [(120, 0.0), (4, 1.0)], ids=["sqlite", "edge"])
def test_nothing_leaks_and_nothing_is_lost(number, edge_share):
    counts, faults = measure(number, 1, edge_share, is_patient=False)
    assert faults == []
    assert (counts["leaks"], counts["losses"], counts["schedules"]) == (0, 0, number)
    assert min(counts[what] for what in ("answers", "kills", "looks")) > 0
