"""Bluesky's Jetstream, followed over a real socket from a fake one; the posts are invented."""

import pytest

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
        assert 0 <= first.received_us - fake.log[0].time_us < 5_000_000
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
