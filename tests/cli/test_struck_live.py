"""Two processes and a browser: a platform, `hubbub serve` following it, and somebody who reads."""

import time

import pytest

from hubbub.server.remote import read_address
from tests.cli.test_status import serving  # noqa: F401  a fixture
from tests.patience import patient

pytestmark = pytest.mark.browser


def test_the_page_strikes_a_quote_out_when_its_post_dies_on_the_platform(serving, chromium):  # noqa: F811
    fake, data = serving
    chromium.open(read_address(data).url)
    fake.post("did:plc:anna", "k1", "The ferry to Hollin sinks at the pier, everybody is safe.", langs=["en"])
    fake.post("did:plc:omar", "k2", "The harbour office has closed the pier of the ferry.", langs=["en"])
    chromium.wait(lambda: len(chromium.all("#stream > li")) == 2)
    chromium.ask("What is happening with the ferry to Hollin?")
    assert "sinks at the pier" in "".join(chromium.texts(".sentence"))
    start_s = time.monotonic()
    fake.delete("did:plc:anna", "k1")
    chromium.wait(lambda: chromium.all(".sentence.withdrawn .struck, .sentence .withdrawn .struck"))
    assert time.monotonic() - start_s < patient(
        5
    )  # a browser on a busy machine; benchmarks/deletion.py measures
    chromium.wait(lambda: "sinks at the pier" not in chromium.html())
    assert chromium.complaints() == []
    chromium.driver.get("about:blank")
