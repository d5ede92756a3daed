"""What a search is narrowed by: counts by author, day, hashtag and time."""

from __future__ import annotations

import httpx2
from hypothesis import given
from hypothesis import strategies as st

from hubbub.index.query import Hit
from hubbub.server.facets import MAX_BARS, count_facets, draw_timeline
from hubbub.units import US_PER_MINUTE
from tests.server.small_house import make_post
from tests.server.test_search import get

TIMES = st.lists(st.integers(-(10**15), 4 * 10**15), min_size=1, max_size=40)


def hits_at(times: list[int]) -> list[Hit]:
    return [Hit(post=make_post(n, "x", received_us=time), score=1.0) for n, time in enumerate(times)]


@given(TIMES)
def test_a_timeline_counts_every_post_where_it_belongs(times: list[int]) -> None:
    line = draw_timeline(hits_at(times))
    assert line is not None and 1 <= len(line.counts) <= MAX_BARS
    for at, count in enumerate(line.counts):
        start = line.from_us + at * line.step_us
        assert count == sum(start <= time < start + line.step_us for time in times)
    assert sum(line.counts) == len(times) and line.counts[0] and line.counts[-1]


def test_steps_are_such_as_people_use() -> None:
    line = draw_timeline(hits_at([0, 47 * US_PER_MINUTE, 50 * US_PER_MINUTE]))
    assert line is not None and line.step_us == 2 * US_PER_MINUTE and len(line.counts) == 26
    assert draw_timeline([]) is None


def test_values_are_counted_once_a_post() -> None:
    twice = Hit(post=make_post(1, "#Flood and #flood", hashtags=("flood",)), score=1.0)
    assert count_facets([twice])["hashtags"] == [{"value": "flood", "count": 1}]


def test_the_page_finds_what_programs_find(url: str) -> None:
    asked = {"q": "#flood", "limit": 2}
    page = httpx2.get(f"{url}/api/find", params=asked, trust_env=False).json()
    program = get(url, **asked)
    assert page | {"took_ms": 0} == program | {"took_ms": 0}
    assert sum(page["timeline"]["counts"]) == page["num_counted"] == 3
