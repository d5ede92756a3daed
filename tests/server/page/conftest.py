from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.server.browser import Browser


@pytest.fixture
def browser(chromium: Browser, url: str) -> Iterator[Browser]:
    """A fresh page on a fresh house; it may neither complain nor look elsewhere, whatever a test does."""
    chromium.open(url)
    yield chromium
    assert chromium.complaints() == []
    foreign = [asked for asked in chromium.requests() if not asked.startswith((url, "data:", "about:"))]
    assert foreign == []
    chromium.driver.get("about:blank")
