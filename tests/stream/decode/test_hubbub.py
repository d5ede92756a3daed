"""hubbub's own lines, and the simple post lines that people have."""

import json

import msgspec
import pytest
from hypothesis import given

from hubbub.errors import InvalidEvent
from hubbub.posts import Deletion, Edit, Post
from hubbub.stream.decode.hubbub import decode_hubbub
from tests.stream.invented import any_event, post


def line(**fields) -> bytes:
    return json.dumps(fields).encode()


@given(any_event)
def test_an_event_line_is_the_event(event):
    assert decode_hubbub(msgspec.json.encode(event)) == (event,)
    assert decode_hubbub(msgspec.json.encode(event), 17) == (event,)


def test_a_simple_line_is_a_post():
    (found,) = decode_hubbub(
        line(
            id="17",
            created_at="2011-01-28T18:00:00Z",
            author="noor",
            author_id="99",
            text="The square is full",
            lang="en",
            reply_to="16",
            root="15",
            repost_of=None,
            hashtags=["square"],
            mentions=["omar"],
            urls=["https://example.org/a"],
            event="ignored",
        )
    )
    assert found == Post(
        id="ndjson:17",
        author="ndjson:@99",
        text="The square is full",
        received_us=1_296_237_600_000_000,
        claimed_us=1_296_237_600_000_000,
        handle="noor",
        langs=("en",),
        reply_to="ndjson:16",
        root="ndjson:15",
        hashtags=("square",),
        mentions=("omar",),
        links=("https://example.org/a",),
    )


def test_ids_that_are_uris_stay_and_numbers_are_ids():
    (found,) = decode_hubbub(
        line(id="at://did:a/p/1", author_id="did:a", text="x", repost_of="at://did:b/p/2")
    )
    assert (found.id, found.author, found.repost_of) == ("at://did:a/p/1", "did:a", "at://did:b/p/2")
    (found,) = decode_hubbub(line(id=17, author_id=18, text="x", reply_to=16, root=17))
    assert (found.id, found.author, found.reply_to, found.root) == (
        "ndjson:17",
        "ndjson:@18",
        "ndjson:16",
        None,
    )


def test_posts_without_an_author_do_not_share_one():
    authors = {decode_hubbub(line(id=str(n), text="x"))[0].author for n in range(3)}
    assert authors == {"ndjson:unknown/0", "ndjson:unknown/1", "ndjson:unknown/2"}


def test_the_time_of_receipt_is_the_lines_then_the_callers_then_the_authors():
    stamped = {"id": "1", "text": "x", "created_at": "2011-01-28", "received_us": 5}
    assert decode_hubbub(line(**stamped), 7)[0].received_us == 5
    del stamped["received_us"]
    assert decode_hubbub(line(**stamped), 7)[0].received_us == 7
    assert decode_hubbub(line(**stamped))[0].received_us == 1_296_172_800_000_000
    # 28965147561164800 is of 23 January 2011, 00:00:03.982, by X's own numbering.
    assert decode_hubbub(line(id="28965147561164800", text="x"))[0].received_us == 1_295_740_803_982_000
    assert decode_hubbub(line(id="a", text="x"))[0].received_us == 0


def test_event_lines_may_leave_the_time_of_receipt_to_us():
    fields = {"type": "post", "id": "p:1", "author": "a:1", "text": "x", "claimed_us": 4}
    assert decode_hubbub(line(**fields), 7)[0].received_us == 7
    assert decode_hubbub(line(**fields))[0].received_us == 4
    assert decode_hubbub(line(type="deletion", id="p:1"), 7) == (Deletion(id="p:1", received_us=7),)
    (edit,) = decode_hubbub(line(type="edit", replaces="p:1", post=fields), 7)
    assert isinstance(edit, Edit) and edit.received_us == 7


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"{",
        b"[]",
        b"17",
        b'"post"',
        b"{}",
        b"null",
        b'{"text":"no id"}',
        b'{"id":{},"text":"x"}',
        b'{"type":"unknown","id":"1"}',
        b'{"type":"deletion"}',
        b'{"type":"post","id":"1","author":"a","text":"x","received_us":NaN}',
        b'{"type":"edit","replaces":"x","post":[]}',
        b'{"id":"1","text":"x","received_us":1e999}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_what_is_no_event_is_refused(bad):
    with pytest.raises(InvalidEvent):
        decode_hubbub(bad)


def test_the_message_names_the_field():
    with pytest.raises(InvalidEvent, match=r"\$\.text"):
        decode_hubbub(b'{"type":"post","id":"1","author":"a","text":5,"received_us":1}')


def test_made_posts_survive_json():
    assert decode_hubbub(msgspec.json.encode(post(3))) == (post(3),)
