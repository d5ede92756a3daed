import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.errors import InvalidInput
from hubbub.plan.estimate import exact
from hubbub.plan.failures import (
    RATES,
    FailureModel,
    best_interval_s,
    checkpoint_bytes,
    daly_goodput,
    daly_s,
    enough_servers,
    expect_goodput,
    interruptions_per_day,
    meta_ettr,
    mttf_s,
    published_rate,
    rate_of,
    server_share,
    spares_needed,
    young_s,
)

RSC1, LLAMA3 = 0.0065, 0.00379
sizes = st.integers(1, 300_000)
rates = st.floats(1e-4, 0.05)


@pytest.mark.parametrize(
    ("num_gpus", "rate", "hours"),
    [
        (16_384, RSC1, 1.8),  # projected, arXiv 2410.21680
        (131_072, RSC1, 0.23),  # projected, the same
        (8, RSC1, 47.7 * 24),  # measured, the same: 1/N would tell 3.2 times as much
        (1_024, RSC1, 7.9),  # measured, the same: 1/N would tell 28.8 h
        (16_384, LLAMA3, 3.09),  # 419 in 54 days, arXiv 2407.21783
    ],
)
def test_time_to_an_interruption_meets_what_was_published(num_gpus, rate, hours):
    assert mttf_s(num_gpus, rate) / 3600 == pytest.approx(hours, rel=0.05)


@given(a=sizes, b=sizes, rate=rates)
def test_a_bigger_job_is_never_interrupted_less(a, b, rate):
    assert interruptions_per_day(min(a, b), rate) <= interruptions_per_day(max(a, b), rate) * (1 + 1e-12)


def test_three_quarters_of_interruptions_take_a_server():
    assert server_share() == pytest.approx(324 / 419)  # 95 of 419 are software, maintenance and time-outs


def test_intervals_by_hand():
    # 20 s to save, 3.09 h between failures: sqrt(2 x 20 x 11,124) = 667 s, 11 minutes
    assert young_s(20, 11_124) == pytest.approx(667.05, abs=0.01)
    x = math.sqrt(20 / 22_248)
    assert daly_s(20, 11_124) == pytest.approx(667.05 * (1 + x / 3 + x * x / 9) - 20, abs=0.01)
    assert daly_s(300, 100) == 100  # where saving takes longer than twice the time that there is


def test_llama_3_is_published_at_over_nine_tenths():
    at_once = meta_ettr(young_s(20, 11_124), 20, 600, 11_124)
    assert at_once == pytest.approx(0.889, abs=0.001)
    assert expect_goodput(16_384, 405e9).goodput.mid > 0.9


def test_megascale_is_published_at_over_nine_tenths():
    # 100 recoveries in four weeks on 1,280 servers, 25 minutes each
    model = FailureModel(rate=exact(0.0029), restart_s=1500)
    assert 0.9 < expect_goodput(10_240, 175e9, model).goodput.mid < 0.97


def test_big_jobs_on_rsc_1_are_published_at_nine_tenths():
    # 1,024 GPUs, 7.9 h between failures, a checkpoint an hour, ten minutes to restart
    assert meta_ettr(3600, 40, 600, 7.9 * 3600) == pytest.approx(0.906, abs=0.001)


@given(
    save=st.floats(0.1, 5_000), mttf=st.floats(60, 1e7), restart=st.floats(1, 5_000), off=st.floats(0.2, 5)
)
def test_no_other_interval_is_better(save, mttf, restart, off):
    best = best_interval_s(save, mttf)
    assert daly_goodput(best, save, restart, mttf) >= daly_goodput(best * off, save, restart, mttf) * (
        1 - 1e-9
    )


@given(save=st.floats(0.1, 60), mttf=st.floats(36_000, 1e7))
def test_young_and_daly_come_near_the_best(save, mttf):
    assert daly_s(save, mttf) == pytest.approx(best_interval_s(save, mttf), rel=0.01)
    assert young_s(save, mttf) == pytest.approx(best_interval_s(save, mttf), rel=0.1)


def test_spares_by_hand():
    # on average one server is in repair: e^-1 (1 + 1 + 1/2) = 0.9197 of the time two spares are enough
    assert enough_servers(2, 1.0) == pytest.approx(0.9197, abs=1e-4)
    assert spares_needed(1.0, 0.9) == 2
    assert spares_needed(1.0, 0.93) == 3
    assert enough_servers(0, 0.0) == 1.0


@given(mean=st.floats(0.01, 300), coverage=st.floats(0.5, 0.9999))
def test_one_spare_less_would_not_do(mean, coverage):
    need = spares_needed(mean, coverage)
    assert enough_servers(need, mean) >= coverage
    assert need == 0 or enough_servers(need - 1, mean) < coverage


@given(num_gpus=sizes, low=rates, high=rates, params=st.floats(1e8, 2e12))
def test_more_failures_never_take_less_time(num_gpus, low, high, params):
    low, high = sorted((low, high))
    shares = [
        expect_goodput(num_gpus, params, FailureModel(rate=exact(rate), spare_servers=spares)).goodput.mid
        for rate in (low, high)
        for spares in (None, 4)
    ]
    assert shares[0] >= shares[2] * (1 - 1e-9)
    assert shares[1] >= shares[3] * (1 - 1e-9)


@given(num_gpus=sizes, rate=st.sampled_from(RATES), params=st.floats(1e6, 2e12))
def test_shares_add_to_one_and_lie_in_the_band(num_gpus, rate, params):
    told = expect_goodput(num_gpus, params, FailureModel(rate=published_rate(rate)))
    lost = (
        told.lost_to_checkpoints + told.lost_to_restarts + told.lost_to_planned + told.lost_to_missing_servers
    )
    assert lost + told.goodput.mid == pytest.approx(1)
    assert 0 <= told.goodput.low <= told.goodput.mid <= told.goodput.high <= 1
    assert told.mttf_h.low <= told.mttf_h.mid <= told.mttf_h.high


def test_a_rate_fits_its_gpu():
    assert rate_of("a100-80").mid == RSC1
    assert rate_of("H100").mid == LLAMA3


def test_a_checkpoint_of_405b_is_five_terabytes():
    assert checkpoint_bytes(405e9) == pytest.approx(5.2e12, rel=0.01)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: expect_goodput(0, 1e9), "num_gpus is 0"),
        (lambda: expect_goodput(8, math.nan), "num_params is nan"),
        (lambda: FailureModel(restart_s=-1), "restart_s is -1"),
        (lambda: FailureModel(spare_servers=-1), "spare_servers is -1"),
        (lambda: FailureModel(rate=exact(0.0)), "rate is 0.0 .* published are rsc1"),
        (lambda: published_rate("meta"), "'meta' is not known; choose one of rsc1"),
    ],
)
def test_what_cannot_be_is_refused(call, told):
    with pytest.raises(InvalidInput, match=told):
        call()
