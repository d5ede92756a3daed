"""Reading many lines: what is counted, what is mended, what is left out; no line of any format is fatal."""

import json
import time

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.errors import InvalidEvent, InvalidInput
from hubbub.posts import AccountEvent, Deletion, Edit, Event, Post
from hubbub.stream import FORMATS, Counts, read_ndjson
from hubbub.stream.decode.cleanse import MAX_ITEMS, MAX_TEXT_CHARS, cleanse, mend_line
from hubbub.stream.decode.recent import Recent
from tests.stream.invented import any_event, post


def read(*lines, format="hubbub", **options):
    counts = Counts()
    return list(read_ndjson(lines, format, counts, **options)), counts


def test_good_lines_are_passed_on_and_bad_ones_counted_and_shown():
    good = msgspec.json.encode(post(1))
    events, counts = read(good, b"nonsense", b"", b"  \n", '{"id": "2", "text": "as str"}', b"{}")
    assert [event.text for event in events] == [post(1).text, "as str"]
    assert (counts.num_lines, counts.num_events, counts.num_malformed) == (6, 2, 2)
    assert [error.split(":")[0] for error in counts.errors] == ["line 2", "line 6"]
    assert counts.describe() == "6 lines, 2 events, 2 malformed"


def test_only_the_first_complaints_are_kept_and_reasons_are_bounded():
    _, counts = read(*[b"nonsense"] * 100)
    assert counts.num_malformed == 100
    assert len(counts.errors) == 5
    likes = [
        json.dumps(
            {
                "did": "d",
                "kind": "commit",
                "commit": {"operation": "create", "collection": f"c{n}", "rkey": "r"},
            }
        )
        for n in range(200)
    ]
    _, counts = read(*likes, format="jetstream")
    assert counts.num_dropped == sum(counts.reasons.values()) == 200
    assert len(counts.reasons) <= 51


def test_duplicates_are_left_out_but_new_versions_and_deletions_are_not():
    one, other = post(1), post(1, "another text")
    edit = Edit(post=other, replaces=one.id)
    events, counts = read(*map(msgspec.json.encode, [one, one, other, edit, edit, one]))
    assert events == [one, other, edit, edit]
    assert counts.num_duplicates == 2


def test_what_comes_again_after_an_account_was_restored_is_no_duplicate():
    changes = [AccountEvent(author="a", status=status, received_us=1) for status in ("removed", "restored")]
    events, counts = read(*map(msgspec.json.encode, [post(1), *changes, post(1)]))
    assert events == [post(1), *changes, post(1)]
    assert counts.num_duplicates == 0


def test_what_is_remembered_is_bounded():
    memory: Recent[int, int] = Recent(100)
    for number in range(1000):
        memory.put(number, number)
    assert all(memory.get(number) == number for number in range(900, 1000))
    assert memory.get(700) is None


def test_a_line_without_a_time_was_received_after_the_one_before_it():
    events, _ = read(
        b'{"id":"1","text":"x"}', b'{"id":"2","text":"y","created_at":"2011-01-28"}', b'{"id":"3","text":"z"}'
    )
    assert [event.received_us for event in events] == [0, 1_296_172_800_000_000, 1_296_172_800_000_000]
    ticks = iter(range(100, 200))
    events, _ = read(b'{"id":"1","text":"x"}', b'{"id":"2","text":"y"}', clock=lambda: next(ticks))
    assert [event.received_us for event in events] == [100, 101]


def test_broken_characters_are_mended_not_fatal():
    lines = [
        b'{"id":"1","text":"half \\ud83d of a pair"}',
        b'{"id":"2","text":"other half \\uDE00"}',
        b'{"id":"3","text":"no utf-8: \xff"}',
        b'{"id":"4","text":"pair \\ud83d\\ude00, escaped backslash \\\\ud83d"}',
        '{"id":"5","text":"a str with \ud83d"}',
        b'{"id":"6","text":"nul \\u0000 inside"}',
    ]
    events, counts = read(*lines)
    assert [event.text for event in events] == [
        "half \ufffd of a pair",
        "other half \ufffd",
        "no utf-8: \ufffd",
        "pair \U0001f600, escaped backslash \\ud83d",
        "a str with \ufffd\ufffd\ufffd",
        "nul  inside",
    ]
    assert (counts.num_mended, counts.num_malformed) == (4, 0)


@given(st.text(st.sampled_from('\\ud83eAb"0n'), max_size=30))
def test_mending_leaves_sound_json_alone(text):
    line = json.dumps({"id": "1", "text": text + "\U0001f600"})
    assert mend_line(line.encode()) == line.encode()


def test_giant_texts_and_names_are_clipped_and_counted():
    giant = {
        "id": "1",
        "text": "a" * 10_000_000,
        "author": "b" * 5000,
        "author_id": "c",
        "hashtags": ["h"] * 5000,
        "urls": ["https://example.org"] * 5000,
    }
    (event,), counts = read(json.dumps(giant))
    assert len(event.text) == MAX_TEXT_CHARS
    assert len(event.handle) == 1000
    assert len(event.hashtags) == len(event.links) == MAX_ITEMS
    assert counts.num_clipped == 1


def test_ids_and_times_that_cannot_be_are_malformed():
    lines = [
        json.dumps({"id": "", "text": "x"}),
        json.dumps({"id": "a:" + "b" * 5000, "text": "x"}),
        json.dumps({"id": "a:\0", "text": "x"}),
        json.dumps({"id": "1", "text": "x", "received_us": -1}),
        json.dumps({"id": "1", "text": "x", "received_us": 2**62}),
        json.dumps({"type": "deletion", "id": "", "received_us": 1}),
    ]
    events, counts = read(*lines)
    assert events == []
    assert counts.num_malformed == len(lines)


def test_absurd_claims_of_authors_are_clamped_not_believed():
    def claim(created_at):
        (event,), _ = read(
            json.dumps({"id": "1", "text": "x", "created_at": created_at, "received_us": 1000})
        )
        return event.claimed_us

    assert claim("2999-01-01") == 1000
    assert claim("0001-01-01") == 0
    assert claim("no time at all") is None
    assert claim(-5) is None
    assert claim(1e300) is None


def test_only_web_addresses_are_links():
    bad = [
        "javascript:alert(1)",
        "data:text/html,x",
        "https://exa mple.org",
        "https://a\u202e.org",
        "file:///etc",
    ]
    (event,), _ = read(
        json.dumps({"id": "1", "text": "x", "url": bad[0], "urls": [*bad, "HTTPS://example.org"]})
    )
    assert event.url is None
    assert event.links == ("HTTPS://example.org",)


@given(any_event)
def test_cleansing_is_done_once_and_for_all(event: Event):
    try:
        clean = cleanse(event)
    except InvalidEvent:
        return
    assert cleanse(clean) == clean
    msgspec.msgpack.encode(clean)
    if isinstance(clean, Post):
        assert "\0" not in clean.text


def test_an_unknown_format_is_refused():
    with pytest.raises(InvalidInput, match="jetstream"):
        list(read_ndjson([], "twitter"))


KEYS = """
    id id_str type text post author received_us created_at user did kind commit time_us collection operation
    rkey record data includes users tweets status delete event payload uri account content reblog quote $type
    facets embed retweeted_status quoted_status extended_tweet edit_history_tweet_ids
    referenced_posts entities
""".split()
VALUES = "app.bsky.feed.post commit create update status.update delete 1 message #commit".split()
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(VALUES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=150)
@given(value=json_values)
def test_no_json_crashes_a_decoder(format, value):
    events, counts = read(json.dumps(value).encode("utf-8", "replace"), format=format)
    for event in events:
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=Event) == event
    assert counts.num_lines == 1


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=50)
@given(data=st.binary(max_size=60))
def test_no_bytes_crash_a_decoder(format, data):
    events, counts = read(data, format=format)
    assert len(events) == counts.num_events


def test_mending_megabytes_of_broken_escapes_takes_no_seconds():
    began_s = time.thread_time()
    assert mend_line(b"\\ud800\\u0041\\\\ud800" * 100_000) == b"\\ufffd\\u0041\\\\ud800" * 100_000
    assert mend_line(b"\\ud800" * 10_000_000) == b"\\ud800" * 10_000_000, "far too long to be worth it"
    assert time.thread_time() - began_s < 2


def test_a_deletion_without_an_id_is_none_and_its_reason_is_short():
    gone = Deletion(id="", author="a", received_us=1)
    wordy = Deletion(id="a", received_us=1, reason="\0why" * 1000)
    with pytest.raises(InvalidEvent):
        cleanse(gone)
    assert cleanse(wordy).reason == ("\0why" * 250).replace("\0", "")
    assert cleanse(msgspec.structs.replace(wordy, reason="withheld")).reason == "withheld"


def test_no_single_name_is_longer_than_a_name_can_be():
    long = msgspec.structs.replace(
        post(1), hashtags=("x" * 9_000_000,), langs=("e" * 500,), media=("m" * 20_000,)
    )
    clean = cleanse(long)
    assert [len(value) for value in (*clean.hashtags, *clean.langs, *clean.media)] == [1000, 100, 10_000]


def test_times_beyond_any_number_are_none():
    line = b'{"id": "1", "text": "a", "created_at": 1' + b"0" * 400 + b"}"
    events, _ = read(line)
    assert [event.claimed_us for event in events] == [None]
