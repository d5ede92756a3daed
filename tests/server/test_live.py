from __future__ import annotations

import time

import httpx2
import msgspec
import pytest

from hubbub.posts import AccountEvent, Edit
from hubbub.server.app import create_app
from hubbub.server.surface import Limits
from hubbub.web.run import serve_in_thread
from tests.patience import patient
from tests.server.reading import open_stream
from tests.server.small_house import SmallHouse, flood, make_post


def test_a_post_is_told_within_a_second(house: SmallHouse, url: str) -> None:
    with open_stream(url, "/api/live") as live:
        assert live.next()[0] == "status"
        start_s = time.monotonic()
        house.add(make_post(40, "The water has reached the market."))
        name, post = live.next("post", "left_out")
        assert time.monotonic() - start_s < patient(1.0)
    assert (name, post["text"]) == ("post", "The water has reached the market.")


def test_a_deletion_is_told_within_a_second_without_the_text(house: SmallHouse, url: str) -> None:
    with open_stream(url, "/api/live") as live:
        live.next("status")
        start_s = time.monotonic()
        house.delete("https://town.example/@author4/4")
        _, deletion = live.next("deletion")
        assert time.monotonic() - start_s < patient(1.0)
    assert deletion["id"] == "https://town.example/@author4/4"
    assert "broken" not in str(deletion)


def test_edits_and_accounts_are_told_without_texts(house: SmallHouse, url: str) -> None:
    post = flood()[0]
    with open_stream(url, "/api/live") as live:
        live.next("status")
        house.add(Edit(post=msgspec.structs.replace(post, text="New words."), replaces=post.id))
        assert live.next("edit")[1] == {"type": "edit", "post": post.id, "replaces": post.id}
        event = AccountEvent(author=post.author, status="removed", received_us=house.clock_us)
        house.add(event)
        assert live.next("account")[1] == msgspec.to_builtins(event)


def test_many_posts_are_sampled_and_the_rest_is_counted(house: SmallHouse) -> None:
    limits = Limits(posts_per_tick=2, tick_ms=300)
    with serve_in_thread(create_app(house, limits=limits)) as url, open_stream(url, "/api/live") as live:
        live.next("status")
        house.add(*(make_post(100 + n, f"Sandbag number {n} is in place.") for n in range(50)))
        num_shown = num_left_out = 0
        while num_shown + num_left_out < 50:
            name, data = live.next("post", "left_out")
            num_shown += name == "post"
            num_left_out += data["num_posts"] if name == "left_out" else 0
    assert num_shown + num_left_out == 50
    assert 2 <= num_shown <= 4  # one tick, or two if it fell between


def test_what_may_not_be_shown_never_arrives(house: SmallHouse, url: str) -> None:
    house.delete("https://town.example/@author60/60")
    house.add(AccountEvent(author="suspect", status="suspended", received_us=house.clock_us))
    with open_stream(url, "/api/live") as live:
        live.next("status")
        house.add(
            make_post(60, "A deleted post comes back."),
            make_post(61, "By a suspended author.", author="suspect"),
            make_post(62, "For followers only.", visibility="followers"),
            make_post(63, "For everybody."),
        )
        name, post = live.next("post", "left_out")
        assert (name, post["text"]) == ("post", "For everybody.")


def test_an_endless_post_does_not_flood_the_readers(house: SmallHouse, url: str) -> None:
    with open_stream(url, "/api/live") as live:
        live.next("status")
        house.add(make_post(70, "\U0001f30a" * 50_000))
        assert live.next("post")[1]["text"] == "\U0001f30a" * 2_000


def test_a_reader_that_falls_behind_is_cut_off(house: SmallHouse) -> None:
    """A stream may leave out posts but no change: who cannot keep up must come again."""
    limits = Limits(max_buffered=4, send_timeout_s=60)
    with serve_in_thread(create_app(house, limits=limits)) as url, open_stream(url, "/api/live") as live:
        live.next("status")
        deadline_s = time.monotonic() + 20
        while _num_slow(url) == 0:
            assert time.monotonic() < deadline_s
            house.add(AccountEvent(author="a" * 500_000, status="restored", received_us=house.clock_us))
        with pytest.raises((EOFError, httpx2.RemoteProtocolError)):
            while True:
                live.next()


def _num_slow(url: str) -> int:
    return int(httpx2.get(url + "/api/status", trust_env=False).json()["server"]["num_slow_dropped"])
