"""The search tab in a real browser: pages, what narrows, the picture over time, a summary; and trends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from hubbub.posts import Deletion
from hubbub.server.app import create_app
from hubbub.web.run import serve_in_thread
from tests.server.small_house import SmallHouse, flood, make_post
from tests.server.test_trends import open_town, settle
from tests.trends.town import NOW_US, chatter, fire

if TYPE_CHECKING:
    from tests.server.browser import Browser

pytestmark = pytest.mark.browser

TEXTS = {post.id: post.text for post in flood()}
RUMOUR, DENIAL = (f"https://town.example/@author{n}/{n}" for n in (4, 5))


def look_for(browser: Browser, query: str) -> None:
    browser.one("#tab-search").click()
    browser.wait(lambda: browser.all("#results .item"))
    browser.one("#query").clear()
    browser.one("#query").send_keys(query + "\n")


def test_search_finds_and_marks_living_posts(browser: Browser, house: SmallHouse) -> None:
    look_for(browser, '"Hollin dam" -rumour')
    browser.wait(lambda: browser.texts("#results .text") == [TEXTS[RUMOUR]])
    assert browser.texts("#results mark") == ["Hollin dam"]
    house.delete(RUMOUR)
    browser.wait(lambda: browser.all("#results .withdrawn") and not browser.reads(TEXTS[RUMOUR]))
    browser.one("#query").send_keys(" since:soonish\n")
    browser.wait(lambda: "soonish" in browser.one("#search-count").text)
    assert not browser.all("#results .item") and not browser.one("#sum-up").is_displayed()
    assert len(browser.complaints()) == 1  # the 400 itself, which every browser notes


def test_a_slip_is_offered_as_posts_spell_it(browser: Browser, house: SmallHouse) -> None:
    house.add(*(make_post(30 + n, f"The ferry Anneliese is {n} minutes late.") for n in range(4)))
    look_for(browser, "Aneliese ferry")
    browser.wait(lambda: browser.one("#search-meant").text == "Did you mean: Anneliese ferry")
    browser.one("#search-meant button").click()
    browser.wait(lambda: "Anneliese" in " ".join(browser.texts("#results mark")))
    assert not browser.one("#search-meant").is_displayed() and browser.complaints() == []


def test_highlights_fall_where_the_house_says(browser: Browser, house: SmallHouse) -> None:
    house.add(
        make_post(
            30,
            "\U0001f469\u200d\U0001f692 \u05d4\u05de\u05e2\u05d1\u05d5\u05e8\u05ea \U0001f1e9\U0001f1ea",
            langs=["he"],
        )
    )
    look_for(browser, "\u05d4\u05de\u05e2\u05d1\u05d5\u05e8\u05ea")
    browser.wait(lambda: browser.texts("#results mark") == ["\u05d4\u05de\u05e2\u05d1\u05d5\u05e8\u05ea"])
    assert browser.run("return getComputedStyle(document.querySelector('#results .text')).direction") == "rtl"


def has_names(browser: Browser) -> str:
    """Whether each control that is shown has a name: "all" or "not all"."""
    shown = [each for each in browser.all("main button, main input, main a") if each.is_displayed()]
    return "all" if all(control.accessible_name for control in shown) else "not all"


@pytest.mark.parametrize("width", [390, 1280])
def test_every_view_names_its_controls_and_fits(
    chromium: Browser, house: SmallHouse, url: str, width: int
) -> None:
    house.add(make_post(31, "W" * 300 + " #" + "Regen" * 30, name="N" * 200, handle="h" * 90))
    chromium.open(url, width=width, dark=True)
    for place, sign in (
        ("#search", "#results .item"),
        ("#search=%23flood%20since%3A2026-03-14", "#filters .chip"),
        ("#post=" + quote(RUMOUR, safe=""), ".main-post"),
        ("#trends", "#trends-count:not(:empty)"),
    ):
        chromium.run("location.hash = arguments[0]", place)
        chromium.wait(lambda sign=sign: chromium.all(sign))
        assert chromium.wait(lambda: has_names(chromium)) == "all"
        assert chromium.run("return document.scrollingElement.scrollWidth") <= width
        assert chromium.worst_contrast() >= 4.5
        ids = chromium.run("return [...document.querySelectorAll('[id]')].map((each) => each.id)")
        assert len(ids) == len(set(ids))
    assert chromium.complaints() == []


def test_facets_narrow_and_chips_widen_again(browser: Browser) -> None:
    look_for(browser, "#flood")
    browser.wait(lambda: browser.texts("#filters bdi") == ["#flood"])
    browser.wait(lambda: "3 posts" in browser.one("#facets > .note").text)
    browser.one("[aria-label='@author5: 1 post; narrow to this']").click()
    browser.wait(lambda: browser.texts("#results .text") == [TEXTS[DENIAL]])
    assert browser.one("#query").get_attribute("value") == "#flood from:author5"
    assert browser.texts("#filters bdi") == ["#flood", "by @author5"]
    browser.one("[aria-label='Remove #flood']").click()
    browser.wait(lambda: browser.texts("#filters bdi") == ["by @author5"])
    browser.driver.back()
    browser.driver.back()
    browser.wait(
        lambda: browser.texts("#filters bdi") == ["#flood"] and len(browser.all("#results .item")) == 3
    )
    assert browser.run("return location.hash") == "#search=%23flood"


def test_a_tag_goes_with_the_last_post_that_has_it(browser: Browser, house: SmallHouse) -> None:
    secret = make_post(34, "The mayor hides in the old mill #WhereTheMayorIs")
    house.add(secret)
    look_for(browser, "mill")
    browser.wait(lambda: "#wherethemayoris" in browser.texts(".facet bdi"))
    house.delete(secret.id)
    browser.wait(lambda: "mayor" not in browser.html().casefold())
    assert browser.all(".facet")


def test_a_bar_narrows_to_its_time_by_mouse_and_by_keys(browser: Browser, house: SmallHouse) -> None:
    from selenium.webdriver.common.keys import Keys

    house.add(*(make_post(60 * n, f"The ferry leaves pier {n}.") for n in (2, 3, 3.5, 6)))
    look_for(browser, "ferry")
    browser.wait(lambda: browser.texts("#results mark") == ["ferry"] * 4)
    assert "4 in all" not in browser.one("figcaption").get_attribute("textContent")
    assert "4 posts in all" in browser.one("figcaption").get_attribute("textContent")
    bars = browser.all(".slot")
    assert [bar.get_attribute("aria-label").rpartition(": ")[2] for bar in bars].count("1 post") == 4
    bars[-1].click()
    browser.wait(lambda: len(browser.all("#results mark")) == 1)
    assert browser.texts("#results .text")[0].startswith("The ferry leaves pier 6")
    assert [name.split(" ")[0] for name in browser.texts("#filters bdi")] == ["since", "until"]
    browser.driver.back()
    browser.wait(lambda: len(browser.all("#results mark")) == 4)
    browser.run("document.querySelector('.slot').focus()")
    browser.wait(lambda: "1 post" in browser.one(".said").text)
    with_shift = browser.run(
        """const bars = [...document.querySelectorAll('.slot')];
        const said = bars.map((bar) => bar.getAttribute('aria-label').includes('1 post'));
        const second = said.indexOf(true, 1);
        for (let n = 0; n < second; n++) bars[n].dispatchEvent(
          new KeyboardEvent('keydown', {key: 'ArrowRight', shiftKey: true, bubbles: true}));
        return document.querySelectorAll('.slot.chosen').length === second + 1"""
    )
    assert with_shift and "2 posts" in browser.one(".said").text
    browser.keys(Keys.ENTER)
    browser.wait(lambda: len(browser.all("#results mark")) == 2)


def test_dragging_over_bars_narrows_to_all_of_them(browser: Browser, house: SmallHouse) -> None:
    from selenium.webdriver import ActionChains

    house.add(*(make_post(60 * n, f"The ferry leaves pier {n}.") for n in (2, 3, 4, 5, 6)))
    look_for(browser, "ferry")
    browser.wait(lambda: len(browser.all("#results mark")) == 5)
    bars = [bar for bar in browser.all(".slot") if "1 post" in bar.get_attribute("aria-label")]
    ActionChains(browser.driver).click_and_hold(bars[3]).move_to_element(bars[1]).perform()
    assert "3 posts" in browser.one(".said").text
    ActionChains(browser.driver).release().perform()
    browser.wait(lambda: len(browser.all("#results mark")) == 3)
    assert {text[-2] for text in browser.texts("#results .text")} == {"3", "4", "5"}


def test_more_pages_come_on_request_and_none_twice(browser: Browser, house: SmallHouse) -> None:
    house.add(*(make_post(100 + n, f"The ferry leaves pier {n}.") for n in range(45)))
    look_for(browser, "ferry")
    browser.wait(lambda: len(browser.all("#results mark")) == 20)
    browser.one("#next").click()
    browser.wait(lambda: len(browser.all("#results .item")) == 40)
    house.delete(make_post(101, "").id)
    browser.one("#next").click()
    browser.wait(lambda: not browser.one("#next").is_displayed())
    shown = browser.run(
        "return [...document.querySelectorAll('#results li')].map((each) => each.dataset.post)"
    )
    assert len(shown) == len(set(shown)) >= 44
    assert "That is all" in browser.one("#search-end").text


def test_a_summary_quotes_and_is_struck_out_with_its_posts(browser: Browser, house: SmallHouse) -> None:
    look_for(browser, "dam from:author5")
    browser.wait(lambda: browser.texts("#results .text") == [TEXTS[DENIAL]])
    browser.one("#sum-up").click()
    browser.wait(lambda: browser.all("#summary .watching"))
    assert "has not broken" in browser.one("#summary q").text
    house.delete(DENIAL)
    browser.wait(lambda: browser.all("#summary .withdrawn") and not browser.reads(TEXTS[DENIAL]))


def test_an_address_of_a_search_opens_it(chromium: Browser, url: str) -> None:
    chromium.open(url + "/#search=soup%20%22forty%20people%22&sort=time")
    chromium.wait(lambda: len(chromium.all("#results .item")) == 1)
    assert chromium.one("input[value=time]").is_selected()
    assert chromium.complaints() == []


def test_trends_say_that_there_are_none(browser: Browser) -> None:
    browser.one("#tab-trends").click()
    browser.wait(lambda: "Nothing yet" in browser.one("#trends-count").text)
    assert not browser.all("#trends li")


@pytest.mark.parametrize(("width", "height"), [(1280, 860), (360, 740)], ids=["desktop", "phone"])
def test_trends_quote_living_posts_until_they_are_deleted(
    chromium: Browser, tmp_path: Path, width: int, height: int
) -> None:
    with open_town(tmp_path / "town") as town:
        town.archive.append([*chatter(), *fire()])
        settle(town)
        with serve_in_thread(create_app(town, trending=town.trending)) as address:
            chromium.open(address, width=width, height=height)
            chromium.one("#tab-trends").click()
            chromium.wait(lambda: chromium.all("#rising li"))
            assert chromium.texts("#rising h3") == ["paper mill"]
            assert "8 independent voices, 8 posts, first 20 min" in chromium.texts("#rising .count")[0]
            assert chromium.run("return document.scrollingElement.scrollWidth") <= width
            assert chromium.worst_contrast() >= 4.5
            assert "most 8 posts at once" in chromium.one(".spark").accessible_name
            (story,) = town.trends(24, 10)
            assert chromium.texts("#rising .text") == [story.headline.quote]
            town.archive.append([Deletion(id=story.headline.post, received_us=NOW_US)])
            chromium.wait(lambda: chromium.all("#rising .withdrawn"))
            assert story.headline.quote not in chromium.html()
            assert chromium.complaints() == []
            chromium.driver.get("about:blank")


def test_a_trend_is_asked_about_and_looked_for(chromium: Browser, tmp_path: Path) -> None:
    with open_town(tmp_path / "town") as town:
        town.archive.append([*chatter(), *fire()])
        settle(town)
        with serve_in_thread(create_app(town, trending=town.trending)) as address:
            chromium.open(address + "/#trends")
            chromium.wait(lambda: chromium.all("#rising li"))
            chromium.one("[aria-label='Search: paper mill']").click()
            chromium.wait(lambda: chromium.texts("#results mark"))
            assert chromium.one("#query").get_attribute("value") == '"paper mill"'
            chromium.driver.back()
            chromium.one("[aria-label='Ask about it: paper mill']").click()
            chromium.wait(lambda: chromium.all("#answer .sentence"))
            assert chromium.complaints() == []
            chromium.driver.get("about:blank")
