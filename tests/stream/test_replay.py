"""Replays: in order of the recorded times, at the asked speed, under a clock that the rest can ask."""

import json
import math
import threading
import time

import pytest

from hubbub.errors import InvalidInput
from hubbub.stream import Counts, ReplayClock, ReplaySource, follow, open_archive
from hubbub.units import US_PER_S, parse_time_us

NOON_US = parse_time_us("2011-01-28T12:00:00Z")


def record(path, *seconds):
    """Write one post for each second after noon (None: without a time)."""
    rows = []
    for second in seconds:
        row = {"id": str(second), "text": f"at {second}"}
        if second is not None:
            row["created_at"] = (NOON_US + second * US_PER_S) / US_PER_S
        rows.append(json.dumps(row))
    path.write_text("\n".join(rows))
    return str(path)


def times(archive):
    return [(event.received_us - NOON_US) / US_PER_S for _, event in archive.read()]


def test_recorded_times_stand_for_the_times_of_receipt_in_order(tmp_path):
    path = record(tmp_path / "posts.ndjson", 30, 10, 20)
    with open_archive(tmp_path / "archive") as archive:
        source = ReplaySource(path)
        assert source.clock.now_us() == 0
        counts = follow(source, archive)
        assert times(archive) == [10, 20, 30]
        assert counts.num_events == 3
        assert 0 <= source.clock.now_us() - NOON_US - 30 * US_PER_S < 10 * US_PER_S


def test_a_replay_takes_as_long_as_its_speed_says(tmp_path):
    path = record(tmp_path / "posts.ndjson", 0, 10, 20, 30)
    seen = []
    with open_archive(tmp_path / "archive") as archive:
        source = ReplaySource(path, speed=100)
        began = time.monotonic()
        follow(source, archive, on_progress=lambda c: seen.append((archive.last_seq, source.clock.now_us())))
        assert 0.28 <= time.monotonic() - began < 5
    for last_seq, now_us in seen:
        # Nothing is played before its time, but for the 20 ms that batches may travel together.
        assert now_us + 0.02 * 100 * US_PER_S >= NOON_US + (last_seq - 1) * 10 * US_PER_S


def test_bounds_and_going_on_after_a_break(tmp_path):
    path = record(tmp_path / "posts.ndjson", *range(0, 100, 10))
    from_us, until_us = NOON_US + 20 * US_PER_S, NOON_US + 60 * US_PER_S
    with open_archive(tmp_path / "archive") as archive:
        stop = threading.Event()
        source = ReplaySource(path, from_us=from_us, until_us=until_us)
        follow(source, archive, batch=2, stop=stop, on_progress=lambda counts: stop.set())
        assert times(archive) == [20, 30]
        follow(ReplaySource(path, from_us=from_us, until_us=until_us), archive)
        assert times(archive) == [20, 30, 40, 50]
        follow(ReplaySource(path), archive)
        assert times(archive) == list(range(20, 100, 10))
        follow(ReplaySource(path), archive)
        assert len(times(archive)) == 8


def test_posts_without_a_time_come_with_the_first_that_has_one(tmp_path):
    path = record(tmp_path / "posts.ndjson", None, 20, 30)
    with open_archive(tmp_path / "archive") as archive:
        follow(ReplaySource(path), archive)
        assert times(archive) == [20, 20, 30]


def test_stopping_ends_the_waiting(tmp_path):
    path = record(tmp_path / "posts.ndjson", 0, 100_000)
    stop = threading.Event()
    with open_archive(tmp_path / "archive") as archive:
        thread = threading.Thread(
            target=follow, args=(ReplaySource(path, speed=1), archive), kwargs={"stop": stop}
        )
        thread.start()
        assert archive.wait(0, 10)
        stop.set()
        thread.join(5)
        assert not thread.is_alive()
        assert times(archive) == [0]


def test_the_clock_runs_at_its_speed_and_then_at_ours():
    clock = ReplayClock(1000, start_us=NOON_US)
    assert clock.now_us() == NOON_US
    time.sleep(0.01)
    assert clock.now_us() == NOON_US
    clock.start(NOON_US)
    time.sleep(0.02)
    first = clock.now_us()
    assert first >= NOON_US + 20 * US_PER_S
    assert 0 < clock.seconds_until(clock.now_us() + 500 * US_PER_S) <= 0.5
    clock.begin(0)
    assert clock.now_us() >= first
    clock.finish()
    at_end = clock.now_us()
    time.sleep(0.02)
    assert 20_000 <= clock.now_us() - at_end < 10 * US_PER_S


def test_sources_share_a_clock():
    clock = ReplayClock(1000)
    clock.begin(NOON_US)
    clock.begin(NOON_US - US_PER_S)
    clock.finish()
    before = clock.now_us()
    assert before >= NOON_US
    time.sleep(0.02)
    assert clock.now_us() - before >= 20 * US_PER_S


def test_a_speed_must_be_above_zero():
    for speed in (0, -1, math.nan):
        with pytest.raises(InvalidInput, match="speed"):
            ReplayClock(speed)


def test_a_file_that_was_replaced_by_a_shorter_one_has_nothing_more_to_play(tmp_path):
    source = ReplaySource(record(tmp_path / "posts", 1, 2))
    assert list(source.batches("1000", size=10, counts=Counts(), stop=threading.Event())) == []
