"""Two processes and a browser: a platform, `hubbub serve` following it, and somebody who reads."""

import os
import time

import pytest

from hubbub.server.remote import read_address
from tests.cli.test_status import serving  # noqa: F401  a fixture

pytestmark = pytest.mark.browser


def test_the_page_strikes_a_quote_out_when_its_post_dies_on_the_platform(serving, tmp_path):  # noqa: F811
    for program in ("/usr/bin/chromium", "/usr/bin/chromedriver"):
        if not os.access(program, os.X_OK):
            pytest.skip(f"{program} is not installed; apt-get install chromium chromium-driver")
    from tests.server.browser import Browser

    fake, data = serving
    browser = Browser(tmp_path / "profile")
    try:
        browser.open(read_address(data).url)
        fake.post(
            "did:plc:anna", "k1", "The ferry to Hollin sinks at the pier, everybody is safe.", langs=["en"]
        )
        fake.post("did:plc:omar", "k2", "The harbour office has closed the pier of the ferry.", langs=["en"])
        browser.wait(lambda: len(browser.all("#stream > li")) == 2)
        browser.ask("What is happening with the ferry to Hollin?")
        assert "sinks at the pier" in "".join(browser.texts(".sentence"))
        start_s = time.monotonic()
        fake.delete("did:plc:anna", "k1")
        browser.wait(lambda: browser.all(".sentence.withdrawn .struck, .sentence .withdrawn .struck"))
        assert time.monotonic() - start_s < 5  # a browser on a busy machine; benchmarks/deletion.py measures
        browser.wait(lambda: "sinks at the pier" not in browser.html())
        assert browser.complaints() == []
    finally:
        browser.close()
