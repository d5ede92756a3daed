"""The sample day is typed, ordered, complete, and points at nothing real."""

from __future__ import annotations

import re
from collections import Counter
from urllib.parse import urlsplit

import msgspec
import pytest

from hubbub.posts import AccountEvent, ConsentEvent, Deletion, Edit, Event, Post
from hubbub.sample import EXAMPLE_QUESTIONS, SAMPLE_QUESTIONS, sample_path
from hubbub.units import US_PER_HOUR, US_PER_MINUTE, format_time, parse_time_us


@pytest.fixture(scope="module")
def events() -> list[Event]:
    lines = sample_path().read_bytes().splitlines()
    return [msgspec.json.decode(line, type=Event) for line in lines]


@pytest.fixture(scope="module")
def posts(events) -> list[Post]:
    return [event for event in events if isinstance(event, Post)]


def test_lines_are_exactly_our_own_encoding(events):
    assert sample_path().read_bytes() == b"".join(msgspec.json.encode(event) + b"\n" for event in events)


def test_events_are_in_time_order_within_fourteen_hours(events):
    times = [event.received_us for event in events]
    assert times == sorted(times)
    assert len(set(times)) == len(times)
    assert parse_time_us("2026-03-14T12:00Z") <= times[0]
    assert times[-1] < parse_time_us("2026-03-15T02:01Z")
    assert times[-1] - times[0] > 13.5 * US_PER_HOUR


def test_every_kind_of_event_occurs(events):
    kinds = Counter(type(event) for event in events)
    assert len(events) >= 380
    assert kinds[Deletion] >= 5
    assert kinds[Edit] >= 1
    assert {e.status for e in events if isinstance(e, AccountEvent)} == {"suspended", "removed"}
    assert [(e.scope, e.allow) for e in events if isinstance(e, ConsentEvent)] == [("prompt", False)]


def test_ids_are_unique_and_belong_to_their_author(posts):
    assert len({post.id for post in posts}) == len(posts)
    for post in posts:
        assert post.author == f"https://town.example/@{post.handle}"
        assert re.fullmatch(re.escape(post.author) + r"/\d+", post.id)
        assert post.url == post.id


def test_references_resolve_to_earlier_events(events):
    seen: dict[str, Post] = {}
    authors: set[str] = set()
    for event in events:
        if isinstance(event, Post):
            for target in (event.reply_to, event.root, event.quote_of, event.repost_of):
                assert target is None or target in seen, event.id
            assert (event.root is None) == (event.reply_to is None)
            seen[event.id] = event
            authors.add(event.author)
        elif isinstance(event, Edit):
            assert event.post.id == event.replaces
            assert event.post.text != seen[event.replaces].text
        elif isinstance(event, Deletion):
            assert seen[event.id].author == event.author
        else:
            assert event.author in authors


def test_threads_share_one_root(posts):
    by_id = {post.id: post for post in posts}
    for post in posts:
        if post.reply_to:
            parent = by_id[post.reply_to]
            assert post.root == (parent.root or parent.id)


def test_only_reposts_are_empty_and_their_number_is_a_storm(posts):
    assert all((post.text == "") == (post.repost_of is not None) for post in posts)
    reposts = [post for post in posts if post.repost_of]
    assert 15 <= len(reposts) <= 60


def test_two_main_languages_and_some_others(posts):
    langs = Counter(post.langs[0] for post in posts if len(post.langs) == 1)
    assert langs["en"] > langs["de"] >= 0.35 * sum(langs.values())
    assert {"ja", "ar"} <= set(langs)
    assert any(not post.langs and post.text for post in posts)


def test_no_two_authors_and_no_two_texts_are_made_from_a_template(posts):
    texts = [post.text for post in posts if post.text and not post.is_bot]
    assert len(set(texts)) == len(texts)
    assert 80 <= len({post.author for post in posts}) <= 110
    assert max(map(len, texts)) > 400
    assert min(map(len, texts)) < 40


def test_every_address_is_one_that_nobody_can_own(posts):
    for post in posts:
        in_text = re.findall(r"https?://[^\s)\]]+", post.text)
        assert list(post.links) == in_text
        for link in (*in_text, post.url):
            assert urlsplit(link).hostname.endswith((".example", ".invalid")), link
        assert "@" not in post.text
        assert not re.search(r"\+?\d[\d /-]{7,}\d", post.text), "looks like a telephone number"


def test_claimed_times_are_near_except_for_a_few_wrong_clocks(posts):
    far = {post.handle for post in posts if abs(post.received_us - post.claimed_us) > US_PER_MINUTE}
    assert 1 <= len(far) <= 8


def test_gauge_readings_come_from_one_bot_every_half_hour(posts):
    readings = [
        (int(m[1]), int(m[2]), int(m[3]))
        for p in posts
        if p.is_bot and (m := re.search(r"(\d\d):(\d\d): (\d+) cm", p.text))
    ]
    assert len(readings) == sum(post.is_bot for post in posts) == 29
    heights = [cm for _, _, cm in readings]
    crest = heights.index(max(heights))
    assert readings[crest] == (23, 0, 448)
    assert heights[: crest + 1] == sorted(heights[: crest + 1])
    assert heights[crest:] == sorted(heights[crest:], reverse=True)


def test_heights_that_people_write_agree_with_the_gauge(posts):
    by_clock = {
        f"{m[1]}": int(m[2]) for p in posts if p.is_bot and (m := re.search(r"(\d\d:\d\d): (\d+) cm", p.text))
    }
    said = [(m[2], int(m[1])) for p in posts if (m := re.search(r"(\d{3}) cm at (\d\d:\d\d)", p.text))]
    said += [
        (f"{m[2]}:00", int(m[1])) for p in posts if (m := re.search(r"(\d{3}) cm um (\d\d) Uhr", p.text))
    ]
    assert len(said) >= 5
    assert all(by_clock[clock] == cm for clock, cm in said)


def test_the_correction_stands_when_the_dam_is_asked_about(events):
    question = SAMPLE_QUESTIONS[1]
    posts, gone, hidden = {}, set(), set()
    for event in events:
        if event.received_us >= question.clock_us:
            break
        if isinstance(event, Post):
            posts[event.id] = event
        elif isinstance(event, Deletion):
            gone.add(event.id)
        elif isinstance(event, AccountEvent):
            hidden.add(event.author)
    living = [p for p in posts.values() if p.id not in gone and p.author not in hidden]
    assert any("NOT broken" in post.text and post.handle == "waterworks" for post in living)
    assert any("nicht gebrochen" in post.text.lower() for post in living)
    assert any("dam has broken" in post.text for post in living), "a false post still stands"
    assert sum("BROKEN" in posts[i].text or "GEBROCHEN" in posts[i].text for i in gone) >= 2


def test_questions_are_asked_during_the_day_in_both_languages(events):
    assert len(SAMPLE_QUESTIONS) == 3
    assert EXAMPLE_QUESTIONS[:3] == SAMPLE_QUESTIONS
    assert {question.lang for question in SAMPLE_QUESTIONS} == {"en", "de"}
    assert [format_time(q.clock_us)[11:16] for q in SAMPLE_QUESTIONS] == ["21:40", "23:10", "00:45"]
    for question in EXAMPLE_QUESTIONS:
        assert events[0].received_us < question.clock_us < events[-1].received_us
