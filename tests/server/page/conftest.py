from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.server.browser import Browser


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    for program in ("/usr/bin/chromium", "/usr/bin/chromedriver"):
        if not os.access(program, os.X_OK):
            pytest.skip(f"{program} is not installed; apt-get install chromium chromium-driver")
    from tests.server.browser import Browser

    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def browser(chromium: Browser, url: str) -> Iterator[Browser]:
    """A fresh page on a fresh house; it may neither complain nor look elsewhere, whatever a test does."""
    chromium.open(url)
    yield chromium
    assert chromium.complaints() == []
    foreign = [asked for asked in chromium.requests() if not asked.startswith((url, "data:", "about:"))]
    assert foreign == []
    chromium.driver.get("about:blank")
