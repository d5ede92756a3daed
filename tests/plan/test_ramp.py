import datetime as dt

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.errors import InvalidInput
from hubbub.plan.cost import own, rent_usd_per_gpu_hour
from hubbub.plan.estimate import exact, within
from hubbub.plan.grid import find_region
from hubbub.plan.power import draw
from hubbub.plan.ramp import compare, follow
from hubbub.plan.scenario import BuildPlan, Phase, PowerSource, Scenario, read_scenario
from hubbub.plan.throughput import Speed, Throughput

DAY = dt.date(2024, 1, 1)
PARAMS = 70e9


def plain(num_gpus):
    """A thousand tokens a second and GPU, whatever their number."""
    return Speed(tokens_per_s=exact(1000.0 * num_gpus), busy_share=0.85)


def thinning(num_gpus):
    return Speed(tokens_per_s=within(1000.0 * num_gpus / (1 + num_gpus / 50_000), 1.1), busy_share=0.85)


def phase(gpus, how="own", days=0, **more):
    return Phase(date=DAY + dt.timedelta(days=days), gpus=gpus, how=how, **more)


def scenario(*phases, tokens=1e12, power=(), **more):
    return Scenario(
        name="s", model="m", tokens=tokens, plans=(BuildPlan(name="p", phases=phases, power=power),), **more
    )


def outcome(*phases, speed=plain, **more):
    told = scenario(*phases, **more)
    return follow(told, told.plans[0], speed, PARAMS)


def test_one_phase_by_hand():
    told = outcome(phase(1024, "rent"), tokens=1e13)
    goodput = Throughput(plain, PARAMS, [1024]).rungs[-1].goodput.goodput.mid
    days = 1e13 / (1024 * 1000 * 86_400 * goodput)
    assert told.days.mid == pytest.approx(days)
    rent = rent_usd_per_gpu_hour("h100", DAY).mid
    assert told.run_usd.mid == pytest.approx(rent * 1024 * 24 * days)
    assert told.cash_usd == told.run_usd
    assert told.curve[-1].tokens == pytest.approx(1e13)


def test_tokens_add_up_over_deliveries():
    told = outcome(phase(1000), phase(1000, days=10), phase(2000, days=20), tokens=1e13)
    rate = Throughput(plain, PARAMS, [1000, 2000, 4000])
    before = 10 * rate.tokens_per_day(1000).mid + 10 * rate.tokens_per_day(2000).mid
    assert told.days.mid == pytest.approx(20 + (1e13 - before) / rate.tokens_per_day(4000).mid)
    tokens = [point.tokens for point in told.curve]
    assert tokens == sorted(tokens)


def test_a_run_moves_to_what_is_owned_when_that_is_faster():
    told = outcome(phase(1000, "rent"), phase(500, days=5), phase(1500, days=10), tokens=4e12)
    assert [(p.state.where, p.state.running_gpus) for p in told.curve if p.day in (5, 10)] == [
        ("rent", 1000)
    ] * 2
    assert told.curve[-1].state.where == "own"
    rent = rent_usd_per_gpu_hour("h100", DAY).mid * 1000 * 24 * 10
    assert told.run_usd.mid > rent
    alone = outcome(phase(1000, "rent"), tokens=4e12)
    assert told.days.mid < alone.days.mid


def test_a_term_is_paid_to_its_end():
    by_need = outcome(phase(1000, "rent", usd_per_gpu_hour=2.0), tokens=1e12)
    by_year = outcome(phase(1000, "rent", usd_per_gpu_hour=2.0, term="1-year"), tokens=1e12)
    assert by_need.run_usd.mid == pytest.approx(2.0 * 1000 * 24 * by_need.days.mid)
    assert by_year.run_usd.mid == 2.0 * 1000 * 24 * 365


def test_rent_ends_where_the_run_moves_on():
    def cost(usd):
        rented = phase(1000, "rent", usd_per_gpu_hour=usd)
        return outcome(rented, phase(2000, days=10), tokens=4e12).run_usd.mid

    assert cost(2.0) - cost(1.0) == pytest.approx(1000 * 24 * 10)


def test_energy_is_paid_by_the_kwh():
    def told(usd):
        return outcome(phase(1000), power=(PowerSource(kind="grid", mw=9, date=DAY, usd_per_kwh=usd),))

    paid = told(1.0).run_usd.mid - told(0.0).run_usd.mid
    assert paid == pytest.approx(told(0.0).energy_mwh.mid * 1000)


def test_what_is_owned_costs_from_its_delivery_on():
    free = PowerSource(kind="grid", mw=9, date=DAY, usd_per_kwh=0.0)
    told = outcome(phase(1000), phase(1000, days=10), tokens=4e12, power=(free,))
    whole = own(draw("h100", 2000, busy_share=0.85), "h100", DAY, find_region("usa"))
    yearly = whole.capital_usd_year.mid + whole.opex_usd_year.mid
    gpu_days = 1000 * told.days.mid + 1000 * (told.days.mid - 10)
    assert told.run_usd.mid == pytest.approx(yearly / 2000 * gpu_days / 365.25)
    assert told.cash_usd.mid > whole.capex_usd.mid


def test_power_that_comes_late_holds_back():
    grid = PowerSource(kind="grid", mw=100, date=DAY + dt.timedelta(days=30))
    weak = PowerSource(kind="generator", mw=5, date=DAY)
    told = outcome(phase(20_000), tokens=1e15, power=(weak, grid))
    first = told.curve[1].state
    assert "fewer gpus" in first.limit
    assert first.running_gpus < 6000
    assert first.mean_mw <= 5
    assert told.curve[-1].state.running_gpus == 20_000
    assert outcome(phase(20_000), tokens=1e15, power=(grid,)).curve[0].state.running_gpus == 0


def test_a_cap_holds_whatever_the_sources_give():
    grid = PowerSource(kind="grid", mw=100, date=DAY)
    plan = BuildPlan(name="p", phases=(phase(20_000),), power=(grid,), power_cap_mw=12.0)
    told = follow(Scenario(name="s", model="m", tokens=1e14, plans=(plan,)), plan, plain, PARAMS)
    free = outcome(phase(20_000), tokens=1e14, power=(grid,))
    assert told.curve[-1].state.mean_mw <= 12
    assert told.days.mid > free.days.mid


def test_what_never_ends_says_so():
    none = PowerSource(kind="battery", mw=100, date=DAY)  # a battery is no source
    told = outcome(phase(1000), tokens=1e12, power=(none,))
    assert told.done is None
    both = compare(scenario(phase(1000), power=(none,)), plain, PARAMS)
    assert (both.earliest, both.cheapest) == (None, None)


@settings(max_examples=30)
@given(few=st.floats(1, 200), more=st.floats(1, 200), gpus=st.integers(1000, 100_000))
def test_more_megawatts_are_never_later(few, more, gpus):
    ends = []
    for mw in sorted((few, more)):
        power = (PowerSource(kind="grid", mw=mw, date=DAY),)
        ends.append(outcome(phase(gpus), speed=thinning, tokens=1e14, power=power).days.mid)
    assert ends[1] <= ends[0] * (1 + 1e-9)


@settings(max_examples=30)
@given(a=st.floats(0, 1), b=st.floats(0, 1), gpus=st.integers(8, 50_000))
def test_dearer_power_never_costs_less(a, b, gpus):
    costs = []
    for price in sorted((a, b)):
        power = (PowerSource(kind="grid", mw=100, date=DAY, usd_per_kwh=price),)
        costs.append(outcome(phase(gpus), speed=thinning, power=power).run_usd.mid)
    assert costs[0] <= costs[1]


@settings(max_examples=30)
@given(a=st.floats(1e9, 1e15), b=st.floats(1e9, 1e15), late=st.integers(0, 300))
def test_more_tokens_are_never_earlier_nor_cheaper(a, b, late):
    ends = [
        outcome(phase(5000, "rent"), phase(9000, days=late), speed=thinning, tokens=n) for n in sorted((a, b))
    ]
    assert ends[0].days.mid <= ends[1].days.mid
    assert ends[0].run_usd.mid <= ends[1].run_usd.mid * (1 + 1e-9)
    for end in ends:
        assert end.days.low <= end.days.mid <= end.days.high
        assert end.run_usd.low <= end.run_usd.mid <= end.run_usd.high


def test_a_start_in_the_last_years_there_are_is_followed():
    told = outcome(phase(8), tokens=1e30, start=dt.date(9999, 12, 30))
    assert told.done is None and told.curve[-1].date == dt.date.max


def test_plans_count_from_one_start():
    early = BuildPlan(name="early", phases=(phase(1000, "rent"),))
    late = BuildPlan(name="late", phases=(phase(4000, "rent", days=60),))
    told = compare(Scenario(name="s", model="m", tokens=1e12, plans=(late, early)), plain, PARAMS)
    assert told.earliest == "early"
    assert told.outcomes[0].days.mid > 60


def test_more_gpus_may_stay_idle_but_never_hurt():
    def worse(num_gpus):
        return Speed(tokens_per_s=exact(1e6 if num_gpus <= 1000 else 1e5), busy_share=0.8)

    rate = Throughput(worse, PARAMS, [1000, 4000])
    assert rate.tokens_per_day(4000).mid >= rate.tokens_per_day(1000).mid
    assert rate.tokens_per_day(10).mid < rate.tokens_per_day(1000).mid


phases = st.builds(
    phase,
    st.integers(1, 200_000),
    st.sampled_from(["own", "rent"]),
    st.integers(0, 900),
    term=st.sampled_from(["on-demand", "1-year", "3-year"]),
)
sources = st.builds(
    PowerSource,
    kind=st.sampled_from(["grid", "generator", "battery"]),
    mw=st.floats(0, 500),
    date=st.integers(0, 900).map(lambda days: DAY + dt.timedelta(days=days)),
    usd_per_kwh=st.none() | st.floats(0, 1),
)


@settings(max_examples=60)
@given(
    phases=st.lists(phases, min_size=1, max_size=5).map(lambda found: sorted(found, key=lambda p: p.date)),
    power=st.lists(sources, max_size=4),
    tokens=st.floats(1e6, 1e16),
    cap=st.none() | st.floats(0.01, 500),
)
def test_any_plan_is_followed_to_a_sound_end(phases, power, tokens, cap):
    plan = BuildPlan(name="p", phases=tuple(phases), power=tuple(power), power_cap_mw=cap)
    told = follow(Scenario(name="s", model="m", tokens=tokens, plans=(plan,)), plan, thinning, PARAMS)
    assert 0 <= told.days.low <= told.days.mid <= told.days.high
    for band in (told.run_usd, told.cash_usd, told.energy_mwh, told.carbon_t):
        assert 0 <= band.low <= band.mid <= band.high
    for before, after in zip(told.curve, told.curve[1:], strict=False):
        assert before.tokens <= after.tokens * (1 + 1e-9)
        assert before.run_usd <= after.run_usd * (1 + 1e-9)
        assert before.energy_mwh <= after.energy_mwh * (1 + 1e-9)
        assert after.state.running_gpus <= after.state.num_gpus
    if told.done:
        assert told.curve[-1].tokens == pytest.approx(tokens)


def test_memphis_compares_renting_building_and_both():
    def large(num_gpus):
        return Speed(tokens_per_s=within(150.0 * num_gpus / (1 + num_gpus / 1e6), 1.1), busy_share=0.85)

    told = compare(read_scenario("memphis"), large, 405e9)
    rent, build, both, grid_only = told.outcomes
    assert [each.plan for each in told.outcomes] == ["rent", "build", "both", "grid only"]
    assert both.done <= min(rent.done, build.done)
    assert build.cash_usd.mid > rent.cash_usd.mid
    assert build.curve[0].state.where == "nowhere"
    assert grid_only.done > build.done
    assert grid_only.curve[-1].state.limit != "none"
    assert {point.state.where for point in both.curve} == {"rent", "own"}
    assert msgspec.json.decode(msgspec.json.encode(told))["earliest"] == told.earliest


def test_a_plan_whose_gpu_has_no_price_is_refused():
    with pytest.raises(InvalidInput, match="no buy price of 'tpu-v5p' is known"):
        outcome(phase(8), gpu="tpu-v5p")
    with pytest.raises(InvalidInput, match="region 'mars' is not known"):
        outcome(phase(8), region="mars")


GOOD = """
name = "x"
model = "llama3-405b"
tokens = 1e12
[[plans]]
name = "a"
[[plans.phases]]
date = 2024-01-01
gpus = 8
how = "own"
[[plans.phases]]
date = 2024-02-01
gpus = 8
how = "own"
"""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("tokens = 1e12", "tokens = 0", "tokens is 0.0; give the tokens"),
        ("tokens = 1e12", "tokens = nan", "tokens is nan"),
        (
            "date = 2024-02-01",
            "date = 2023-02-01",
            "date 2023-02-01 comes after 2024-01-01; put the phases in order",
        ),
        ("gpus = 8", "gpus = 0", "phase 2024-01-01: gpus is 0"),
        ('how = "own"', 'how = "buy"', "how is 'buy'; nearest is"),
        ('how = "own"', 'how = "own"\nuntil = 2025-01-01', "belong to how = 'rent'"),
        ('how = "own"', 'how = "rent"\nuntil = 2023-01-01', "until 2023-01-01 is not after its date"),
        ('how = "own"', 'how = "rent"\nterm = "2-year"', "term is '2-year'; nearest is"),
        ('name = "a"', 'name = "a"\npower_cap_mw = nan', "power_cap_mw is nan"),
        ('name = "x"', 'name = "x"\nwatts = 3', "unknown field `watts`"),
        ("date = 2024-01-01", 'date = "soon"', "Invalid"),
        ("[[plans.phases]]", "[[plans.faces]]", "field"),
    ],
)
def test_a_bad_scenario_is_one_clear_error(tmp_path, old, new, told):
    path = tmp_path / "bad.toml"
    path.write_text(GOOD)
    assert read_scenario(str(path)).plans[0].phases[1].gpus == 8
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(InvalidInput, match=told):
        read_scenario(str(path))


def test_a_missing_scenario_names_what_is_built_in():
    with pytest.raises(InvalidInput, match="'memphis' is built in"):
        read_scenario("memfis.toml")
    assert read_scenario("memphis.toml").name == "memphis"
