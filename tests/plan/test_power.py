import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.errors import InvalidInput
from hubbub.plan.estimate import Estimate, exact
from hubbub.plan.grid import find_region, regions
from hubbub.plan.power import (
    busy_server_w,
    carbon_kg,
    clock_power,
    clock_speed,
    draw,
    energy_kwh,
    find_server,
    require_power,
    servers,
    switches_w,
    under_cap,
)

H100 = find_server("H100")
megawatts = st.floats(0, 400)


def test_two_runs_of_one_job_give_the_line():
    # 1 server: 6,940 W; 64 servers: 5,107 W at 30 / 64 / 1.9 = 0.2467 of the time busy
    assert busy_server_w(H100, 1, is_air=False).mid == 6940
    assert busy_server_w(H100, 30 / 64 / 1.9, is_air=False).mid == pytest.approx(5107)
    assert busy_server_w(H100, 0, is_air=False).mid == pytest.approx(4507, abs=1)


@pytest.mark.parametrize("busy_share", [0.75, 0.85, 0.95, 1.0])
def test_gpt_3_on_512_gpus_took_415_kwh(busy_share):
    # 64 immersed servers for 57 minutes, metered at the plug: MLPerf Training v4.0 smc-ac-power
    servers_mw = busy_server_w(H100, busy_share, is_air=False).scaled(64e-6)
    energy = energy_kwh(servers_mw, exact(57 / 60))
    assert energy.mid == pytest.approx(415.2, rel=0.1)
    assert energy.low < 415.2 < energy.high


def test_the_band_holds_air_cooled_servers():
    told = busy_server_w(H100, 0.9)
    assert told.low < 6880 < 7152 < told.high  # MLPerf v4.1, 8 x XE9680
    assert told.high > 0.76 * 10_200 * 0.97  # Newkirk et al. arXiv 2506.14551, nearly


@pytest.mark.parametrize(
    ("gpu", "num_gpus", "mw"), [("h100", 100_000, 181), ("h100", 200_000, 361), ("gb200", 110_000, 299)]
)
def test_halls_provide_what_epoch_tells_of_colossus(gpu, num_gpus, mw):
    assert draw(gpu, num_gpus, busy_share=0.85).provisioned_mw.mid == pytest.approx(mw, rel=0.05)


def test_switches_by_hand():
    assert switches_w(8, H100) == 0
    assert switches_w(64, H100) == 691  # one leaf
    assert switches_w(2048, H100) == 691 * 32 * 1.5
    assert switches_w(65_536, H100) == 691 * 1024 * 2.5


@given(gpu=st.sampled_from(sorted(servers())), num_gpus=st.integers(1, 500_000), share=st.floats(0, 1))
def test_a_hall_never_needs_less_than_it_draws(gpu, num_gpus, share):
    told = draw(gpu, num_gpus, busy_share=share)
    assert 0 < told.mean_mw.low <= told.mean_mw.mid <= told.mean_mw.high
    assert told.mean_mw.mid < told.provisioned_mw.mid


def test_clocks_by_hand():
    # half the clock, k = 2: 0.549 of the power falls to a quarter
    assert clock_power(0.5) == pytest.approx(1 - 0.549 * 0.75)
    assert clock_speed(0.5, 0.6).mid == pytest.approx(1 / 1.6)
    assert clock_speed(1635 / 1980, 0.6).low == pytest.approx(1 / 1.5)  # what the Max-Q scripts allow for
    assert clock_speed(1.0, 0.9) == exact(1.0)


@given(few=megawatts, more=megawatts, share=st.floats(0, 1))
def test_more_megawatts_never_train_less(few, more, share):
    few, more = sorted((few, more))
    full = draw("h100", 100_000, busy_share=share)
    speeds = []
    for cap_mw in (few, more):
        capped = under_cap(full, cap_mw)
        assert capped.mean_mw <= cap_mw * (1 + 1e-9)
        assert capped.num_gpus <= 100_000
        speeds.append(capped.num_gpus * capped.clock_speed.mid)
    assert speeds[0] <= speeds[1] + 1  # GPUs are whole


def test_a_battery_carries_what_lies_above_the_mean():
    full = draw("h100", 100_000, busy_share=0.85)
    assert under_cap(full, 150).way == "lower clocks"
    assert under_cap(full, 150, 300).way == "none"
    assert under_cap(full, 30).num_gpus < 100_000


def test_a_cluster_above_its_cap_is_told_what_fits():
    full = draw("h100", 100_000, busy_share=0.85)
    with pytest.raises(
        InvalidInput, match=r"power_cap_mw is 150, but 100,000 GPUs need 181 MW; 82,8\d\d GPUs fit"
    ):
        require_power(full, 150)
    require_power(full, 182)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: find_server("h10"), "'h10' has no known server; nearest are h100"),
        (lambda: busy_server_w(H100, 1.5), "busy_share is 1.5"),
        (lambda: draw("h100", 0, busy_share=1), "num_gpus is 0"),
        (lambda: draw("h100", 8, busy_share=1, pue=0.9), "pue is 0.9"),
        (lambda: under_cap(draw("h100", 8, busy_share=1), math.nan), "firm_mw is nan"),
        (lambda: find_region("tenessee"), "'tenessee' is not known; nearest are us-tn"),
        (lambda: find_region("us-east4"), "nearest are gcp:us-east4"),
    ],
)
def test_what_cannot_be_is_refused(call, told):
    with pytest.raises(InvalidInput, match=told):
        call()


def test_regions_by_code_and_by_name():
    assert find_region("Tennessee").code == "us-tn"
    assert find_region("GCP:europe-north1").g_co2_per_kwh == 46
    assert find_region("fra").price.mid == 0.1024
    assert find_region("TTO").usd_per_kwh is None
    assert find_region("TTO").price == find_region("usa").price


def test_every_region_has_a_carbon_intensity_and_a_source():
    assert len(regions()) > 300
    for region in regions().values():
        assert 0 <= region.g_co2_per_kwh < 1400, region
        assert region.source.startswith("carbon: ")


def test_carbon_by_hand():
    assert carbon_kg(exact(1000), Estimate(low=90, mid=100, high=110)).mid == 100
