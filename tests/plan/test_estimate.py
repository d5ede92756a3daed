import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.plan.estimate import Estimate, exact, inverse, predicted, product, total, within

bands = st.tuples(st.floats(1e-3, 1e3), st.floats(1, 3), st.floats(1, 3)).map(
    lambda t: Estimate(low=t[0] / t[1], mid=t[0], high=t[0] * t[2])
)


def test_independent_bands_join_in_quadrature():
    # two figures known to e^0.3 and e^0.4: e^0.5 together
    both = product(within(2, math.exp(0.3)), within(5, math.exp(0.4)))
    assert both.mid == 10
    assert both.high == pytest.approx(10 * math.exp(0.5))
    assert both.low == pytest.approx(10 * math.exp(-0.5))
    assert total(Estimate(low=7, mid=10, high=14), Estimate(low=16, mid=20, high=23)) == Estimate(
        low=25, mid=30, high=35
    )


def test_a_prediction_band_by_hand():
    # logs 0 and 2: mean 1, s = sqrt(2), sqrt(1 + 1/2): e^(t sqrt(3))
    assert predicted(1.0, [1.0, math.exp(2)], 0.5).high == pytest.approx(math.exp(0.5 * math.sqrt(3)))


@given(a=bands, b=bands)
def test_bands_hold_their_middle(a, b):
    for joined in (product(a, b), total(a, b), inverse(a)):
        assert joined.low <= joined.mid * (1 + 1e-12)
        assert joined.mid <= joined.high * (1 + 1e-12)


def test_nothing_times_anything_is_nothing():
    assert product(exact(0), within(3, 2)) == exact(0)
    assert inverse(exact(0)) == exact(math.inf)
