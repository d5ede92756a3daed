"""Times, durations and sizes, read and printed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.errors import InvalidInput
from hubbub.units import format_bytes, format_time, parse_duration_us, parse_time_us, to_datetime


@pytest.mark.parametrize(
    ("text", "time_us"),
    [
        ("1970-01-01", 0),
        ("1970-01-01T00:00:01Z", 10**6),
        ("1970-01-01T01:00:00.000001+01:00", 1),
        ("1969-12-31T23:59:59Z", -(10**6)),
    ],
)
def test_times_are_microseconds_since_1970(text, time_us):
    assert parse_time_us(text) == time_us


@given(st.integers(-62_135_596_800, 253_402_300_799))
def test_printed_times_read_back(time_s):
    assert parse_time_us(format_time(time_s * 10**6)) == time_s * 10**6


@given(st.integers())
def test_absurd_times_are_clamped(time_us):
    assert 1 <= to_datetime(time_us).year <= 9999


@pytest.mark.parametrize(
    ("text", "us"), [("90s", 90 * 10**6), ("1.5h", 5400 * 10**6), ("2 d", 172_800 * 10**6)]
)
def test_durations(text, us):
    assert parse_duration_us(text) == us


@pytest.mark.parametrize("text", ["", "soon", "h", "-1h", "1 fortnight", "nan s"])
def test_what_is_no_duration_or_time_is_refused(text):
    with pytest.raises(InvalidInput):
        parse_duration_us(text)
    with pytest.raises(InvalidInput):
        parse_time_us(text)


def test_sizes():
    assert [format_bytes(n) for n in (0, 1023, 1536, 3 << 30)] == ["0 B", "1023 B", "1.5 KiB", "3.0 GiB"]
