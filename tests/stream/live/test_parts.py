"""The small parts that the connectors share: waits, the canary, places in a stream, addresses."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.errors import InvalidInput
from hubbub.stream.live.address import parse_address
from hubbub.stream.live.backoff import Backoff
from hubbub.stream.live.canary import LEAST_EVENTS, MISSED, Canary, num_overdue
from hubbub.stream.live.http_stream import HttpStream
from hubbub.stream.live.jetstream_position import OVERLAP_US, V1Position, V2Position
from hubbub.stream.live.link import Disconnected, Link, Refused
from hubbub.stream.live.sse import SseEvents
from hubbub.stream.live.websocket import read_retry_s
from hubbub.stream.vitals import USUAL_S, Rate, Vitals
from tests.platforms.wire import FakeServer

S = 1_000_000


def test_an_event_without_a_name_does_not_spoil_the_next():
    class Server(FakeServer):
        def serve(self, peer):
            peer.read_request()
            peer.begin_lines("text/event-stream")
            peer.send_chunk(b"data: nameless\n\n: beat\nevent: delete\ndata: 17\n\n")
            self.is_over.wait(10)

    with Server() as server:
        link = Link("127.0.0.1", server.port, is_tls=False)
        with SseEvents(HttpStream(link, "h", "/", {})) as events:
            assert events.receive(5) == [b'{"event":"delete","payload":"17"}']


def test_waits_double_with_chance_and_begin_anew_after_a_good_connection():
    backoff = Backoff(0.5, 60)
    waits = [backoff.wait_s(Disconnected("broken"), 0) for _ in range(10)]
    for number, wait_s in enumerate(waits):
        whole_s = min(60, 0.5 * 2**number)
        assert whole_s / 2 <= wait_s <= whole_s
    assert backoff.wait_s(Disconnected("broken"), 3600) <= 0.5
    assert backoff.wait_s(Refused("later", status=429, retry_s=77), 0) == 77
    assert read_retry_s("99999999") == 3600, "a platform may not send us away for years"
    assert [read_retry_s(value) for value in ("77", "soon", None)] == [77, None, None]


def rate_after(per_s, seconds):
    rate = Rate()
    for second in range(seconds):
        rate.update(per_s, 1.0, (second + 1) * S)
    return rate


def test_a_silent_collection_is_noticed_and_a_quiet_one_is_not():
    busy = rate_after(50, 600)
    assert busy.usual_per_s == pytest.approx(50)
    assert num_overdue(busy, 600 * S + 9 * S) == 0, "too short to tell"
    assert num_overdue(busy, 600 * S + 11 * S) > MISSED
    quiet = rate_after(1, 60)
    assert quiet.number < LEAST_EVENTS
    assert num_overdue(quiet, 100_000 * S) == 0, "too few have come to know what is usual"
    slow = rate_after(1, 3 * int(USUAL_S))
    assert num_overdue(slow, slow.last_us + 25 * S) < MISSED < num_overdue(slow, slow.last_us + 35 * S)


def test_the_canary_asks_for_a_new_connection_ever_more_rarely_until_something_comes():
    time_us, vitals, alarms, silent = [0], Vitals(), [], set()
    vitals.enter("live", 0)
    canary = Canary(vitals, lambda: time_us[0])
    for second in range(1, 356):
        time_us[0] = second * S
        for _ in range(10 if second < 100 or second == 350 else 0):
            canary.count("posts")
        canary.count("likes")
        try:
            canary.check()
        except Disconnected as error:
            assert "posts" in str(error) and "likes" not in str(error)
            alarms.append(second - 99)
        assert vitals.state == ("silent" if vitals.silent else "thin" if vitals.thin else "live")
        silent |= {second} if vitals.silent == ["posts"] else set()
    assert silent == set(range(109, 350))
    assert len(alarms) >= 3
    assert all(later >= 1.5 * earlier for earlier, later in zip(alarms[1:], alarms[2:], strict=False))


def watch(rates, seconds, state="live"):
    """Run a canary over rates (events a second by kind, at a second); tell when each kind was in trouble."""
    rng, time_us, vitals, trouble = random.Random(7), [0], Vitals(), {}
    canary = Canary(vitals, lambda: time_us[0])
    vitals.enter(state, 0)
    for second in range(1, seconds):
        time_us[0] = second * S
        for kind, per_s in rates(second).items():
            number = per_s + math.sqrt(per_s) * rng.gauss(0, 1) if per_s > 20 else _poisson(rng, per_s)
            for _ in range(max(0, round(number))):
                canary.count(kind)
        canary.look()
        for kind in (*vitals.silent, *vitals.thin):
            trouble.setdefault(kind, []).append(second)
    return trouble


def _poisson(rng, mean):
    number, product = 0, rng.random()
    while product > math.exp(-mean):
        number, product = number + 1, product * rng.random()
    return number


HOUR = 3600
FEEDS = {
    "steady": lambda s: {"posts": 40, "posts delete": 5},
    "a night's dip to a fifth": lambda s: {"posts": 25 * (0.6 + 0.4 * math.cos(2 * math.pi * s / 10 / HOUR))},
    "slow": lambda s: {"posts": 0.02, "posts delete": 0.003},
    "a tenfold burst of ten minutes": lambda s: {"posts": 200 if HOUR < s < HOUR + 600 else 20},
    "deletions in bursts": lambda s: {"posts delete": 100 if s % 1200 > 1190 else 0.1},
    "growing": lambda s: {"posts": 0.5 + s / 300},
}


@pytest.mark.parametrize("name", FEEDS)
def test_no_alarm_for(name):
    assert watch(FEEDS[name], 4 * HOUR) == {}


def test_one_collection_that_stops_is_noticed_and_its_return_too():
    trouble = watch(lambda s: {"posts": 40, "posts delete": 0 if 1000 < s < 1500 else 4}, 2000)
    assert trouble.keys() == {"posts delete"}
    assert trouble["posts delete"][0] <= 1012
    assert trouble["posts delete"][-1] < 1600


def test_a_server_that_sends_a_tenth_is_noticed_for_hours_and_recovery_ends_it():
    trouble = watch(lambda s: {"posts": 3 if HOUR < s < 4 * HOUR else 30, "likes": 50}, 5 * HOUR)
    assert trouble.keys() == {"posts"}
    first, last = trouble["posts"][0], trouble["posts"][-1]
    assert HOUR + 60 < first < HOUR + 300
    assert 4 * HOUR <= last < 4 * HOUR + 120
    assert trouble["posts"] == list(range(first, last + 1)), "it does not flicker"


def test_a_replay_is_not_what_is_usual():
    assert watch(lambda s: {"posts": 300 if s < 120 else 10}, 900, "catching up") == {}
    time_us, vitals = [0], Vitals()
    canary = Canary(vitals, lambda: time_us[0])
    for second in range(1, 600):
        time_us[0] = second * S
        vitals.enter("catching up" if second < 120 else "live", 0)
        for _ in range(1000 if second < 120 else 10):
            canary.count("posts")
        assert canary.look() == []
    assert vitals.rates["posts"].usual_per_s == pytest.approx(10, rel=0.1)


def test_what_did_not_come_while_there_was_no_connection_is_not_missed():
    time_us, vitals = [0], Vitals()
    canary = Canary(vitals, lambda: time_us[0])
    vitals.enter("live", 0)
    for second in range(1, 600):
        time_us[0] = second * S
        for _ in range(2):
            canary.count("posts")
        assert canary.look() == []
    time_us[0] += 3600 * S
    canary.resume()
    time_us[0] += S
    assert canary.look() == []
    assert vitals.rates["posts"].recent_per_s > 1.9


def test_a_rate_follows_what_comes():
    rate = rate_after(100, 300)
    for second in range(120):
        rate.update(0, 1.0, (300 + second) * S)
    assert rate.recent_per_s < 20 < 65 < rate.usual_per_s < 75


def test_an_event_that_jumps_ahead_does_not_move_the_place():
    position = V1Position("1000000000")
    for number in range(100):
        position.note(1_000_000_000 + number)
    position.note(9_000_000_000)
    resumed = V1Position(position.cursor())
    assert resumed.resume_us < 1_000_000_100
    assert resumed.has_seen(9_000_000_000)
    assert int(resumed.query()["cursor"]) == resumed.resume_us - OVERLAP_US


def test_a_clock_that_was_set_back_is_followed():
    position = V1Position(None)
    for number in range(100):
        position.note(5_000_000_000 + number)
    position.cursor()
    for number in range(100):
        position.note(1_000_000_000 + number)
    assert V1Position(position.cursor()).resume_us < 1_000_000_100


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(1, 2**50), st.booleans()), unique_by=lambda e: e[0], max_size=150))
def test_what_was_noted_is_known_after_a_restart(events):
    position = V1Position("1")
    events = [(time_us, str(time_us).encode() if is_change else None) for time_us, is_change in events]
    for time_us, change in events:
        position.note(time_us, change)
    resumed = V1Position(position.cursor())
    assert resumed.cursor() == position.cursor()
    for time_us, change in events:
        assert resumed.has_seen(time_us, change) is not False
    assert resumed.has_seen(2**50 + 1) is False


def test_version_2_asks_by_time_where_it_knows_no_seq():
    position = V2Position(None)
    position.begin(1_800_000_000_000_000)
    assert position.query() == {"cursor": "1799999940000000"}
    position = V2Position("17@1800000000000000")
    assert position.query() == {"cursor": "17"}
    position.is_by_time = True
    assert position.query() == {"cursor": "1800000000000000"}


@pytest.mark.parametrize("cursor", ["x", "1/y", "1/2/3", "-5", "1@x", "1/2/3+", "\u0661"])
def test_a_foreign_cursor_is_refused(cursor):
    with pytest.raises(InvalidInput, match="cursor"):
        (V2Position if "@" in cursor else V1Position)(cursor)


def test_an_address_is_taken_apart():
    address = parse_address("wss://host.example/subscribe?wantedDids=did:plc:a&cursor=5#deflate&wait=2")
    assert (address.start, address.options) == ("5", {"deflate": "", "wait": "2"})
    assert address.identity == "host.example/subscribe?wantedDids=did:plc:a"
    assert address.seconds("wait", 1) == 2
    for wrong in ("wss://noor:secret@host.example", "ws://host.example", "wss://host:port"):
        with pytest.raises(InvalidInput):
            parse_address(wrong)
    for wrong, told in (
        ("mastodon+http://town.example", "mastodon://"),
        ("ws://h.example", "wss://"),
        ("mastodon://?stream=public", "no host"),
        ("wss:///subscribe", "no host"),
    ):
        with pytest.raises(InvalidInput, match=told):
            parse_address(wrong)
    with pytest.raises(InvalidInput, match="wait"):
        parse_address("wss://h#wait=soon").seconds("wait", 1)
