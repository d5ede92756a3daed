import pytest

from hubbub.assistant.timewords import find_window
from hubbub.units import format_time, parse_time_us

FRIDAY = parse_time_us("2011-01-28T18:30:00Z")


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("what happened today", "2011-01-28T00:00:00Z", None),
        ("what happened yesterday", "2011-01-27T00:00:00Z", "2011-01-28T00:00:00Z"),
        ("what happened since Monday", "2011-01-24T00:00:00Z", None),
        ("what happened on Tuesday", "2011-01-25T00:00:00Z", "2011-01-26T00:00:00Z"),
        ("last Friday", "2011-01-21T00:00:00Z", "2011-01-22T00:00:00Z"),
        ("last night", "2011-01-27T18:00:00Z", "2011-01-28T06:00:00Z"),
        ("in the last 3 hours", "2011-01-28T15:30:00Z", None),
        ("in the last hour", "2011-01-28T17:30:00Z", None),
        ("in the past two days", "2011-01-26T18:30:00Z", None),
        ("last week", "2011-01-17T00:00:00Z", "2011-01-24T00:00:00Z"),
        ("two hours ago", "2011-01-28T16:00:00Z", "2011-01-28T17:00:00Z"),
        ("since 2011-01-25", "2011-01-25T00:00:00Z", None),
        ("on January 25", "2011-01-25T00:00:00Z", "2011-01-26T00:00:00Z"),
        ("on 25 January 2011", "2011-01-25T00:00:00Z", "2011-01-26T00:00:00Z"),
        ("on 25 December", "2010-12-25T00:00:00Z", "2010-12-26T00:00:00Z"),
        ("since 5pm", "2011-01-28T17:00:00Z", None),
        ("before Wednesday", None, "2011-01-26T00:00:00Z"),
        ("Was ist gestern passiert", "2011-01-27T00:00:00Z", "2011-01-28T00:00:00Z"),
        ("vorgestern", "2011-01-26T00:00:00Z", "2011-01-27T00:00:00Z"),
        ("Was ist seit Montag passiert", "2011-01-24T00:00:00Z", None),
        ("am Dienstag", "2011-01-25T00:00:00Z", "2011-01-26T00:00:00Z"),
        ("vor zwei Stunden", "2011-01-28T16:00:00Z", "2011-01-28T17:00:00Z"),
        ("in den letzten 3 Stunden", "2011-01-28T15:30:00Z", None),
        ("in der letzten Stunde", "2011-01-28T17:30:00Z", None),
        ("seit gestern Abend", "2011-01-27T17:00:00Z", None),
        ("heute Morgen", "2011-01-28T05:00:00Z", "2011-01-28T12:00:00Z"),
        ("am 25. Januar", "2011-01-25T00:00:00Z", "2011-01-26T00:00:00Z"),
        ("am 25.1.2011", "2011-01-25T00:00:00Z", "2011-01-26T00:00:00Z"),
        ("seit 14 Uhr", "2011-01-28T14:00:00Z", None),
        ("between 9am and 10am", "2011-01-28T09:00:00Z", "2011-01-28T10:00:00Z"),
        ("between 9 and 10pm", "2011-01-27T21:00:00Z", "2011-01-27T22:00:00Z"),
        ("zwischen 14 und 16 Uhr", "2011-01-28T14:00:00Z", "2011-01-28T16:00:00Z"),
        ("from 14:30 to 15:15", "2011-01-28T14:30:00Z", "2011-01-28T15:15:00Z"),
        ("what happened at 17:30", "2011-01-28T17:15:00Z", "2011-01-28T18:15:00Z"),
        ("around midnight", "2011-01-27T23:30:00Z", "2011-01-28T00:30:00Z"),
        ("Was ist am Dienstag passiert", "2011-01-25T00:00:00Z", "2011-01-26T00:00:00Z"),
    ],
)
def test_time_words_become_a_window_on_the_clock(text, begin, end):
    window = find_window(text, FRIDAY)
    assert (window.from_us and format_time(window.from_us), window.to_us and format_time(window.to_us)) == (
        begin,
        end,
    )


@pytest.mark.parametrize(
    "text",
    [
        "Is the school open on Monday?",
        "When does the ferry run on Sunday?",
        "F\u00e4llt die Schule am Montag aus?",
        "from 2 to 3 people",
        "2022 FIFA soccer",
        "31 February",
        "vor dem Museum",
        "a million weeks ago",
        "",
    ],
)
def test_what_names_no_time_leaves_the_window_open(text):
    window = find_window(text, FRIDAY)
    assert (window.from_us, window.to_us, window.rest) == (None, None, text)


def test_the_time_words_are_cut_from_the_question():
    window = find_window("what happened in Cairo since Monday?", FRIDAY)
    assert (window.rest, window.words) == ("what happened in Cairo ?", "since Monday")


def test_days_begin_in_the_zone_of_the_reader():
    from datetime import timedelta, timezone

    tokyo = timezone(timedelta(hours=9))  # there it is Saturday, 03:30
    assert format_time(find_window("today", FRIDAY, tokyo).from_us or 0) == "2011-01-28T15:00:00Z"


def test_this_evening_asked_after_midnight_is_the_one_just_gone():
    window = find_window("what happened this evening", parse_time_us("2011-01-29T00:30:00Z"))
    assert format_time(window.from_us or 0) == "2011-01-28T17:00:00Z"
