"""An answer framed by another site's page, in a real browser: what it may do, who may frame it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest

from hubbub.server.app import create_app
from hubbub.web.run import serve_in_thread
from tests.server.page.foreign import serve_page
from tests.server.small_house import SmallHouse, flood
from tests.server.test_ask import first_cited

if TYPE_CHECKING:
    from tests.server.browser import Browser

pytestmark = pytest.mark.browser

QUESTION = "Is it true that the Hollin dam has broken?"
TEXTS = {post.id: post.text for post in flood()}
PLACE = "<!doctype html><link rel=icon href=data:,><title>Forum</title><body><p>Before</p>{}<p>After</p>"
HEIGHT = "return document.querySelector('iframe').getBoundingClientRect().height"


@contextmanager
def framed(browser: Browser, house: SmallHouse, tag: str, is_allowed: bool = True) -> Iterator[str]:
    """Open a page of another site that holds `tag`, with HOUSE in it replaced; yields the house's address."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with serve_page(PLACE.format(tag.replace("HOUSE", f"http://127.0.0.1:{port}"))) as forum:
        embed = [forum] if is_allowed else ["https://forum.example"]
        with serve_in_thread(create_app(house, embed=embed), port=port) as url:
            browser.open(forum, is_ours=False)
            yield url
            browser.driver.switch_to.default_content()
            browser.driver.get("about:blank")


def enter(browser: Browser) -> None:
    browser.wait(lambda: browser.all("iframe"))
    browser.driver.switch_to.frame(browser.one("iframe"))


WIDGET = f"<script src='HOUSE/widget.js' data-question='{QUESTION}' ATTRIBUTES async></script>"


def test_a_script_tag_shows_an_answer_that_stays_true(chromium: Browser, house: SmallHouse) -> None:
    with framed(chromium, house, WIDGET) as url:
        enter(chromium)
        chromium.wait(lambda: chromium.all("#answer[aria-busy=false] .cite"))
        assert chromium.texts("#source-list bdi")[0].startswith("@author")
        assert chromium.one("#home").get_attribute("href").startswith(url + "/#ask=")
        links = chromium.all("#source-list a")
        assert links and all("noopener" in link.get_attribute("rel") for link in links)
        height = chromium.run("return document.getElementById('frame').getBoundingClientRect().height")
        chromium.driver.switch_to.default_content()
        chromium.wait(lambda: abs(chromium.run(HEIGHT) - height) <= 1)
        chromium.run("window.postMessage({hubbub: 'height', height: 3000}, '*')")  # not from the frame
        enter(chromium)
        post, _ = first_cited(house, QUESTION)
        house.delete(post)
        chromium.wait(lambda: chromium.all(".sentence.withdrawn") and not chromium.reads(TEXTS[post]))
        chromium.driver.switch_to.default_content()
        assert chromium.run(HEIGHT) < 2_000
        asked = {address.split("?")[0] for address in chromium.requests() if address.startswith(url)}
        assert {address.removeprefix(url) for address in asked if "/api/" in address} <= {
            "/api/ask",
            "/api/posts",
        }
        assert chromium.complaints() == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_takes_colours_letters_and_language_from_its_place(
    chromium: Browser, house: SmallHouse, theme: str
) -> None:
    accent = "#7a1fa2" if theme == "light" else "#ffb300"
    attributes = f"data-theme={theme} data-accent={accent} data-font='Georgia, serif' data-lang=de"
    with framed(chromium, house, WIDGET.replace("ATTRIBUTES", attributes)):
        enter(chromium)
        chromium.wait(lambda: chromium.all("#answer[aria-busy=false] .cite"))
        style = chromium.run(
            "const style = getComputedStyle(document.documentElement);"
            "return [style.colorScheme, style.getPropertyValue('--accent'),"
            " getComputedStyle(document.body).fontFamily]"
        )
        assert style == [theme, accent, "Georgia, serif"]
        assert chromium.one("#home").text == "In hubbub \u00f6ffnen"
        assert chromium.worst_contrast() >= 4.5


def test_colours_that_nobody_could_read_are_not_taken(chromium: Browser, house: SmallHouse) -> None:
    attributes = "data-theme=light data-accent=#ffff00 data-background=#000 data-font='url(x)'"
    with framed(chromium, house, WIDGET.replace("ATTRIBUTES", attributes)):
        enter(chromium)
        chromium.wait(lambda: chromium.all("#answer[aria-busy=false] .cite"))
        assert chromium.worst_contrast() >= 4.5


def test_a_site_that_is_not_named_gets_nothing(chromium: Browser, house: SmallHouse) -> None:
    with framed(chromium, house, WIDGET, is_allowed=False):
        chromium.wait(lambda: any("frame-ancestors" in said for said in chromium.complaints()))
        enter(chromium)
        assert not chromium.all("#answer") and house.num_questions == 0


@pytest.mark.parametrize("path", ["/", "/#house", "/api/status", "/page/embed.html"])
def test_nothing_else_can_be_framed_by_a_site_that_is_named(
    chromium: Browser, house: SmallHouse, path: str
) -> None:
    with framed(chromium, house, f"<iframe src='HOUSE{path}'></iframe>"):
        chromium.wait(chromium.complaints)
        enter(chromium)
        assert not chromium.all("button, table, pre, main")


def test_the_script_is_small() -> None:
    assert len(files("hubbub.server").joinpath("page", "widget.js").read_bytes()) < 5_000
