"""The operator's view in a real browser: sources, receipts of deletions, tenants; hidden from others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hubbub.posts import Deletion
from hubbub.server.app import create_app
from hubbub.server.keys import KeyRing
from hubbub.stream.counts import Counts
from hubbub.stream.report import Reporter
from hubbub.web.run import serve_in_thread
from tests.server.small_house import make_post
from tests.server.test_trends import open_town
from tests.trends.town import NOW_US

if TYPE_CHECKING:
    from tests.server.browser import Browser

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("width", "language"), [(1280, "en-GB"), (390, "de-DE")])
def test_the_operator_sees_how_the_house_is_doing(
    chromium: Browser, tmp_path: Path, width: int, language: str
) -> None:
    with open_town(tmp_path / "town") as town:
        town.archive.append([make_post(n, f"The ferry leaves pier {n}.") for n in range(7)])
        counts = Counts(num_lines=9, num_events=7)
        counts.note_dropped("likes")
        Reporter(town.archive.directory, "jetstream://platform.example", counts).tick(None)
        ring = KeyRing(tmp_path / "town")
        _, secret = ring.add("choir")
        app = create_app(
            town, archive=town.archive.directory, stamps=town.stamps, keys=ring, trending=town.trending
        )
        with serve_in_thread(app) as url:
            chromium.open(url + "/#house", width=width, language=language)
            chromium.wait(lambda: chromium.texts("#house-sources bdi") == ["jetstream://platform.example"])
            assert chromium.texts("#house-figures dd")[:2] == ["7", "7"]
            assert chromium.texts("#house-sources td")[5:7] == ["7", "1"]
            chromium.wait(lambda: "choir" in chromium.texts("#house-tenants bdi"))
            assert secret not in chromium.html() and not chromium.all("#house-tenants .trouble")
            ring.stop_all("answers")
            chromium.wait(lambda: len(chromium.texts("#house-tenants .trouble")) == 1)
            town.archive.append([Deletion(id=make_post(3, "").id, received_us=NOW_US)])
            chromium.wait(lambda: chromium.texts("#house-deletions bdi") == [make_post(3, "").id])
            assert chromium.run("return document.scrollingElement.scrollWidth") <= width
            assert chromium.worst_contrast() >= 4.5
            assert chromium.complaints() == []
            chromium.driver.get("about:blank")


def test_where_others_can_listen_it_hides_itself(chromium: Browser, tmp_path: Path) -> None:
    with open_town(tmp_path / "town") as town:
        ring = KeyRing(tmp_path / "town")
        ring.add("choir")
        with serve_in_thread(create_app(town, hosts=None, stamps=town.stamps, keys=ring)) as url:
            chromium.open(url + "/#house")
            chromium.wait(lambda: not chromium.one("#tab-house").is_displayed())
            chromium.wait(lambda: chromium.one("#ask").is_displayed())
            assert chromium.one("#tab-ask").get_attribute("aria-selected") == "true"
            chromium.complaints()
            chromium.driver.get("about:blank")
