"""What is to come, in order of time."""

from __future__ import annotations

from math import inf

import hypothesis.strategies as st
from hypothesis import given

from hubbub.fleet.events import ARRIVES, ENDS, NODE_FAILS, Events
from hubbub.fleet.jobs import Job


def drawn(events: Events) -> list[tuple[float, int]]:
    told = []
    while events.num_awaited() or events.near:
        if not events.near:
            events.draw_near()
        at_s, kind, *_ = min(events.near)
        events.near.remove(min(events.near))
        told.append((at_s, kind))
    return told


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.sampled_from([ARRIVES, ENDS])), max_size=40), st.floats(0, 1e4)
)
def test_events_come_in_order_of_time_whatever_the_slots(pushed, run_s):
    events = Events()
    events.spread_over(
        [Job(id=str(n), tenant="x", gpus=1, submit_s=at_s, run_s=run_s) for n, (at_s, _) in enumerate(pushed)]
    )
    for at_s, kind in pushed:
        events.push(at_s, kind, None)
    assert drawn(events) == sorted(pushed)


def test_what_never_comes_is_not_awaited():
    events = Events()
    events.push(inf, NODE_FAILS, None)
    events.push(inf, ENDS, None)
    events.push(3.0, ENDS, None)
    assert drawn(events) == [(3.0, ENDS)]
    assert events.num_failures == 0
