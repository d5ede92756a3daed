"""Bluesky's Jetstream, followed over a real socket from a fake one; the posts are invented."""

import dataclasses
import threading
import time

import pytest
import zstandard

from hubbub.errors import PlatformError
from hubbub.posts import AccountEvent, ConsentEvent, Deletion, Edit, Post
from hubbub.stream import Counts
from hubbub.stream.decode.bluesky_record import PROFILE
from hubbub.stream.follow import refusal_of
from hubbub.stream.live import open_live
from hubbub.stream.live.jetstream import COLLECTIONS
from hubbub.units import now_us
from tests.platforms.jetstream import FakeJetstream, Faults
from tests.stream.live.following import following

DID = "did:plc:noor"


@pytest.fixture
def fake():
    with FakeJetstream() as fake:
        yield fake


def fill(fake, first, last):
    for number in range(first, last + 1):
        fake.post(f"did:plc:a{number % 5}", f"k{number}", f"words of post {number}")


def wanted(last, first=1):
    return [f"words of post {number}" for number in range(first, last + 1)]


def test_posts_arrive_in_order_with_our_time(fake, tmp_path):
    with following(tmp_path, fake.url) as followed:
        followed.wait(lambda: followed.counts.vitals.state == "live")
        fill(fake, 1, 300)
        followed.wait_for(300)
        assert followed.texts() == wanted(300)
        (first, *_) = followed.events()
        assert first.id == "at://did:plc:a1/app.bsky.feed.post/k1"
        assert 0 <= first.received_us - fake.log[0].time_us < 3_000_000
        vitals = followed.counts.vitals
        assert vitals.num_connections == 1
        assert 0 <= vitals.own_lag_ms < 1000


def test_after_a_cut_in_mid_frame_nothing_is_lost_or_doubled(fake, tmp_path):
    fake.plan.extend([Faults(cut_after=137), Faults(cut_after=55)])
    with following(tmp_path, fake.url) as followed:
        followed.wait(lambda: followed.counts.vitals.state == "live")
        fill(fake, 1, 400)
        followed.wait(lambda: followed.texts() == wanted(400))
        assert followed.counts.vitals.num_connections >= 2


def test_a_new_process_goes_on_where_the_last_one_ended(fake, tmp_path):
    with following(tmp_path, fake.url) as followed:
        followed.wait(lambda: followed.counts.vitals.state == "live")
        fill(fake, 1, 100)
        followed.wait_for(50)
    fill(fake, 101, 200)
    with following(tmp_path, fake.url) as followed:
        followed.wait_for(200)
        assert followed.texts() == wanted(200)


@pytest.mark.parametrize("version", [1, 2])
def test_a_cursor_is_kept_with_the_events_and_nothing_is_lost_under_all_faults(fake, tmp_path, version):
    url = f"{fake.url if version == 1 else fake.v2_url}#wait=0.01"
    fake.plan.extend(
        [
            Faults(refuse=(503, {"error": "busy"})),
            Faults(duplicate=0.2, garbage=0.2, cut_after=150),
            Faults(rewind=100, reorder=0.3 if version == 1 else 0, cut_after=130),
        ]
    )
    with following(tmp_path, url) as followed:
        followed.wait(lambda: followed.counts.vitals.num_connections)
        fill(fake, 1, 500)
        followed.wait_for(500)
        assert sorted(followed.texts()) == sorted(wanted(500))
        assert followed.counts.num_malformed > 5
        assert followed.counts.num_duplicates > 20
        assert followed.archive.cursor(followed.source.name)


def test_edits_deletions_accounts_and_consent_arrive(fake, tmp_path):
    with following(tmp_path, fake.url) as followed:
        followed.wait(lambda: followed.counts.vitals.num_connections)
        fake.post(DID, "k", "the ferry is late")
        fake.post(DID, "k", "the ferry is on time", "update")
        fake.delete(DID, "k")
        fake.account(DID, False, "deleted")
        fake.commit(DID, PROFILE, "self", "update", {"labels": {"values": [{"val": "!no-unauthenticated"}]}})
        fake.commit(DID, "app.bsky.feed.like", "l", "create", {"subject": {"uri": "at://x", "cid": "c"}})
        followed.wait_for(5)
        kinds = [type(event) for event in followed.events()]
        assert kinds == [Post, Edit, Deletion, AccountEvent, ConsentEvent]
        assert fake.seen[0].request.query["wantedCollections"] == list(COLLECTIONS)


def test_version_2_speaks_its_subprotocol_and_resumes_by_seq(fake, tmp_path):
    with following(tmp_path, fake.v2_url) as followed:
        followed.wait(lambda: followed.counts.vitals.num_connections)
        fill(fake, 1, 10)
        followed.wait_for(10)
    fill(fake, 11, 20)
    with following(tmp_path, fake.v2_url) as followed:
        followed.wait_for(20)
        assert followed.texts() == wanted(20)
        assert followed.counts.num_duplicates == 1, "the cursor is inclusive"
    first, second = (peer.request for peer in fake.seen)
    assert second.headers["sec-websocket-protocol"] == "xrpc.v1.json"
    assert second.one("cursor") == "10"
    assert first.query["collections"] == list(COLLECTIONS)


def test_a_repository_that_was_replaced_is_erased_and_told_again(fake, tmp_path):
    with following(tmp_path, fake.v2_url) as followed:
        followed.wait(lambda: followed.counts.vitals.num_connections)
        fake.post(DID, "old", "gone after the sync")
        fake.sync(DID)
        fake.post(DID, "new", "still there")
        followed.wait_for(4)
        assert [event.status for event in followed.events()[1:3]] == ["removed", "restored"]


def test_a_cursor_too_old_is_a_gap_that_shows_and_the_time_still_finds_a_place(fake, tmp_path):
    with following(tmp_path, fake.v2_url) as followed:
        followed.wait(lambda: followed.counts.vitals.num_connections)
        fill(fake, 1, 5)
        followed.wait_for(5)
    fill(fake, 6, 20)
    fake.floor_seq = 11
    with following(tmp_path, fake.v2_url) as followed:
        followed.wait_for(15)
        assert followed.texts() == wanted(5) + wanted(20, 11)
        assert followed.counts.vitals.num_gaps == 1
        assert "CursorTooOld" in followed.counts.vitals.last_gap
        assert int(fake.seen[-1].request.one("cursor")) > 10**15


def test_what_the_platform_says_besides_events_is_counted(fake, tmp_path):
    info = b'{"$type":"message","payload":{"$type":"x#info","name":"OutdatedCursor","message":"at seq 7"}}'
    fake.plan.extend([Faults(first=(info,), error_after=3)])
    with following(tmp_path, f"{fake.v2_url}#wait=0.01") as followed:
        followed.wait(lambda: followed.counts.vitals.num_connections)
        fill(fake, 1, 10)
        followed.wait_for(10)
        assert followed.texts() == wanted(10)
        vitals = followed.counts.vitals
        assert vitals.notices == {"OutdatedCursor": 1}
        assert "at seq 7" in vitals.last_gap
        assert "ConsumerTooSlow" in vitals.last_break


def test_a_server_that_began_a_new_sequence_is_followed_and_the_gap_shows(fake, tmp_path):
    info = b'{"$type":"message","payload":{"$type":"x#info","name":"FutureCursor","message":"at the tip"}}'
    fake.plan.append(Faults(first=(info,)))
    with following(tmp_path, f"{fake.v2_url}?cursor=5000@{now_us()}") as followed:
        followed.wait(lambda: followed.counts.vitals.num_gaps)
        fill(fake, 1, 10)
        followed.wait_for(10)
        assert followed.texts() == wanted(10)
        assert followed.archive.cursor(followed.source.name).startswith("10@")


def test_a_frame_with_an_absurd_place_does_not_spoil_the_cursor(fake, tmp_path):
    v1 = b'{"did":"did:plc:x","time_us":%d,"kind":"account","account":{"active":true}}' % 10**18
    v2 = b'{"$type":"message","payload":{"$type":"x#account","seq":%d,"did":"did:plc:x","time":""}}' % 10**18
    fake.plan.append(Faults(cut_after=10))
    for name, url, frame in (("v1", fake.url, v1), ("v2", fake.v2_url, v2)):
        with following(tmp_path / name, f"{url}#wait=0.01") as followed:
            followed.wait(lambda followed=followed: followed.counts.vitals.num_connections)
            fill(fake, 1, 10)
            fake.add("did:plc:x", "account", {}, {})
            fake.log[-1] = dataclasses.replace(fake.log[-1], v1=frame, v2=frame)
            fill(fake, 11, 20)
            followed.wait(lambda followed=followed: len(set(followed.texts())) == 20)
            assert followed.texts() == wanted(20)


def test_a_connection_that_is_half_gone_is_made_anew(fake, tmp_path):
    fake.plan.append(Faults(fall_silent_after=5))
    with following(tmp_path, f"{fake.url}#wait=0.01&quiet=0.4") as followed:
        followed.wait(lambda: followed.counts.vitals.num_connections)
        fill(fake, 1, 20)
        followed.wait_for(20)
        assert followed.texts() == wanted(20)
        assert "has not said a word" in followed.counts.vitals.last_break


def test_a_quiet_platform_that_answers_pings_is_left_alone(fake, tmp_path):
    with following(tmp_path, f"{fake.url}#quiet=2") as followed:
        followed.wait(lambda: followed.counts.vitals.num_connections)
        time.sleep(2.6)
        assert followed.counts.vitals.num_connections == 1


def test_a_burst_is_absorbed(fake, tmp_path):
    with following(tmp_path, fake.url) as followed:
        followed.wait(lambda: followed.counts.vitals.num_connections)
        fill(fake, 1, 3000)
        followed.wait_for(3000)
        assert followed.texts() == wanted(3000)


def test_a_slow_disk_slows_the_platform_and_nothing_piles_up_here(fake, tmp_path):
    stop, texts = threading.Event(), 0
    batches = open_live(fake.url, tmp_path).batches(None, size=256, counts=Counts(), stop=stop)
    while not fake.seen or not fake.seen[0].is_open:
        next(batches)
    for number in range(3_000):
        fake.post(DID, f"k{number}", f"{number} " + "water " * 1300)
    time.sleep(0.3)
    stuck = fake.num_sent
    time.sleep(0.3)
    assert fake.num_sent == stuck < 3_000, "whoever does not read must not be sent everything"
    while texts < 3_000:
        texts += len(next(batches).events)
    stop.set()
    assert not list(batches)


def test_a_clock_an_hour_off_loses_nothing(tmp_path):
    for name, skew_us in (("ahead", 3_600_000_000), ("behind", -3_600_000_000)):
        with FakeJetstream(skew_us=skew_us) as fake:
            fake.plan.extend([Faults(), Faults(cut_after=20)])
            with following(tmp_path / name, fake.url) as followed:
                followed.wait(lambda followed=followed: followed.counts.vitals.num_connections)
                fill(fake, 1, 100)
                followed.wait_for(100)
                assert abs(followed.counts.vitals.platform_lag_ms + skew_us / 1000) < 10_000
            fill(fake, 101, 200)
            fake.skew_us = 0  # somebody sets the clock right
            with following(tmp_path / name, f"{fake.url}") as followed:
                followed.wait_for(120 if skew_us > 0 else 200)
                fill(fake, 201, 300)
                followed.wait(lambda followed=followed: sorted(followed.texts()) == sorted(wanted(300)))


def test_compressed_frames_of_both_versions(fake, tmp_path):
    samples = [b'{"did":"did:plc:%d","time_us":%d,"kind":"commit"}' % (i, i * 7919) for i in range(2000)]
    fake.dictionary = zstandard.train_dictionary(2000, samples).as_bytes()
    path = tmp_path / "dictionary"
    path.write_bytes(fake.dictionary)
    for name, url in (("v1", f"{fake.url}#dictionary={path}"), ("v2", f"{fake.v2_url}#zstd")):
        with following(tmp_path / name, url) as followed:
            followed.wait(lambda followed=followed: followed.counts.vitals.num_connections)
            fill(fake, 1, 20)
            followed.wait_for(20)
            assert followed.texts() == wanted(20)
            assert followed.counts.num_malformed == 0
    assert fake.seen[0].request.one("compress") == "true"
    number = zstandard.ZstdCompressionDict(fake.dictionary).dict_id()
    assert fake.seen[1].request.one("zstdDictionary") == str(number)


def test_the_common_compression(fake, tmp_path):
    with following(tmp_path, f"{fake.url}#deflate") as followed:
        followed.wait(lambda: followed.counts.vitals.num_connections)
        fill(fake, 1, 50)
        followed.wait_for(50)
        assert followed.texts() == wanted(50)
        assert followed.counts.num_malformed == 0
    assert fake.seen[0].is_deflated


def test_thousands_of_accounts_are_asked_for_in_a_message(fake, tmp_path):
    path = tmp_path / "accounts"
    path.write_text("\n".join(f"did:plc:a{number}" for number in (1, 3, *range(100, 5000))))
    with following(tmp_path, f"{fake.url}#dids={path}") as followed:
        followed.wait(lambda: fake.seen and fake.seen[0].texts)
        fill(fake, 1, 10)
        followed.wait_for(4)
        assert followed.texts() == [f"words of post {number}" for number in (1, 3, 6, 8)]


def test_another_server_of_the_network_steps_in_and_nothing_comes_twice(fake, tmp_path):
    with FakeJetstream(skew_us=300_000) as other:
        with following(tmp_path, f"{fake.url}#also=127.0.0.1:{other.port}&wait=0.01") as followed:
            followed.wait(lambda: followed.counts.vitals.num_connections)
            fill(fake, 1, 30)
            fill(other, 1, 30)
            followed.wait_for(30)
            fake.close()
            fill(other, 31, 60)
            followed.wait_for(60)
            assert followed.texts() == wanted(60)
            followed.wait(lambda: followed.counts.vitals.state == "live")
            fill(other, 61, 90)
            followed.wait_for(90)
            assert followed.texts() == wanted(90)


@pytest.mark.parametrize(("status", "is_final"), [(400, True), (401, False), (403, False), (404, False)])
def test_who_was_never_let_in_is_told_why_and_asks_again_where_that_may_help(
    fake, tmp_path, status, is_final
):
    fake.plan.append(Faults(refuse=(status, {"error": "no"})))
    with following(tmp_path, fake.url, refused_s=0.3) as followed:
        vitals = followed.counts.vitals
        followed.wait(lambda: vitals.state == "refused")
        assert str(status) in vitals.refused
        assert isinstance(refusal_of([followed.counts]), PlatformError)
        assert refusal_of([followed.counts, Counts()]) is None, "another source goes on"
        time.sleep(1 if is_final else 0)
        if is_final:
            assert (len(fake.seen), vitals.state) == (1, "refused")
        else:
            followed.wait(lambda: vitals.state == "live")
            assert vitals.refused is None


def test_who_is_refused_later_goes_on_asking(fake, tmp_path):
    fake.plan.extend([Faults(cut_after=1), Faults(refuse=(401, {"error": "ExpiredToken"}))])
    with following(tmp_path, f"{fake.url}#wait=0.2", refused_s=60) as followed:
        followed.wait(lambda: followed.counts.vitals.num_connections)
        fill(fake, 1, 3)
        followed.wait(lambda: followed.counts.vitals.state == "refused")
        assert refusal_of([followed.counts]) is None, "it was let in before: that may be a mishap"
        followed.wait(lambda: followed.texts() == wanted(3))


def test_after_a_long_replay_the_place_of_the_cut_over_is_read_once_more(fake, tmp_path):
    old_us = now_us() - 600_000_000
    fake.post(DID, "k", "long ago")
    entry = fake.log[0]
    fake.log[0] = dataclasses.replace(
        entry, time_us=old_us, v1=entry.v1.replace(str(entry.time_us).encode(), str(old_us).encode())
    )
    fill(fake, 1, 100)
    with following(tmp_path, f"{fake.url}?cursor={old_us}#look=0.2") as followed:
        followed.wait_for(101)
        followed.wait(lambda: followed.counts.vitals.num_connections == 2)
        asked_us = [int(peer.request.one("cursor")) for peer in fake.seen]
        assert asked_us[0] < old_us < asked_us[1]
        time.sleep(0.3)
        assert followed.texts() == ["long ago", *wanted(100)]
