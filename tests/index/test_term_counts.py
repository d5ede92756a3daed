"""Document frequencies over all slices."""

import math

import pytest

from hubbub.index.plan import Plan
from hubbub.index.term_counts import TermCounts
from hubbub.index.tokenize import term_id


def test_rare_terms_weigh_more_by_the_formula_of_bm25() -> None:
    counts = TermCounts()
    counts.add([[term_id("flood"), term_id("river")], [term_id("flood")], []])
    plan = Plan(term_ids=tuple(map(term_id, ("flood", "river", "new"))), term_weights=(1.0, 2.0, 1.0))
    flood, river, new = counts.weigh(plan).term_weights
    assert flood == pytest.approx(math.log(1 + (3 - 2 + 0.5) / 2.5))
    assert river == pytest.approx(2 * math.log(1 + (3 - 1 + 0.5) / 1.5))
    assert new == pytest.approx(math.log(1 + 3.5 / 0.5))
    assert counts.weigh(Plan()) == Plan()


def test_counts_survive_saving_and_say_when_it_is_due() -> None:
    counts = TermCounts()
    assert not counts.is_due
    counts.add([[n, n + 2**31] for n in range(100)])
    assert counts.is_due
    again = TermCounts(counts.dump())
    assert again.num_posts == 100 and not again.is_due and not counts.is_due
    plan = Plan(term_ids=(7, 7 + 2**31, 5_000), term_weights=(1.0, 1.0, 1.0))
    assert again.weigh(plan) == counts.weigh(plan)
    counts.add([[1]])
    assert not counts.is_due, "one per cent more"


def test_a_word_that_all_posts_hold_is_not_left_out() -> None:
    bridge, river, unheard = map(term_id, ("bridge", "river", "unheard"))
    plan = Plan(term_ids=(bridge, unheard), term_weights=(1.0, 1.0))
    for num_posts in (20, 100_000):
        counts = TermCounts()
        counts.add([[bridge]] * num_posts)
        assert counts.weigh(plan, is_widened=True).term_ids == (bridge, unheard)
    counts.add([[river]])
    plan = Plan(term_ids=(bridge, river), term_weights=(1.0, 1.0))
    assert counts.weigh(plan, is_widened=True).term_ids == (river,), "costly and light beside a rare one"
