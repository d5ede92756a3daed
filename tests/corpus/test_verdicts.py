"""Caps and the time cut hold what they promise, whatever the figures."""

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.corpus.run import COLUMNS, Run
from hubbub.corpus.settings import CorpusSettings
from hubbub.corpus.verdicts import EXACT, KEPT, _whole_hashes, find_cap, find_cut

COUNTS = st.lists(st.integers(1, 50), max_size=60)


@given(COUNTS, st.floats(0, 1), st.integers(1, 60))
def test_at_most_the_given_share_of_authors_is_cut_down(counts, share, floor):
    activities = [dict(Counter(counts[::2])), dict(Counter(counts[1::2]))]
    cap = find_cap(activities, CorpusSettings(active_share=share, active_floor=floor))
    assert cap >= floor
    assert sum(count > cap for count in counts) <= share * len(counts)
    if cap > floor:
        assert sum(count >= cap for count in counts) > int(share * len(counts)), "a lower cap would do"


@given(st.lists(st.integers(0, 9), max_size=40), st.integers(1, 9))
def test_equal_hashes_are_compared_together(numbers, at_once):
    hashes = np.sort(np.array(numbers, np.uint64))
    parts = [hashes[part].tolist() for part in _whole_hashes(hashes, at_once)]
    assert sum(parts, []) == hashes.tolist()
    assert all(a[-1] != b[0] and len(a) >= at_once for a, b in zip(parts, parts[1:], strict=False))


@settings(max_examples=50)
@given(st.lists(st.lists(st.integers(0, 30), max_size=20), min_size=1, max_size=3), st.floats(0, 1))
def test_at_most_the_given_share_is_held_out(tmp_path_factory, runs, share):
    work = tmp_path_factory.mktemp("cut")
    verdicts = []
    for number, times in enumerate(runs):
        columns = np.zeros(len(times) + 1, COLUMNS)
        columns["time"][:-1] = times
        columns.tofile(Run(work, number).path("columns"))
        verdicts.append(np.array([KEPT if time % 5 else EXACT for time in times], np.uint8))
    kept = [time for times in runs for time in times if time % 5]
    cut = find_cut(work, verdicts, share)
    allowed = int(share * len(kept))
    assert sum(time >= cut for time in kept) <= allowed
    assert cut == 0 or sum(time >= cut - 1 for time in kept) > allowed
