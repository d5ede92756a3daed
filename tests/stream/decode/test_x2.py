"""X's API v2 in both of its spellings, and its compliance streams; the posts here are invented."""

import json

import pytest

from hubbub.errors import InvalidEvent
from hubbub.posts import AccountEvent, Deletion, Edit, Post
from hubbub.stream.decode.outcome import EMPTY, Dropped
from hubbub.stream.decode.x2 import decode_x2

FRIDAY_US = 1_296_237_600_000_000


def tweet(number="17", text="hello", **fields):
    return {"id": number, "text": text, "author_id": "7", "created_at": "2011-01-28T18:00:00.000Z"} | fields


def decode(data, received_us=None, **beside):
    return decode_x2(json.dumps({"data": data, **beside}).encode(), received_us)


def respell(value):
    """Turn X's old words into its new ones."""
    words = {
        "referenced_tweets": "referenced_posts",
        "edit_history_tweet_ids": "edit_history_post_ids",
        "note_tweet": "note_post",
        "tweets": "posts",
        "tweet": "post",
    }
    if isinstance(value, dict):
        return {words.get(key, key): respell(inner) for key, inner in value.items()}
    return [respell(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("spell", [dict, respell])
def test_a_post_with_everything(spell):
    data = tweet(
        text="R&amp;D #Flood\u2026",
        lang="en",
        conversation_id="15",
        attachments={"media_keys": ["m1", "m3"]},
        referenced_tweets=[{"type": "replied_to", "id": "16"}, {"type": "quoted", "id": "12"}],
        edit_history_tweet_ids=["17"],
        note_tweet={
            "text": "R&amp;D #Flood and the rest of a long post",
            "entities": {
                "hashtags": [{"tag": "Flood"}],
                "mentions": [{"username": "omar"}],
                "urls": [{"url": "https://t.co/x", "expanded_url": "https://example.org/x"}],
            },
        },
    )
    includes = {
        "users": [{"id": "8", "username": "omar"}, {"id": "7", "username": "noor", "name": "Noor &amp; Co"}],
        "tweets": [tweet("12", "quoted", author_id="8"), tweet("99", "not mentioned")],
        "media": [
            {"media_key": "m1", "alt_text": "a bridge"},
            {"media_key": "m2", "alt_text": "another post's"},
        ],
    }
    quoted, post = decode(spell(data), includes=spell(includes), matching_rules=[{"id": "1", "tag": "x"}])
    assert (quoted.id, quoted.text, quoted.handle) == ("x://status/12", "quoted", "omar")
    assert post == Post(
        id="x://status/17",
        author="x://user/7",
        text="R&D #Flood and the rest of a long post",
        received_us=FRIDAY_US,
        claimed_us=FRIDAY_US,
        handle="noor",
        name="Noor & Co",
        langs=("en",),
        reply_to="x://status/16",
        root="x://status/15",
        quote_of="x://status/12",
        links=("https://example.org/x",),
        hashtags=("Flood",),
        mentions=("omar",),
        media=("a bridge",),
        url="https://x.com/noor/status/17",
    )


@pytest.mark.parametrize("spell", [dict, respell])
def test_an_edit_is_a_new_id_that_replaces_each_earlier_one(spell):
    found = decode(spell(tweet("17", "third", edit_history_tweet_ids=["15", "16", "17"])))
    assert [(edit.replaces, edit.post.id, edit.post.text) for edit in found] == [
        ("x://status/15", "x://status/17", "third"),
        ("x://status/16", "x://status/17", "third"),
    ]
    assert all(isinstance(edit, Edit) for edit in found)
    (first,) = decode(spell(tweet("15", "first", edit_history_tweet_ids=["15", "16", "17"])))
    assert isinstance(first, Post)


def test_a_repost_brings_what_it_repeats():
    for kind in ("retweeted", "reposted"):
        data = tweet("17", "RT @omar: hel\u2026", referenced_tweets=[{"type": kind, "id": "12"}])
        original, repost = decode(data, 5, includes={"tweets": [tweet("12", "hello all")]})
        assert (original.text, original.received_us) == ("hello all", 5)
        assert (repost.text, repost.repost_of) == ("", "x://status/12")


def test_bare_posts_and_pages():
    bare = {"id": "28965147561164800", "text": "only this", "edit_history_tweet_ids": ["28965147561164800"]}
    for line in (bare, {"data": bare}, {"data": [bare], "meta": {"result_count": 1}}):
        (post,) = decode_x2(json.dumps(line).encode())
        assert (post.text, post.claimed_us) == ("only this", 1_295_740_803_982_000)
        assert (post.author, post.url) == (
            "x://user/unknown/28965147561164800",
            "https://x.com/i/status/28965147561164800",
        )


@pytest.mark.parametrize("spell", [dict, respell])
def test_compliance(spell):
    at = {"event_at": "2011-01-28T18:00:00.000Z"}
    post = {"tweet": {"id": "17", "author_id": "7"}, **at}
    gone = Deletion(id="x://status/17", author="x://user/7", received_us=FRIDAY_US)
    assert decode(spell({"delete": post})) == (gone,)
    (withheld,) = decode(spell({"withheld": {**post, "withheld_in_countries": ["XX"]}}), 3)
    assert (withheld.reason, withheld.received_us) == ("withheld", 3)
    assert isinstance(decode(spell({"withheld": {**post, "withheld_in_countries": ["DE"]}})), Dropped)
    for name, status in (
        ("user_delete", "removed"),
        ("user_protect", "protected"),
        ("user_unsuspend", "restored"),
    ):
        assert decode({name: {"user": {"id": "7"}, **at}}) == (
            AccountEvent(author="x://user/7", status=status, received_us=FRIDAY_US),
        )
    assert isinstance(decode({"scrub_geo": {"user": {"id": "7"}, **at}}), Dropped)


def test_what_is_no_post_is_dropped_and_what_is_broken_refused():
    users = [{"id": "7", "name": "Noor", "username": "noor"}]
    assert isinstance(decode(users), Dropped)
    assert isinstance(decode_x2(b'{"errors":[{"title":"operational-disconnect"}]}'), Dropped)
    assert isinstance(decode_x2(b'{"meta":{"result_count":0}}'), Dropped)
    assert decode([]) == EMPTY
    for bad in (
        b"{}",
        b"[]",
        b'{"data":5}',
        b'{"data":{"id":5,"text":"x"}}',
        b'{"data":{"id":"x","text":"x"}}',
    ):
        with pytest.raises(InvalidEvent):
            decode_x2(bad)


def test_a_chain_of_versions_is_cut_where_no_post_has_so_many():
    chain = [str(number) for number in range(1, 50_001)]
    events = decode(tweet("50000", edit_history_tweet_ids=chain))
    assert [event.replaces for event in events] == [f"x://status/{n}" for n in range(49_980, 50_000)]
