"""The small parts that the connectors share: waits, the canary, places in a stream, addresses."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.errors import InvalidInput
from hubbub.stream.live.address import parse_address
from hubbub.stream.live.backoff import Backoff
from hubbub.stream.live.canary import LEAST_EVENTS, MISSED, Canary, num_overdue
from hubbub.stream.live.jetstream_position import OVERLAP_US, V1Position, V2Position
from hubbub.stream.live.link import Disconnected, Refused
from hubbub.stream.vitals import USUAL_S, Rate, Vitals

S = 1_000_000


def test_waits_double_with_chance_and_begin_anew_after_a_good_connection():
    backoff = Backoff(0.5, 60)
    waits = [backoff.wait_s(Disconnected("broken"), 0) for _ in range(10)]
    for number, wait_s in enumerate(waits):
        whole_s = min(60, 0.5 * 2**number)
        assert whole_s / 2 <= wait_s <= whole_s
    assert backoff.wait_s(Disconnected("broken"), 3600) <= 0.5
    assert backoff.wait_s(Refused("later", status=429, retry_s=77), 0) == 77


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
        assert vitals.state == ("silent" if vitals.silent else "live")
        silent |= {second} if vitals.silent == ["posts"] else set()
    assert silent == set(range(109, 350))
    assert len(alarms) >= 3
    assert all(later >= 1.5 * earlier for earlier, later in zip(alarms[1:], alarms[2:], strict=False))


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


@settings(max_examples=50, deadline=None)
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
    with pytest.raises(InvalidInput, match="wait"):
        parse_address("wss://h#wait=soon").seconds("wait", 1)
