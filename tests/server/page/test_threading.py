"""A post at an address of its own, in a real browser: its thread, what others say, the way back, its end."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from hubbub.posts import AccountEvent
from tests.server.small_house import SmallHouse, flood, make_post

if TYPE_CHECKING:
    from tests.server.browser import Browser

pytestmark = pytest.mark.browser

TEXTS = {post.id: post.text for post in flood()}
RUMOUR, DENIAL = (f"https://town.example/@author{n}/{n}" for n in (4, 5))
REPLY = make_post(20, "\u05d4\u05d0\u05dd \u05d6\u05d4 \u05e0\u05db\u05d5\u05df? \U0001f30a", reply_to=RUMOUR)
DEEPER = make_post(21, "No, I stood on it " + "a" * 200, reply_to=REPLY.id, root=RUMOUR, name="Z\u0337" * 50)


def open_post(browser: Browser, url: str, post: str, **shape: int) -> None:
    browser.open(f"{url}/#post={quote(post, safe='')}", **shape)
    browser.wait(lambda: browser.all(".main-post") and browser.all(".context .sentence, .context .note"))


def posts_in(browser: Browser, selector: str) -> list[str]:
    return browser.run(
        "return [...document.querySelectorAll(arguments[0] + ' li')].map((each) => each.dataset.post)",
        selector,
    )


@pytest.mark.parametrize("width", [390, 1280])
def test_a_link_opens_a_post_with_its_thread_and_context(
    chromium: Browser, house: SmallHouse, url: str, width: int
) -> None:
    house.add(REPLY, DEEPER)
    open_post(chromium, url, REPLY.id, width=width)
    assert chromium.texts(".main-post .text") == [REPLY.text]
    assert (
        chromium.run("return getComputedStyle(document.querySelector('.main-post .text')).direction") == "rtl"
    )
    assert posts_in(chromium, ".above") == [RUMOUR]
    assert posts_in(chromium, ".replies") == [DEEPER.id]
    assert chromium.run("return document.scrollingElement.scrollWidth") <= width
    assert chromium.worst_contrast() >= 4.5
    assert chromium.complaints() == []


def test_context_says_what_others_say_and_goes_with_what_it_quotes(
    browser: Browser, house: SmallHouse, url: str
) -> None:
    open_post(browser, url, RUMOUR)
    browser.wait(lambda: "has not broken" in browser.one(".context q").text)
    browser.one(".context .cite").click()
    browser.wait(lambda: browser.texts("#panel .text") == [TEXTS[DENIAL]])
    house.delete(DENIAL)
    browser.wait(lambda: browser.all(".context .withdrawn") and not browser.reads(TEXTS[DENIAL]))
    assert browser.texts(".main-post .text") == [TEXTS[RUMOUR]]


def test_a_deleted_post_takes_its_view_along(browser: Browser, house: SmallHouse, url: str) -> None:
    house.add(REPLY)
    open_post(browser, url, RUMOUR)
    house.delete(RUMOUR)
    browser.wait(lambda: browser.texts(".main-post .why") == ["This post was deleted."])
    browser.wait(lambda: not browser.reads(TEXTS[RUMOUR]))
    assert browser.texts(".context .why") == ["Withdrawn with its post."]
    house.add(AccountEvent(author=REPLY.author, status="removed", received_us=house.clock_us))
    browser.wait(lambda: browser.all(".replies .withdrawn") and not browser.reads(REPLY.text))


def test_a_reply_joins_its_thread_as_it_arrives(browser: Browser, house: SmallHouse, url: str) -> None:
    open_post(browser, url, RUMOUR)
    assert browser.one(".replies .note").text == "No replies here."
    house.add(REPLY)
    browser.wait(lambda: posts_in(browser, ".replies") == [REPLY.id])
    house.add(DEEPER)
    browser.wait(lambda: posts_in(browser, ".replies") == [REPLY.id, DEEPER.id])


def test_one_walks_through_a_thread_and_back(browser: Browser, house: SmallHouse, url: str) -> None:
    house.add(REPLY, DEEPER)
    browser.one("#tab-search").click()
    browser.wait(lambda: browser.all("#results .item"))
    browser.run("document.querySelector(`#results [data-post='${arguments[0]}'] .open`).click()", RUMOUR)
    browser.wait(lambda: browser.all("#panel .onward a"))
    browser.one("#panel .onward a").click()
    browser.wait(lambda: browser.texts(".main-post .text") == [TEXTS[RUMOUR]])
    assert posts_in(browser, ".replies") == [REPLY.id, DEEPER.id]
    browser.one(f".replies [data-post='{REPLY.id}'] .open").click()
    browser.wait(lambda: browser.texts(".main-post .text") == [REPLY.text])
    browser.one("#thread-back").click()
    browser.wait(lambda: browser.texts(".main-post .text") == [TEXTS[RUMOUR]])
    browser.driver.back()
    browser.wait(lambda: browser.one("#results").is_displayed())
    assert browser.all("#results .item") and not browser.one("#thread").is_displayed()


@pytest.mark.parametrize(
    ("post", "said"),
    [("https://town.example/@nobody/1", "No such post is here."), (RUMOUR, "This post was deleted.")],
)
def test_a_post_that_is_not_here_says_so(
    chromium: Browser, house: SmallHouse, url: str, post: str, said: str
) -> None:
    chromium.open(url)
    house.delete(RUMOUR)
    chromium.wait(lambda: chromium.all("#stream .why"))
    chromium.run("location.hash = '#post=' + encodeURIComponent(arguments[0])", post)
    chromium.wait(lambda: chromium.texts("#thread .nothing") == [said])
    assert all("/api/post?" in each and "status of 4" in each for each in chromium.complaints())
