"""X's API v1.1; the statuses here are invented."""

import json

import pytest

from hubbub.errors import InvalidEvent
from hubbub.posts import AccountEvent, Deletion, Post
from hubbub.stream.decode.outcome import EMPTY, Dropped
from hubbub.stream.decode.x1 import decode_x1

NOOR = {"id": 7, "id_str": "7", "screen_name": "noor", "name": "Noor &amp; Co", "protected": False}
FRIDAY_US = 1_296_237_600_000_000


def status(number=17, text="hello", **fields):
    found = {"id": number, "id_str": str(number), "text": text, "user": NOOR, "lang": "en"}
    return found | {"created_at": "Fri Jan 28 18:00:00 +0000 2011"} | fields


def decode(received_us=None, **fields):
    return decode_x1(json.dumps(fields).encode(), received_us)


def test_a_status_with_everything():
    found = decode(
        **status(
            text="R&amp;D &lt;3 &amp;copy; #Flood @omar https://t.co/x",
            in_reply_to_status_id_str="16",
            in_reply_to_status_id=16,
            entities={
                "hashtags": [{"text": "Flood"}],
                "user_mentions": [{"screen_name": "omar", "id": 9}],
                "urls": [{"url": "https://t.co/x", "expanded_url": "https://example.org/x"}],
            },
            extended_entities={"media": [{"ext_alt_text": "a bridge"}]},
        )
    )
    assert found == (
        Post(
            id="x://status/17",
            author="x://user/7",
            text="R&D <3 &copy; #Flood @omar https://t.co/x",
            received_us=FRIDAY_US,
            claimed_us=FRIDAY_US,
            handle="noor",
            name="Noor & Co",
            langs=("en",),
            reply_to="x://status/16",
            links=("https://example.org/x",),
            hashtags=("Flood",),
            mentions=("omar",),
            media=("a bridge",),
            url="https://x.com/noor/status/17",
        ),
    )


def test_long_texts_are_read_whole_wherever_they_stand():
    extended = {"full_text": "the whole text", "entities": {"hashtags": [{"text": "Whole"}]}}
    (post,) = decode(**status(text="the whole\u2026", truncated=True, extended_tweet=extended))
    assert (post.text, post.hashtags) == ("the whole text", ("Whole",))
    (post,) = decode(**status(text=None, full_text="the whole text"))
    assert post.text == "the whole text"


def test_a_retweet_brings_what_it_repeats():
    original = status(16, "first", user=NOOR | {"id_str": "8", "screen_name": "omar"})
    first, retweet = decode(5, **status(18, "RT @omar: fir\u2026", retweeted_status=original))
    assert (first.id, first.text, first.received_us) == ("x://status/16", "first", 5)
    assert (retweet.id, retweet.text, retweet.repost_of) == ("x://status/18", "", "x://status/16")


def test_a_quote_brings_what_it_quotes_and_a_retweeted_quote_both():
    quoted = status(15, "said once")
    quote = status(16, "look", quoted_status=quoted, quoted_status_id_str="15")
    first, second = decode(**quote)
    assert (first.text, second.quote_of, second.text) == ("said once", "x://status/15", "look")
    texts = [post.text for post in decode(**status(17, "RT", retweeted_status=quote))]
    assert texts == ["said once", "look", ""]


def test_a_rounded_number_is_no_id():
    (post,) = decode(**status(id=1.7e17, id_str="170000000000000001", in_reply_to_status_id=1.6e17))
    assert (post.id, post.reply_to) == ("x://status/170000000000000001", None)
    with pytest.raises(InvalidEvent):
        decode(**status(id=1.7e17, id_str=None))


def test_deletions_and_accounts():
    delete = {
        "status": {"id": 17, "id_str": "17", "user_id": 7, "user_id_str": "7"},
        "timestamp_ms": "1296237600000",
    }
    assert decode(delete=delete) == (
        Deletion(id="x://status/17", author="x://user/7", received_us=FRIDAY_US),
    )
    assert decode(3, delete=delete)[0].received_us == 3
    assert decode(3, delete={"status": {"id": 17}}) == (Deletion(id="x://status/17", received_us=3),)
    for stamp in ("\u00b2", "9" * 5_000, "soon"):
        (deletion,) = decode(delete={**delete, "timestamp_ms": stamp})
        assert (deletion.id, deletion.received_us) == ("x://status/17", 0)
    for name, found in (
        ("user_delete", "removed"),
        ("user_suspend", "suspended"),
        ("user_undelete", "restored"),
    ):
        assert decode(3, **{name: {"id": 7}}) == (
            AccountEvent(author="x://user/7", status=found, received_us=3),
        )


def test_protected_authors_are_not_public():
    assert decode(**status(user=NOOR | {"protected": True}))[0].visibility == "followers"


def test_lists_and_pages():
    lines = ([status(1), status(2)], {"statuses": [status(1), status(2)], "search_metadata": {}})
    for line in lines:
        assert [post.id for post in decode_x1(json.dumps(line).encode())] == ["x://status/1", "x://status/2"]
    assert decode_x1(json.dumps({"_source": "x", "status": status(3)}).encode())[0].id == "x://status/3"
    assert decode_x1(b"[]") == EMPTY


def test_an_unknown_author_and_handles_that_would_break_an_address():
    (post,) = decode(**status(user=None))
    assert (post.author, post.url) == ("x://user/unknown/17", "https://x.com/i/status/17")
    (post,) = decode(**status(user=NOOR | {"screen_name": "a/../b"}))
    assert post.url == "https://x.com/i/status/17"


def test_notices_are_dropped_and_anything_else_refused():
    for notice in ({"limit": {"track": 5}}, {"warning": {"code": "x"}}, {"scrub_geo": {"user_id": 7}}):
        assert isinstance(decode(**notice), Dropped)
    for bad in (
        {},
        {"text": "no id"},
        status("17x"),
        status(-1),
        {"delete": {"status": {}}},
        {"user_delete": {}},
    ):
        with pytest.raises(InvalidEvent):
            decode(**bad)
