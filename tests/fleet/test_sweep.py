import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hubbub.fleet
from hubbub.errors import InvalidInput, MissingExtra
from hubbub.fleet.jobs import Job
from hubbub.fleet.placement import Nodes
from hubbub.fleet.queueing import queue_times
from hubbub.fleet.sweep import Sweep
from hubbub.fleet.trace import read_trace

pytest.importorskip("numba", reason="needs pip install 'hubbub[sweep]'")
PHILLY = Path(__file__).parents[2] / "../shared/data/fleet/philly_2017.csv.gz"


def _jobs(*rows):
    return [
        Job(id=str(n), tenant="a", submit_s=submit, run_s=run, gpus=gpus)
        for n, (submit, run, gpus) in enumerate(rows)
    ]


@settings(max_examples=60)  # the first call compiles
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 400), st.floats(0, 300), st.integers(1, 130)), min_size=1, max_size=60
    ),
    size=st.sampled_from([1, 3, 8]),
    policy=st.sampled_from(["fifo", "sjf"]),
)
def test_compiled_waits_are_those_of_the_interpreted_replay_job_by_job(rows, size, policy):
    jobs = _jobs(*rows)
    waits = Sweep(jobs, size).waits(130 * size, policy)  # words of 64 nodes: 130 are three
    assert list(waits) == queue_times(jobs, Nodes(130, size), policy)
    tight = Sweep(jobs, size)
    assert list(tight.waits(tight.fewest_gpus, policy)) == queue_times(
        jobs, Nodes(tight.fewest_gpus // size, size), policy
    )


@pytest.mark.shared
@pytest.mark.skipif(not PHILLY.is_file(), reason="needs ../shared")
def test_philly_compiled_is_philly_interpreted_job_by_job():
    jobs = read_trace(PHILLY).jobs[:25_000]  # all of them: benchmarks/fleet_sweep.py
    swept = Sweep(jobs)
    for policy, gpus in (("fifo", 640), ("sjf", 512)):
        waits = swept.waits(gpus, policy)
        assert waits.mean() > 100 and list(waits) == queue_times(jobs, Nodes(gpus // 8), policy)


def test_a_row_by_hand_and_the_smallest_fleet():
    made = Sweep(_jobs((0, 10, 8), (0, 10, 8), (20, 10, 16)))
    row = made.row(16, "fifo")
    assert (row.wait_mean_s, row.utilisation) == (0, 160 / 320)  # held until the last came, at 20
    late = made.row(16, "fifo", load=2.0)  # the last comes at 10: just in time
    assert (late.wait_mean_s, late.utilisation) == (0, 1)
    assert made.row(16, "fifo", load=4.0).wait_p95_s == 5
    crowd = Sweep(_jobs(*[(0, 100, 8)] * 10))
    assert [crowd.smallest("fifo", 1.0, want).gpus for want in (0, 100, 899, 900)] == [80, 40, 16, 8]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda made: made.waits(8, "fifo"),
            "'1' of tenant 'a' asks for 9 GPUs; a fleet of 8 never runs it: give 16",
        ),
        (lambda made: made.waits(20, "fifo"), "20 GPUs are no nodes of 8"),
        (lambda made: made.waits(16, "fair"), "policy 'fair' cannot be swept; give fifo or sjf"),
        (lambda made: made.waits(16, "fifo", 0.0), "load of 0 is none"),
        (lambda made: made.waits(16, "fifo", float("nan")), "load of nan is none"),
        (lambda made: made.waits(16, "fifo", 1e-9), "leave out the longest"),
        (lambda made: made.smallest("fifo", 1.0, -1), "a wait of -1 s is none"),
        (lambda made: Sweep([]), "0 jobs cannot be swept"),
    ],
)
def test_what_cannot_be_swept_is_refused(call, message):
    with pytest.raises(InvalidInput, match=message):
        call(Sweep(_jobs((0, 5, 1), (500, 5, 9))))


def test_without_numba_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)  # as if not installed
    monkeypatch.delitem(sys.modules, "hubbub.fleet.compiled", raising=False)
    monkeypatch.delattr(hubbub.fleet, "compiled", raising=False)
    with pytest.raises(MissingExtra, match=r"numba is not installed; run: pip install 'hubbub\[sweep\]'"):
        Sweep(_jobs((0, 5, 1)))
