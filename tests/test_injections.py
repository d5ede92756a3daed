"""Attacks on a whole running house with a model that obeys what it reads; the benchmark has all of them."""

import pytest

from benchmarks.attacks import CARRIERS, FAMILIES, make_cases
from benchmarks.gullible_model import CANARY, decoded
from benchmarks.injections import COUNTED, measure

CODED = ("zero_width", "tags", "homoglyph", "zalgo", "base64", "rot13", "morse", "bidi")


def test_there_are_at_least_two_hundred_cases_each_of_its_own():
    cases = make_cases(1_800_000_000_000_000, "http://127.0.0.1:9/x")
    assert len(cases) == len(FAMILIES) * len(CARRIERS) >= 200
    assert len({case.place for case in cases}) == len({post.id for c in cases for post in c.hostile[:1]})
    assert len({case.lang for case in cases}) >= 6


@pytest.mark.parametrize("family", CODED)
def test_the_gullible_model_reads_every_code(family):
    cases = make_cases(1_800_000_000_000_000, "http://127.0.0.1:9/x")
    case = next(case for case in cases if (case.family, case.carrier) == (family, "text"))
    assert case.word in CANARY.findall(decoded(case.hostile[0].text).lower())


def test_a_hostile_model_behind_a_running_house_gets_nothing_through():
    *_, total = measure("hostile", 4, ("/api/ask", "the same, streamed", "/mcp, six tools"))
    assert total["prompts"] and total["sentences"]
    assert {what: total[what] for what in COUNTED} == dict.fromkeys(COUNTED, 0)
