import datetime as dt
import math

import msgspec
import pytest

from hubbub.errors import InvalidInput
from hubbub.plan.estimate import exact, within
from hubbub.plan.outlook import Circumstances, outlook
from hubbub.plan.throughput import Speed

# 405B on 16,384 H100 at 400 TFLOP/s each: 2.58 TFLOP a token, 2.54M tokens a second
SPEED = Speed(tokens_per_s=within(2.54e6, 1.08), busy_share=0.8)
THEN = Circumstances(region="usa", when=dt.date(2024, 3, 1))


def look(where=THEN, gpu="h100", num_gpus=16_384, tokens=15.6e12, speed=SPEED):
    return outlook(gpu, num_gpus, 405e9, tokens, speed, where)


def test_llama_3_405b():
    told = look()
    ideal_days = 15.6e12 / 2.54e6 / 86_400
    assert told.days.mid == pytest.approx(ideal_days / told.goodput.goodput.mid)
    # its model card tells 30.84M GPU-hours, with restarts, evaluations and what came after: within 15%
    assert told.gpu_hours.mid == pytest.approx(30.84e6, rel=0.15)
    assert told.gpu_hours.low < 30.84e6 < told.gpu_hours.high
    assert told.energy_mwh.mid == pytest.approx(told.draw.mean_mw.mid * told.days.mid * 24)
    assert told.carbon_t.mid == pytest.approx(told.energy_mwh.mid * 0.3695, rel=0.001)
    assert told.goodput.spare_servers == 32  # paid for as well
    assert told.rent_usd.mid == pytest.approx(told.days.mid * 24 * (16_384 + 32 * 8) * 3.95)
    assert msgspec.json.encode(told)


def test_terms_and_prices_of_ones_own():
    given = look(Circumstances(usd_per_gpu_hour=2.0))
    assert given.rent_usd.mid == pytest.approx(look().rent_usd.mid * 2 / 3.95)
    assert look(msgspec.structs.replace(THEN, term="3-year")).rent_usd.mid < look().rent_usd.mid
    no_price = look(gpu="tpu-v5p")
    assert (no_price.rent_usd, no_price.own_usd) == (None, None)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: look(tokens=0), "tokens is 0"),
        (lambda: look(tokens=math.nan), "tokens is nan"),
        (lambda: look(speed=Speed(tokens_per_s=exact(0.0), busy_share=0.8)), "tokens_per_s is 0"),
        (
            lambda: look(Circumstances(power_cap_mw=10)),
            r"power_cap_mw is 10, but 16,384 GPUs need 29.66 MW; 5,5\d\d GPUs fit",
        ),
        (lambda: look(Circumstances(region="nowhere land")), "'nowhere land' is not known"),
        (lambda: look(Circumstances(term="monthly")), "'monthly' is not known"),
        (lambda: look(Circumstances(usd_per_gpu_hour=math.nan)), "usd_per_gpu_hour is nan"),
    ],
)
def test_what_cannot_be_is_refused(call, told):
    with pytest.raises(InvalidInput, match=told):
        call()
