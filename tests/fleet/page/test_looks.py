"""The page of a fleet in a real browser: small and huge fleets, hostile names, a scheduler that goes away."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hubbub.fleet.deliveries import plan_deliveries, read_orders
from hubbub.fleet.outcome import outcomes_of
from hubbub.fleet.page.recorder import Recorder
from hubbub.fleet.page.replay import replay_of, write_replay
from hubbub.fleet.policy import Policy
from hubbub.fleet.simulator import simulate
from hubbub.fleet.spec import FleetSpec, GridEvent, Pool, Site, Tenant
from tests.fleet.page.halls import NOW_S, StillFleet, job, page_of, settled

if TYPE_CHECKING:
    from tests.server.browser import Browser

pytestmark = pytest.mark.browser

SCRIPT, RTL = "<script>document.title = 'gone'</script>", "\u0645\u0631\u062d\u0628\u0627 \u202e24\u202c"
DECEMBER = Path(__file__).parents[3] / "hubbub/fleet/data/december_2023.toml"


def checked(browser: Browser, width: int) -> None:
    assert browser.run("return document.scrollingElement.scrollWidth") <= width
    assert browser.worst_contrast() >= 4.5
    assert browser.complaints() == []


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_a_small_fleet_with_hostile_names_goes_away_and_comes_back(
    chromium: Browser, width: int, dark: bool
) -> None:
    spec = FleetSpec(
        pools=(Pool(name="hall", num_nodes=2, site="hall", busy_kw_per_gpu=1.0, usd_per_gpu_hour=0.9),),
        tenants=(Tenant(name="xai", priority=20), Tenant(name="__proto__", priority=10)),
        sites=(Site(name="hall", cap_kw=20.0),),
        grid_events=(GridEvent(site="hall", start_s=NOW_S + 7_200, duration_s=3_600, cut=0.25),),
    )
    state = settled(spec, [job("1", "__proto__", 8), job("2", "xai", 16, priority=20), job("3", "xai", 4)])
    state.pools["hall"].nodes.remove(1)
    fleet = StillFleet(state, names={"1": SCRIPT, "2": RTL}, out={("hall", 1): "drained: ECC errors"},
                       lemons={("hall", 0): "5 failures in 7 days"}, notes=("nobody leads it",))  # fmt: skip
    with page_of(fleet, plan_deliveries(read_orders(DECEMBER))) as url:
        chromium.open(url, width=width, dark=dark)
        chromium.wait(lambda: chromium.texts("#queue tbody th bdi") == ["2", RTL, "3"])
        assert chromium.texts("#tenants tbody bdi") == ["xai", "__proto__", "1", SCRIPT]
        assert chromium.run("return document.title") == "hubbub fleet"
        assert "25% less" in chromium.one("#power .found").text
        assert "1,284,000 idle GPU-days saved" in chromium.one("#deliveries .found").text
        assert "1 drained, 1 lemon" in chromium.one("#nodes .found").text
        chromium.run("document.querySelector('#nodes canvas').focus()")
        chromium.keys("\ue014")  # arrow right
        assert chromium.one("#nodes .said").text == "hall-1: __proto__ (lemon: 5 failures in 7 days)"
        chromium.run("document.querySelector('#gpus .chart').focus()")
        chromium.keys("\ue011")  # home
        assert chromium.one("#gpus .said").text.endswith("__proto__ 8")
        chromium.run("document.querySelector('#nodes details').open = true")
        chromium.wait(lambda: "drained: ECC errors" in chromium.texts("#nodes td.words"))
        checked(chromium, width)
        assert chromium.one("#banner").text == "nobody leads it"
        fleet.is_away = True
        chromium.wait(lambda: chromium.all("#dot.bad"))
        assert "has not answered since" in chromium.one("#banner").text
        assert "<b>connection refused</b>" in chromium.one("#banner").text
        assert chromium.worst_contrast() >= 4.5
        fleet.is_away = False
        chromium.wait(lambda: chromium.all("#dot.on") and chromium.texts("#banner") == ["nobody leads it"])
        assert {
            each for each in chromium.requests() if not each.startswith((url, "data:", "about:"))
        } == set()
        chromium.driver.get("about:blank")


def test_a_hundred_thousand_gpus_of_thirty_tenants_without_power_or_prices(chromium: Browser) -> None:
    spec = FleetSpec(
        pools=(Pool(name="hall", num_nodes=12_500),),
        tenants=tuple(Tenant(name=f"tenant-{n:02}", priority=n) for n in range(30)),
    )
    jobs = [job(f"j{n}", f"tenant-{n % 30:02}", 8 * (n % 97 + 1), priority=n % 30) for n in range(300)]
    with page_of(StillFleet(settled(spec, jobs))) as url:
        chromium.open(url)
        chromium.wait(lambda: chromium.texts("#gpus .keys bdi")[-2:] == ["23 others", "owned"])
        assert len(chromium.texts("#gpus .keys bdi")) == 9 and len(chromium.texts("#tenants tbody th")) > 29
        assert "describes no site" in chromium.one("#power .nothing").text
        assert "states no price" in chromium.one("#money .nothing").text
        painted = chromium.run(
            "const map = document.querySelector('#nodes canvas');"
            "const pixels = map.getContext('2d').getImageData(0, 0, map.width, map.height).data;"
            "const seen = new Set();"
            "for (let n = 0; n < pixels.length; n += 4) if (pixels[n + 3] === 255)"
            " seen.add(`${pixels[n]} ${pixels[n + 1]} ${pixels[n + 2]}`);"
            "return seen.size"
        )
        assert painted >= 9
        checked(chromium, 1280)
        chromium.driver.get("about:blank")


def test_a_simulation_is_replayed_from_one_file_that_asks_for_nothing(
    chromium: Browser, tmp_path: Path
) -> None:
    spec = FleetSpec(
        pools=(
            Pool(name="own", num_nodes=4, site="hall", busy_kw_per_gpu=1.0),
            Pool(name="rented", num_nodes=2, is_rented=True, usd_per_gpu_hour=2.0, lead_s=60.0),
        ),
        tenants=(Tenant(name="xai", priority=20, max_usd_per_gpu_hour=3.0), Tenant(name="tesla")),
        sites=(Site(name="hall", cap_kw=32.0),),
        grid_events=(GridEvent(site="hall", start_s=40_000.0, duration_s=20_000.0, cut=0.25),),
    )
    jobs = [
        job(f"{SCRIPT}-{n}", "tesla" if n % 2 else "xai", 8 * (n % 3 + 1), submit_s=2_000.0 * n,
            run_s=9_000.0, priority=0 if n % 2 else 20) for n in range(80)
    ]  # fmt: skip
    recorder = Recorder(Policy())
    result = simulate(spec, jobs, look=recorder.look, watch=recorder.watch, look_every_s=600.0)
    file = tmp_path / "replay.html"
    write_replay(file, replay_of(spec, result, recorder, outcomes_of(result), policy="priority"))
    assert "http://" not in file.read_text().replace("http://www.w3.org/2000/svg", "")
    chromium.open(file.as_uri())
    assert chromium.one("#lead").text.startswith("80 jobs of 2 tenants on 32 GPUs")
    before = chromium.one("#at-text").text
    chromium.run("document.getElementById('at').focus()")
    chromium.keys("\ue011")  # home
    assert chromium.one("#at-text").text == "day 1, 00:00" != before
    assert chromium.texts("#figures dd")[0].startswith("8")
    chromium.one("#play").click()
    chromium.wait(lambda: chromium.one("#at-text").text not in ("day 1, 00:00", before))
    assert len(chromium.texts("#outcome tbody th")) == 2
    checked(chromium, 1280)
    assert {
        each for each in chromium.requests() if not each.startswith(("file:", "data:", "about:", "blob:"))
    } == set()
    chromium.driver.get("about:blank")
