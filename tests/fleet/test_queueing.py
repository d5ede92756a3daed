import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.errors import InvalidInput
from hubbub.fleet.jobs import Job
from hubbub.fleet.placement import Nodes
from hubbub.fleet.queueing import queue_times
from tests.fleet.slow import slow_place, slow_queue_times


def _jobs(rows):
    return [
        Job(id=str(number), tenant="a", submit_s=submit, run_s=run, gpus=gpus)
        for number, (submit, run, gpus) in enumerate(rows)
    ]


def test_the_head_of_the_queue_is_never_passed_by_hand():
    rows = [(0, 10, 8), (1, 5, 16), (2, 1, 1)]  # two nodes: the second waits for the first, the third for it
    assert queue_times(_jobs(rows), Nodes(2)) == [0, 9, 13]
    assert queue_times(_jobs(rows), Nodes(2), "sjf") == [0, 9, 0]


def test_a_small_job_goes_where_it_fills_a_gap_by_hand():
    nodes = Nodes(3)
    nodes.take([(0, 8), (1, 5)])
    assert nodes.place(3) == [(1, 3)] and nodes.place(4) == [(2, 4)]
    assert nodes.place(11) == [(2, 8), (1, 3)]
    assert nodes.place(12) is None and nodes.num_free == 11
    nodes.remove(2)
    assert nodes.place(4) is None and nodes.num_free == 3
    nodes.restore(2)
    assert list(nodes.add(1)) == [3] and nodes.place(16) == [(2, 8), (3, 8)]


_rows = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 30), st.integers(1, 28)), min_size=1, max_size=25
)


@given(rows=_rows, order=st.sampled_from(["fifo", "sjf"]))
def test_every_wait_is_that_of_the_slow_reading(rows, order):
    assert queue_times(_jobs(rows), Nodes(4), order) == slow_queue_times(rows, 4, 8, order)


@given(data=st.data())
def test_places_are_those_of_the_slow_reading_after_any_history(data):
    nodes, held = Nodes(5), []
    for _ in range(data.draw(st.integers(1, 30))):
        if held and data.draw(st.booleans()):
            nodes.give(held.pop(data.draw(st.integers(0, len(held) - 1))))
            continue
        gpus = data.draw(st.integers(1, 44))
        shares, expected = nodes.place(gpus), slow_place(nodes.free, gpus, 8)
        assert (None if shares is None else dict(shares)) == expected
        assert nodes.num_free == sum(nodes.free) and nodes.fits(gpus) == (expected is not None)
        if shares is not None:
            nodes.take(shares)
            held.append(shares)


def test_a_job_that_can_never_fit_is_named():
    with pytest.raises(InvalidInput, match="'0' of tenant 'a' asks for 17 GPUs; the pool has 16"):
        queue_times(_jobs([(0, 1, 17)]), Nodes(2))
    with pytest.raises(InvalidInput, match="order 'lifo' is not known"):
        queue_times([], Nodes(2), "lifo")
