"""The whole path: an event is appended to the archive, and the page's streams tell of it."""

from __future__ import annotations

import time
from pathlib import Path

from hubbub.config import Config
from hubbub.posts import Deletion
from hubbub.server.app import create_app
from hubbub.server.house import House
from hubbub.web.run import serve_in_thread
from tests.patience import patient
from tests.server.reading import open_stream
from tests.server.small_house import flood, make_post


def test_from_archive_to_page_and_back_within_a_second(tmp_path: Path) -> None:
    config = Config(data=str(tmp_path / "town"), index="sqlite", embedder="none")
    with House(config, is_writer=True) as house, serve_in_thread(create_app(house)) as url:
        house.archive.append(flood())
        assert house.wait_until_folded(house.archive.last_seq, timeout_s=5)
        question = {"q": "Where is the school gym open?", "clock": str(flood()[-1].received_us)}
        with open_stream(url, "/api/live") as live, open_stream(url, "/api/ask", **question) as stream:
            live.next("status")
            sentences = [data["sentence"] for name, data in stream.until("done") if name == "sentence"]
            post = sentences[0]["citations"][0]["post"]
            start_s = time.monotonic()
            house.archive.append([make_post(40, "The water has reached the market.")])
            texts = iter(lambda: live.next("post")[1]["text"], "The water has reached the market.")
            assert len(list(texts)) <= 2  # those of the tick in which we began to listen
            house.archive.append([Deletion(id=post, received_us=1)])
            assert live.next("deletion")[1]["id"] == post
            assert stream.next("retraction")[1] == {"type": "retraction", "sentence": 0, "post": post}
            assert time.monotonic() - start_s < patient(2.0)
