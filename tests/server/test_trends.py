"""Trends of a whole house: over HTTP, through a restart, and gone with their posts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import msgspec
import pytest

from hubbub.config import Config
from hubbub.errors import InvalidInput
from hubbub.posts import ConsentEvent, Deletion
from hubbub.server.app import create_app
from hubbub.server.house import House
from hubbub.server.remote import RemoteHouse
from hubbub.trends import Story
from hubbub.units import US_PER_HOUR, format_time
from hubbub.web.run import serve_in_thread
from tests.server.small_house import SmallHouse
from tests.trends.town import MINUTE_US, NOW_US, chatter, fire, say


def open_town(directory: Path) -> House:
    house = House(
        Config(data=str(directory), index="sqlite", embedder="none"), is_writer=True, clock=lambda: NOW_US
    )
    house.trending.start()
    return house


def settle(house: House) -> None:
    """Wait until all that was archived is found, and counted among the trends."""
    last_seq, end_s = house.archive.last_seq, time.monotonic() + 20
    assert house.wait_until_folded(last_seq, timeout_s=20)
    while house.trending.is_behind(last_seq):
        assert time.monotonic() < end_s
        time.sleep(0.01)


def tell_and_close(tmp_path: Path) -> list[Story]:
    with open_town(tmp_path / "town") as house:
        house.archive.append([*chatter(), *fire()])
        settle(house)
        return house.trends(24, 10)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[House]:
    with open_town(tmp_path / "town") as house:
        house.archive.append([*chatter(), *fire()])
        settle(house)
        yield house


@pytest.fixture
def address(town: House) -> Iterator[str]:
    with serve_in_thread(create_app(town, trending=town.trending)) as url:
        yield url


def get(url: str, path: str = "/v1/trends", **params: object) -> httpx2.Response:
    return httpx2.get(f"{url}{path}", params=params, trust_env=False)


def test_a_trend_quotes_a_living_post_to_the_letter(town: House, address: str) -> None:
    for path in ("/api/trends", "/v1/trends"):
        answer = get(address, path).json()
        (story,) = answer["trends"]
        assert answer["is_complete"]
        head = story["headline"]
        living = town.index.fetch([head["post"], *story["more"]])
        assert len(living) == 6
        assert living[head["post"]].text[head["start"] : head["end"]] == head["quote"]
        assert (story["label"], story["num_voices"]) == ("paper mill", 8)


def test_a_deleted_headline_is_replaced_and_a_dead_trend_gone(town: House, address: str) -> None:
    first = get(address).json()["trends"][0]["headline"]["post"]
    rest = [post.id for post in fire() if post.id != first]

    def delete(*posts: str) -> str:
        town.archive.append([Deletion(id=post, received_us=NOW_US) for post in posts])
        settle(town)
        return get(address).text

    assert first not in delete(first)
    assert "paper mill" not in delete(*rest[:3])


def test_who_is_hidden_after_a_count_is_never_quoted(town: House, address: str) -> None:
    author = get(address).json()["trends"][0]["headline"]["author"]
    event = ConsentEvent(author=author, scope="show", allow=False, received_us=NOW_US)
    town.archive.append([event])
    settle(town)
    assert author not in get(address).text


def test_who_refuses_prompts_makes_room_under_v1(town: House, address: str) -> None:
    head = get(address).json()["trends"][0]["headline"]
    event = ConsentEvent(author=head["author"], scope="prompt", allow=False, received_us=NOW_US)
    town.archive.append([event])
    settle(town)
    (story,) = get(address).json()["trends"]
    assert story["label"] == "paper mill" and head["post"] not in str(story)
    for shown in (get(address, "/api/trends"), get(address, **{"for": "display"})):
        assert head["post"] in shown.text


def test_after_a_restart_the_same_is_rising(tmp_path: Path) -> None:
    before = tell_and_close(tmp_path)
    with open_town(tmp_path / "town") as again:
        settle(again)
        assert again.trends(24, 10) == before != []


def test_a_house_that_does_not_serve_tells_the_same(tmp_path: Path) -> None:
    before = tell_and_close(tmp_path)
    config = Config(data=str(tmp_path / "town"), index="sqlite", embedder="none")
    with House(config, clock=lambda: NOW_US) as reader:
        assert reader.trends(24, 10) == before
        assert reader.trends(24, 10, NOW_US - 60 * MINUTE_US) == []


def test_the_remote_house_tells_the_same(town: House, address: str) -> None:
    with RemoteHouse(address) as remote:
        assert remote.trends(24, 10) == town.trends(24, 10)
        assert remote.trends(24, 10, NOW_US - 60 * MINUTE_US) == []
        with pytest.raises(InvalidInput, match="two days"):
            remote.trends(24, 10, NOW_US - 50 * US_PER_HOUR)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"hours": "many"}, "invalid_hours"),
        ({"hours": "0"}, "invalid_hours"),
        ({"hours": "nan"}, "invalid_hours"),
        ({"limit": "0"}, "invalid_limit"),
        ({"limit": "51"}, "invalid_limit"),
        ({"at": "teatime"}, "invalid_time"),
        ({"at": format_time(NOW_US - 60 * US_PER_HOUR)}, "invalid_time"),
    ],
)
def test_bad_parameters_are_named(address: str, params: dict[str, str], code: str) -> None:
    answer = get(address, **params)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_a_house_without_trends_says_so(house: SmallHouse, url: str) -> None:
    answer = get(url).json()
    assert (answer["trends"], answer["is_complete"]) == ([], False)


def test_an_empty_house_has_no_trends(tmp_path: Path) -> None:
    with open_town(tmp_path / "empty") as house:
        assert house.trends(24, 10) == []
        house.archive.append([say("only", "hello")])
        assert house.wait_until_folded(1, timeout_s=5)
        assert house.trends(24, 10) == []


def test_a_headline_has_no_link_that_an_answer_would_not_have(tmp_path: Path) -> None:
    with open_town(tmp_path / "town") as house:
        traps = [msgspec.structs.replace(post, url="javascript:alert(1)") for post in fire()]
        house.archive.append([*chatter(), *traps])
        settle(house)
        (story,) = house.trends(24, 10)
    assert story.headline.url is None
