"""Real lines of the platforms, as recorded by others; nothing of ../shared is copied here."""

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from hubbub.stream import Counts, read_ndjson

SHARED = Path(__file__).parents[3].parent / "shared" / "data"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not SHARED.is_dir(), reason=f"needs the real posts of {SHARED}"),
]


def read(lines, format):
    counts = Counts()
    events = list(read_ndjson(lines, format, counts))
    assert (counts.num_malformed, counts.errors) == (0, [])
    return events, counts, Counter(type(event).__name__ for event in events)


def lines_of(name):
    path = SHARED / name
    return (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).splitlines()


def test_what_production_jetstream_served():
    events, counts, kinds = read(lines_of("wire/bluesky/expected_v1.jsonl"), "jetstream")
    assert counts.num_lines == 152
    assert kinds == {"Post": 32, "Deletion": 1, "AccountEvent": 1}
    assert sum(event.repost_of is not None for event in events if hasattr(event, "repost_of")) == 15
    assert counts.reasons["collection 'app.bsky.feed.like'"] == 105


def test_one_jetstream_line_of_each_kind():
    _, counts, kinds = read(lines_of("wire/bluesky/golden_v1.jsonl"), "jetstream")
    assert counts.num_lines == 10
    assert kinds == {"Post": 2, "ConsentEvent": 1, "AccountEvent": 1}


def test_full_statuses_of_x_v1():
    events, counts, _ = read(lines_of("wire/twitter_v1_1_statuses.ndjson.gz"), "x1")
    assert counts.num_lines == 4997
    assert counts.num_events + counts.num_duplicates == 4997 + 73
    assert sum(event.repost_of is not None for event in events) == 73
    assert all(event.claimed_us and event.handle and event.url for event in events)
    assert not any("&amp;" in event.text or "&lt;" in event.text for event in events)


def test_recorded_answers_of_both_x_apis():
    bodies = [json.loads(line) for line in lines_of("wire/twitter_api_recordings.ndjson.gz")]
    v2 = [json.dumps(body["body"]) for body in bodies if "/2/" in body["uri"]]
    _, counts, kinds = read(v2, "x2")
    assert (counts.num_lines, counts.num_dropped) == (60, 40)
    assert kinds == {"Post": 338, "Edit": 4}
    wanted = ("/statuses/", "search/tweets", "favorites/")
    v1 = [json.dumps(body["body"]) for body in bodies if any(part in body["uri"] for part in wanted)]
    _, counts, kinds = read(v1, "x1")
    assert (counts.num_lines, kinds) == (16, {"Post": 134})


def test_recorded_streams_of_a_mastodon_server():
    frames = []
    for line in lines_of("wire/mastodon/stream_recordings.ndjson.gz"):
        recording = json.loads(line)
        name = None
        for row in recording["body"].split("\n") if "/streaming/" in recording["uri"] else ():
            if row.startswith("event: "):
                name = row.removeprefix("event: ")
            elif row.startswith("data: "):
                frames.append(json.dumps({"event": name, "payload": row.removeprefix("data: ")}))
    events, _, kinds = read(frames, "mastodon")
    assert kinds["Edit"] == 1
    assert kinds["Deletion"] == 1
    assert kinds["Post"] >= 3
    (deletion,) = [event for event in events if type(event).__name__ == "Deletion"]
    (edit,) = [event for event in events if type(event).__name__ == "Edit"]
    assert deletion.id == edit.replaces == edit.post.id


@pytest.mark.parametrize(
    ("name", "num_posts"),
    [
        ("posts/airline_feb2015.ndjson.gz", 14_485),
        ("posts/btc.ndjson.gz", 8_846),
        ("posts/crisislex_t6.ndjson.gz", 60_078),
        ("posts/de_politicians_2020_2021.ndjson.gz", 20_838),
        ("posts/humaid_6events.ndjson.gz", 41_671),
        ("posts/pheme_rumour_sources.ndjson.gz", 2_402),
        ("posts/rumoureval2017_threads.ndjson.gz", 5_568),
        ("posts/semeval_topics_2011_2015.ndjson.gz", 33_292),
        ("qa/trec-microblog/corpus.tweets2011.ndjson.gz", 85_375),
    ],
)
def test_recorded_posts(name, num_posts):
    lines = lines_of(name)
    assert len(lines) == num_posts
    sample = lines[:: max(1, num_posts // 5000)]
    _, counts, _ = read(sample, "hubbub")
    assert counts.num_events + counts.num_duplicates == len(sample)
    assert counts.num_clipped == counts.num_mended == 0
