import datetime as dt
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.errors import InvalidInput
from hubbub.plan.cost import (
    OwnTerms,
    break_even_months,
    crf,
    find_price,
    own,
    owned_usd,
    prices,
    rent_usd_per_gpu_hour,
    volume_factor,
)
from hubbub.plan.estimate import exact
from hubbub.plan.grid import find_region
from hubbub.plan.power import draw

WHEN = dt.date(2024, 9, 2)
TENNESSEE = find_region("us-tn")
COLOSSUS = own(draw("h100", 100_000, busy_share=0.85), "h100", WHEN, TENNESSEE)


def test_capital_recovery_by_hand():
    # 8% over 3 years: 0.08 x 1.259712 / 0.259712
    assert crf(0.08, 3) == pytest.approx(0.3880335)
    assert crf(0, 4) == 0.25


@pytest.mark.parametrize(
    ("year", "term", "usd"),
    [(2023, "on-demand", 4.76), (2024, "on-demand", 3.95), (2025, "on-demand", 3.62), (2024, "1-year", 2.65)],
)
def test_rents_of_an_h100_are_the_published_medians(year, term, usd):
    told = rent_usd_per_gpu_hour("H100", dt.date(year, 6, 1), term)
    assert told.mid == pytest.approx(usd, abs=0.01)
    assert told.low < usd < told.high


def test_the_nearest_year_stands_in():
    assert find_price("h100", "rent", dt.date(2031, 1, 1)).year == 2026
    assert find_price("h200", "rent", dt.date(2024, 1, 1)).year == 2025
    assert find_price("A100-80", "rent", dt.date(2024, 1, 1)).mid_usd == 2.73


def test_a_hundred_thousand_own_gpus_cost_what_epoch_tells_of_colossus():
    per_gpu = COLOSSUS.capex_usd.scaled(1e-5)
    assert per_gpu.mid == pytest.approx(47_000, rel=0.05)  # 4.7 G$: 3.2 of compute, 1.5 of construction
    assert COLOSSUS.hall_usd.mid == pytest.approx(1.5e9, rel=0.05)


def test_owning_overtakes_renting_where_it_is_said_to():
    months = break_even_months(COLOSSUS, rent_usd_per_gpu_hour("h100", WHEN))
    assert months.low < 18
    assert months.high > 14  # 14 to 18 months are told
    assert break_even_months(COLOSSUS, exact(0.1)).mid == math.inf


def test_large_orders_pay_less():
    assert volume_factor(8).mid == 1
    assert volume_factor(100_000).mid == pytest.approx(0.72)
    assert volume_factor(10_000).mid == pytest.approx(0.86)


@given(a=st.integers(1, 400_000), b=st.integers(1, 400_000))
def test_more_gpus_never_cost_less(a, b):
    a, b = sorted((a, b))
    assert volume_factor(a).mid * a <= volume_factor(b).mid * b * (1 + 1e-12)


def test_what_was_bought_can_be_sold_again():
    assert owned_usd(COLOSSUS, 0).mid == 0
    three = owned_usd(COLOSSUS, 3)
    expected = (
        COLOSSUS.compute_usd.mid * 0.7 + COLOSSUS.hall_usd.mid * 0.25 + COLOSSUS.running_usd_year.mid * 3
    )
    assert three.mid == pytest.approx(expected)


@given(a=st.floats(0, 1), b=st.floats(0, 1))
def test_dearer_power_is_never_cheaper(a, b):
    a, b = sorted((a, b))
    full = draw("h100", 1000, busy_share=0.8)
    costs = []
    for price in (a, b):
        region = msgspec.structs.replace(TENNESSEE, usd_per_kwh=price)
        costs.append(own(full, "h100", WHEN, region).usd_per_gpu_hour.mid)
    assert costs[0] <= costs[1]


def test_own_terms_come_before_the_published():
    mine = own(
        draw("h100", 1000, busy_share=0.8), "h100", WHEN, TENNESSEE, OwnTerms(gpu_usd=10_000, residual=0.0)
    )
    assert mine.compute_usd == exact(1000 * 10_000 / 0.81)
    yearly = mine.compute_usd.mid * crf(0.08, 3) + mine.hall_usd.mid * crf(0.08, 12)
    assert mine.capital_usd_year.mid == pytest.approx(yearly)


def test_what_is_left_counts_at_its_worth_of_today():
    kept = OwnTerms(gpu_usd=10_000, residual=0.3, hall_usd_per_mw=0.0)
    mine = own(draw("h100", 1000, busy_share=0.8), "h100", WHEN, TENNESSEE, kept)
    assert mine.capital_usd_year.mid == pytest.approx(
        mine.compute_usd.mid * crf(0.08, 3) * (1 - 0.3 / 1.08**3)
    )


def test_every_price_has_a_band_and_a_source():
    for price in prices():
        assert 0 < price.low_usd <= price.mid_usd <= price.high_usd, price
        assert price.source


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: rent_usd_per_gpu_hour("h101", WHEN), "no rent price of 'h101' is known; nearest is h100"),
        (lambda: find_price("tpu-v5p", "buy", WHEN), "give one, or take a100, b200"),
        (
            lambda: rent_usd_per_gpu_hour("h100", WHEN, "weekly"),
            "'weekly' is not known; choose one of on-demand",
        ),
        (lambda: OwnTerms(residual=1.2), "own.residual is 1.2"),
        (lambda: OwnTerms(life_years=0.0), "own.life_years is 0.0"),
        (lambda: OwnTerms(interest=math.nan), "own.interest is nan"),
    ],
)
def test_what_cannot_be_is_refused(call, told):
    with pytest.raises(InvalidInput, match=told):
        call()
