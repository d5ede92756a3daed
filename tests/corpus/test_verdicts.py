"""Caps and the time cut hold what they promise, whatever the figures."""

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.corpus.clean import COLUMNS, Run
from hubbub.corpus.settings import CorpusSettings
from hubbub.corpus.verdicts import EXACT, KEPT, find_cap, find_cut

COUNTS = st.lists(st.integers(1, 50), max_size=60)


@given(COUNTS, st.floats(0, 1), st.integers(1, 60))
def test_at_most_the_given_share_of_authors_is_cut_down(counts, share, floor):
    activities = [dict(Counter(counts[::2])), dict(Counter(counts[1::2]))]
    cap = find_cap(activities, CorpusSettings(active_share=share, active_floor=floor))
    assert cap >= floor
    assert sum(count > cap for count in counts) <= share * len(counts)
    if cap > floor:
        assert sum(count >= cap for count in counts) > int(share * len(counts)), "a lower cap would do"


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
