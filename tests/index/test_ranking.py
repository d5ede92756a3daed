"""Fusion of legs, recency, and widening a query by its best posts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.index import open_index
from hubbub.index.backend import Legs
from hubbub.index.feedback import best, choose, is_widened, widen
from hubbub.index.plan import Plan
from hubbub.index.query import Query
from hubbub.index.ranking import Ranking, contenders, fuse, order
from hubbub.index.tokenize import term_id
from hubbub.posts import Post
from hubbub.units import US_PER_DAY

NOW_US = 1_300_000_000_000_000


def make_post(number: int, text: str, age_us: int = 0, **fields: object) -> Post:
    return Post(
        id=f"x://status/{number}",
        author=f"x://user/{number}",
        text=text,
        received_us=NOW_US - age_us,
        **fields,
    )


def test_both_legs_count_and_words_count_more() -> None:
    legs = Legs(lexical={"a": 9.0, "b": 5.0, "c": 1.0}, dense={"b": 0.9, "d": 0.8, "c": 0.1})
    scores = fuse(legs, Ranking())
    assert sorted(scores, key=lambda key: -scores[key]) == ["a", "b", "d", "c"]
    by_likeness = fuse(legs, Ranking(lexical=0.0))
    assert max(by_likeness, key=lambda key: by_likeness[key]) == "b"


def test_one_candidate_or_none_is_no_error() -> None:
    assert fuse(Legs(lexical={"a": 3.0}), Ranking()) == {"a": 0.0}
    assert fuse(Legs(), Ranking()) == {}
    assert list(fuse(Legs(recent={"a": 3.0}), Ranking())) == ["a"]


def test_latecomers_do_not_shift_the_scale() -> None:
    legs = Legs(lexical={"a": 9.0, "b": 5.0}, recent={"b": 5.0, "new": 2.0})
    scores = fuse(legs, Ranking())
    assert scores["new"] < scores["b"] < scores["a"]
    assert scores["a"] == fuse(Legs(lexical={"a": 9.0, "b": 5.0}), Ranking())["a"]


def test_recency_lifts_the_newer_of_equals_and_halves_with_age() -> None:
    found = {"old": make_post(1, "x", US_PER_DAY), "new": make_post(2, "x")}
    ranked = order(found, {"old": 1.0, "new": 1.0}, NOW_US, 0.2, US_PER_DAY)
    assert [key for key, _ in ranked] == ["new", "old"]
    odds = [np.log(score / (1 - score)) for _, score in ranked]
    assert odds == pytest.approx([1.2, 1.1])
    assert [key for key, _ in order(found, {"old": 2.0, "new": 1.0}, NOW_US, 0.2, US_PER_DAY)] == [
        "old",
        "new",
    ]


@given(
    st.dictionaries(st.text("abcdef", min_size=1, max_size=2), st.floats(0, 5), min_size=1),
    st.integers(1, 6),
    st.floats(0, 2),
)
def test_contenders_hold_whatever_recency_can_lift(
    scores: dict[str, float], limit: int, recency: float
) -> None:
    kept = contenders(scores, limit, recency)
    for seed in range(3):
        lifted = {key: score + recency * ((hash((key, seed)) % 100) / 100) for key, score in scores.items()}
        top = sorted(lifted, key=lambda key: -lifted[key])[:limit]
        floor = min(lifted[key] for key in top)
        assert all(key in kept for key in top if lifted[key] > floor)


def test_questions_and_long_queries_are_not_widened() -> None:
    assert is_widened(Query(text="bridge closure"), Ranking())
    assert not is_widened(Query(text="who closed the bridge"), Ranking())
    assert not is_widened(Query(text="one two three four five six seven eight nine"), Ranking())
    assert not is_widened(Query(text="bridge closure"), Ranking(feedback_posts=0))


def test_near_copies_feed_back_once() -> None:
    found = {key: make_post(n, text) for n, (key, text) in enumerate([
        ("a", "bridge closed near the market"), ("b", "Bridge closed near the Market!"), ("c", "open"),
    ])}  # fmt: skip
    chosen = choose({"a": 3.0, "b": 2.0, "gone": 1.5, "c": 1.0}, found, Ranking())
    assert list(chosen) == ["a", "c"]


def test_widening_keeps_half_of_the_weight_for_what_was_asked() -> None:
    plan = Plan(term_ids=(term_id("bridg"),), term_weights=(3.0,), vector=(1.0, 0.0))
    chosen = {"a": ["bridg", "closur", "@ann"], "b": ["bridg", "detour"]}
    wide = widen(plan, chosen, {"a": 2.0, "b": 1.0}, {"a": [0.0, 1.0]}, Ranking())
    weights = dict(zip(wide.term_ids, wide.term_weights, strict=True))
    assert sum(wide.term_weights) == pytest.approx(1.0)
    assert weights[term_id("bridg")] > 0.5 > weights[term_id("closur")] > weights[term_id("detour")] > 0
    assert term_id("@ann") not in weights
    assert wide.vector == pytest.approx((2**-0.5, 2**-0.5))
    assert widen(plan, {}, {}, {}, Ranking()).vector == plan.vector


def test_weights_of_feedback_fall_with_rank() -> None:
    weights = best({f"{n:03}": float(-n) for n in range(150)}, Ranking())
    assert list(weights)[:2] == ["000", "001"] and len(weights) == 20
    assert weights["000"] == pytest.approx(39.5)


def test_feedback_finds_what_the_query_does_not_say(tmp_path: object) -> None:
    texts = [
        "Marrowick bridge closed, detour over Quayside",
        "bridge in Marrowick closed: take the Quayside detour",
        "Marrowick bridge still closed, says the council",
        "traffic crawls along the Quayside detour",
        "lovely day for a picnic",
        "my cat has opinions about breakfast",
    ]
    index = open_index(f"sqlite:{tmp_path}", "none")
    index.fold([(n + 1, make_post(n, text)) for n, text in enumerate(texts)])
    query = Query(text="Marrowick bridge", now_us=NOW_US)
    index.ranking = Ranking(feedback_posts=0)
    assert texts[3] not in [hit.post.text for hit in index.search(query)]
    index.ranking = Ranking()
    found = [hit.post.text for hit in index.search(query)]
    assert set(found[:3]) == set(texts[:3]) and found[3] == texts[3]
    index.close()


def test_scores_far_from_zero_stay_between_0_and_1():
    posts = {key: Post(id=key, author="a", text=key, received_us=1) for key in ("low", "high")}
    ranked = order(posts, {"low": -5e9, "high": 5e9}, 1, 0.0, 1)
    assert ranked == [("high", 1.0), ("low", 0.0)]
