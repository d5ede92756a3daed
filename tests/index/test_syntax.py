import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.errors import InvalidQuery
from hubbub.index import Query, parse_query
from hubbub.units import US_PER_HOUR, parse_time_us


def test_every_part_of_the_syntax_is_read():
    query = parse_query(
        "flood from:@Mayor -from:bot since:2011-01-28 until:2011-01-29T06:00:00Z lang:EN "
        '"city hall" -rumour -"old bridge" #Nile is:root sort:time rescue'
    )
    assert query == Query(
        text="flood rescue",
        phrases=("city hall",),
        excluded=("rumour", "old bridge"),
        hashtags=("Nile",),
        authors=("Mayor",),
        excluded_authors=("bot",),
        langs=("en",),
        from_us=parse_time_us("2011-01-28"),
        to_us=parse_time_us("2011-01-29T06:00:00Z"),
        only_roots=True,
        sort="time",
    )


def test_durations_count_back_from_the_given_clock():
    assert parse_query("since:2h", now_us=10 * US_PER_HOUR).from_us == 8 * US_PER_HOUR


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('an "unclosed quote', "an unclosed quote"),
        ("near:here", "near:here"),
        ("from:", "from:"),
        ("lang:klingonish", "lang:klingonish"),
        ("is:odd", "is:odd"),
        ("- alone", "- alone"),
        ("#1", "#1"),
        ('""', ""),
    ],
)
def test_what_is_not_syntax_is_plain_text(text, words):
    query = parse_query(text)
    assert " ".join(query.text.split()) == words
    assert not (query.phrases or query.excluded or query.authors or query.hashtags or query.langs)


@pytest.mark.parametrize("text", ["since:garbage", "until:2011-99-99", "until:nan"])
def test_a_time_that_cannot_be_read_is_said_so(text):
    with pytest.raises(InvalidQuery, match="is not a time; write"):
        parse_query(text)


def test_a_very_long_query_is_clipped():
    query = parse_query('"a b" ' * 50_000)
    assert len(query.phrases) == 64


@given(st.text(max_size=200))
def test_any_text_is_a_query_or_a_clear_error(text):
    try:
        assert isinstance(parse_query(text), Query)
    except InvalidQuery as error:
        assert "is not a time" in str(error)
