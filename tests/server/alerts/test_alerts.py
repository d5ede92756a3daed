"""Standing questions over the real protocol: what is new is told, once, and taken back when it dies."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import anyio
import httpx2
import pytest

from hubbub.posts import AccountEvent, Post
from hubbub.server.alerts.standing import Standing
from hubbub.server.alerts.watching import RESUME_S, Alerts
from hubbub.server.app import create_app
from hubbub.server.desk import Desk
from hubbub.server.surface import Limits
from hubbub.web.run import serve_in_thread
from tests.patience import patient
from tests.server.reading import Stream, open_stream
from tests.server.small_house import SmallHouse, make_post

QUESTION = "What is new about the ferry?"
FIRE = (
    "The ferry Anneliese is on fire off Hollin, smoke over the harbour.",
    "Fire on the ferry Anneliese near Hollin, people are jumping into the water.",
    "Ferry Anneliese burning off Hollin! Coast guard boats on their way.",
)
QUIET_S = 1.5
"""Three times as long as an alert takes."""


def say(number: int, *texts: str, **fields: object) -> list[Post]:
    return [make_post(number + n, text, **fields) for n, text in enumerate(texts)]


def is_quiet(stream: Stream, house: SmallHouse, number: int) -> bool:
    """Tell something that is certainly new, and see that nothing came before it."""
    time.sleep(QUIET_S)
    house.add(*say(number, *FIRE))
    _, alert = stream.next("alert")
    return "Anneliese" in alert["sentence"]["text"]


@pytest.fixture
def alerts(house: SmallHouse, url: str) -> Iterator[Stream]:
    house.add(*say(20, "The ferry runs every hour until six.", "Ferry leaves on time today, nice weather."))
    with open_stream(url, "/v1/alerts", q=QUESTION, novelty="low") as stream:
        yield stream


def test_what_several_voices_say_anew_is_told_and_quoted_to_the_letter(
    house: SmallHouse, alerts: Stream
) -> None:
    _, started = alerts.next("started")
    assert (started["query"], started["novelty"], started["min_voices"]) == (QUESTION, "low", 2)
    assert started["num_known"] >= 1 and not started["is_resumed"]
    start_s = time.monotonic()
    house.add(*say(100, *FIRE))
    _, alert = alerts.next("alert")
    assert time.monotonic() - start_s < patient(3.0)
    sentence = alert["sentence"]
    living = house.index.fetch([quote["post"] for quote in sentence["citations"]])
    assert len(living) >= 2 and sentence["num_voices"] >= 2 and alert["kind"] == "new"
    for quote in sentence["citations"]:
        assert living[quote["post"]].text[quote["start"] : quote["end"]] == quote["quote"]
    assert sentence["citations"][0]["quote"].rstrip(".!") in sentence["text"]


@pytest.mark.parametrize("path", ["/api/alerts", "/v1/alerts"])
def test_an_alert_is_taken_back_within_a_second_of_a_deletion(house: SmallHouse, url: str, path: str) -> None:
    with open_stream(url, path, q=QUESTION, novelty="low") as alerts:
        alerts.next("started")
        house.add(*say(100, *FIRE))
        sentence = alerts.next("alert")[1]["sentence"]
        start_s = time.monotonic()
        house.delete(sentence["citations"][1]["post"])
        _, fallen = alerts.next("retraction")
        assert time.monotonic() - start_s < patient(1.0)
        assert (fallen["sentence"], fallen["post"]) == (sentence["id"], sentence["citations"][1]["post"])
        assert "Anneliese" not in str(fallen)


def test_who_is_suspended_takes_the_alert_along(house: SmallHouse, alerts: Stream) -> None:
    alerts.next("started")
    house.add(*say(100, *FIRE))
    sentence = alerts.next("alert")[1]["sentence"]
    quote = sentence["citations"][0]
    house.add(AccountEvent(author=quote["author"], status="suspended", received_us=house.clock_us))
    _, fallen = alerts.next("retraction")
    assert (fallen["sentence"], fallen["post"]) == (sentence["id"], quote["post"])


def test_one_loud_account_makes_no_alert(house: SmallHouse, alerts: Stream) -> None:
    alerts.next("started")
    shouted = "The ferry sinks tonight, the captain has left the bridge {} times already."
    house.add(*say(50, *(shouted.format(n) for n in range(6)), author="https://town.example/@loud"))
    house.add(*say(60, "The ferry has sunk in the night!", author="https://town.example/@loud"))
    assert is_quiet(alerts, house, 100)


def test_a_storm_of_copies_makes_no_alert(house: SmallHouse, alerts: Stream) -> None:
    alerts.next("started")
    house.add(*say(50, *["Share this: the ferry company pays back every ticket of last year!"] * 9))
    house.add(*say(60, *["The ferry company pays back every ticket."] * 5, repost_of="x://status/1"))
    assert is_quiet(alerts, house, 100)


def test_programs_make_no_alert(house: SmallHouse, alerts: Stream) -> None:
    alerts.next("started")
    house.add(*say(50, "Ferry delayed by twenty minutes.", "The ferry is delayed 20 minutes.", is_bot=True))
    assert is_quiet(alerts, house, 100)


def test_what_was_known_at_the_start_is_not_told(house: SmallHouse, url: str) -> None:
    house.add(*say(20, *FIRE))
    with open_stream(url, "/v1/alerts", q=QUESTION, novelty="low") as alerts:
        alerts.next("started")
        house.add(*say(50, "The ferry Anneliese is on fire off Hollin!", "Fire on the ferry Anneliese."))
        time.sleep(QUIET_S)
        house.add(*say(60, "The ferry captain was rescued by helicopter and taken to Marrowick hospital."))
        house.add(*say(61, "Helicopter rescued the ferry captain, he is in Marrowick hospital now."))
        assert "captain" in alerts.next("alert")[1]["sentence"]["text"]


def test_the_same_in_other_words_is_told_once_and_other_figures_again(
    house: SmallHouse, alerts: Stream
) -> None:
    alerts.next("started")
    house.add(
        *say(
            100, "Ferry fire: 3 people injured at the harbour.", "3 injured in the ferry fire at the harbour"
        )
    )
    assert alerts.next("alert")[1]["kind"] == "new"
    house.add(
        *say(110, "At the harbour 3 people are injured by the ferry fire.", "Ferry fire, 3 injured, harbour")
    )
    time.sleep(QUIET_S)
    house.add(
        *say(
            120,
            "Ferry fire: now 9 people injured at the harbour.",
            "9 injured in the ferry fire, harbour says",
        )
    )
    _, alert = alerts.next("alert")
    assert alert["kind"] == "figures" and "9" in alert["sentence"]["text"]


def test_the_query_syntax_binds(house: SmallHouse, url: str) -> None:
    with open_stream(url, "/v1/alerts", q='ferry lang:de -"in flammen"', novelty="low") as alerts:
        alerts.next("started")
        house.add(*say(100, *FIRE))
        house.add(*say(110, "Die Ferry Anneliese steht in Flammen vor Hollin.", langs=["de"]))
        house.add(*say(111, "Ferry Anneliese in Flammen, Hollin sieht den Rauch.", langs=["de"]))
        time.sleep(QUIET_S)
        house.add(*say(120, "Ferry Anneliese nach Kiel geschleppt, niemand verletzt.", langs=["de"]))
        house.add(*say(121, "Die Ferry Anneliese wurde nach Kiel geschleppt.", langs=["de"]))
        assert "Kiel" in alerts.next("alert")[1]["sentence"]["text"]


def test_of_an_author_who_is_asked_for_one_voice_is_enough(house: SmallHouse, url: str) -> None:
    with open_stream(url, "/v1/alerts", q="from:author77", novelty="high") as alerts:
        assert alerts.next("started")[1]["min_voices"] == 1
        house.add(*say(70, "The mayor opens the new library on Friday at ten.", "Nobody asked me about it."))
        house.add(*say(77, "The harbour will be closed to all ships from midnight on."))
        assert "harbour" in alerts.next("alert")[1]["sentence"]["text"]


def test_who_comes_again_gets_what_was_missed(house: SmallHouse, url: str) -> None:
    with httpx2.Client(base_url=url, timeout=10, trust_env=False) as client:
        params = {"q": QUESTION, "novelty": "low"}
        with client.stream("GET", "/v1/alerts", params=params) as response:
            lines = response.iter_lines()
            assert next(lines) == "event: started"
            house.add(*say(100, *FIRE))
            event_id = next(line[4:] for line in lines if line.startswith("id: "))
            first = json.loads(next(line[6:] for line in lines if line.startswith("data: ")))
        house.add(*say(200, "The ferry captain was rescued by helicopter and is in Marrowick hospital."))
        house.add(*say(201, "Helicopter rescued the ferry captain, he is in Marrowick hospital now."))
        house.delete(first["sentence"]["citations"][0]["post"])
        time.sleep(QUIET_S)
        with client.stream(
            "GET", "/v1/alerts", params=params, headers={"Last-Event-ID": event_id}
        ) as response:
            again = Stream(response)
            assert again.next("started")[1]["is_resumed"]
            assert again.next()[1]["sentence"] == first["sentence"]["id"]
            name, missed = again.next()
            assert name == "alert" and "captain" in missed["sentence"]["text"]


def test_a_foreign_event_id_begins_anew(url: str) -> None:
    with httpx2.Client(base_url=url, timeout=10, trust_env=False) as client:
        head = {"Last-Event-ID": "00000000-7"}
        with client.stream("GET", "/v1/alerts", params={"q": "ferry"}, headers=head) as response:
            assert not Stream(response).next("started")[1]["is_resumed"]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"q": ""}, "invalid_query"),
        ({"q": "what is new?"}, "invalid_query"),
        ({"q": "ferry since:teatime"}, "invalid_query"),
        ({"q": "ferry", "novelty": "shocking"}, "invalid_novelty"),
        ({"q": "ferry " * 1000}, "too_long"),
    ],
)
def test_bad_parameters_are_named(reader: httpx2.Client, params: dict[str, str], code: str) -> None:
    answer = reader.get("/v1/alerts", params=params)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_an_empty_house_waits_for_its_first_posts(tmp_path) -> None:
    house = SmallHouse(tmp_path)
    with serve_in_thread(create_app(house)) as url, open_stream(url, "/v1/alerts", q="the ferry") as alerts:
        assert alerts.next("started")[1]["num_known"] == 0
        house.add(*say(1, *FIRE))
        assert alerts.next("alert")[1]["sentence"]["num_voices"] == 3
    house.close()


def test_a_question_that_is_about_to_be_read_again_is_not_let_go(house: SmallHouse) -> None:
    async def run() -> None:
        alerts = Alerts(Desk(house, Limits()))
        channel = alerts._open(("-", QUESTION, "low", False), Standing(QUESTION, house.now_us(), house.index))
        channel._left_s -= RESUME_S + 1
        async with channel.learning:  # where a reader is who has found it and has not joined yet
            alerts._close_idle()
            assert alerts.channels() == [channel]
        alerts._close_idle()
        assert alerts.channels() == []

    anyio.run(run)
