"""Behind a gap stored posts are asked for: what went meanwhile goes here too; the posts are invented."""

import threading
import time

import pytest

from hubbub.posts import AccountEvent, Deletion, Post
from hubbub.stream.live.recheck import Recheck
from tests.platforms.appview import FakeAppView
from tests.platforms.jetstream import FakeJetstream
from tests.stream.live.following import following


def uri(number):
    return f"at://did:plc:a{number % 7}/app.bsky.feed.post/k{number}"


@pytest.fixture
def world(tmp_path):
    """A platform, its AppView, and the address that names both, behind 200 posts and a gap."""
    with FakeJetstream() as fake, FakeAppView() as appview:
        url = f"{fake.v2_url}#appview=127.0.0.1:{appview.port}&check=0.01"
        with following(tmp_path, url) as followed:
            followed.wait(lambda: followed.counts.vitals.num_connections)
            for number in range(200):
                fake.post(f"did:plc:a{number % 7}", f"k{number}", f"post {number}")
            fake.delete("did:plc:a0", "k7")
            fake.commit("did:plc:a1", "app.bsky.feed.repost", "r", "create", {"subject": {"uri": uri(3)}})
            followed.wait_for(202)
            assert appview.asked == [], "nothing was missed"
        appview.posts = {uri(number) for number in range(200)}
        appview.authors = {f"did:plc:a{number}" for number in range(7)}
        fake.post("did:plc:late", "missed", "nobody saw this")
        fake.post("did:plc:late", "kept", "the oldest that the server still has")
        fake.floor_seq = 204
        yield fake, appview, url


def test_what_went_in_the_gap_is_found_and_the_gap_has_a_length(world, tmp_path):
    _, appview, url = world
    appview.posts -= {uri(3), uri(150)} | {uri(number) for number in range(200) if number % 7 == 5}
    appview.authors -= {"did:plc:a5"}
    with following(tmp_path, url) as followed:
        followed.wait(lambda: len(appview.asked) == 8 and not list((tmp_path / "state").glob("recheck*")))
        events = followed.events()[202:]
        (post,) = [event for event in events if isinstance(event, Post)]
        assert post.text == "the oldest that the server still has"
        assert {event.id for event in events if isinstance(event, Deletion)} == {uri(3), uri(150)}
        hidden = {(event.author, event.status) for event in events if isinstance(event, AccountEvent)}
        assert hidden == {("did:plc:a5", "suspended")}
        vitals = followed.counts.vitals
        assert vitals.num_gaps == 1
        assert 0 < vitals.missed_s < 60
        assert "CursorTooOld" in vitals.last_gap and "missing" in vitals.last_gap
    asked = [identity for request in appview.asked for identity in request]
    assert asked[0] == uri(199), "the newest first"
    assert len(asked) == len(set(asked)) == 199
    assert uri(7) not in asked


def test_it_goes_on_after_a_restart_and_asks_again_when_it_was_refused(world, tmp_path):
    _, appview, url = world
    appview.posts -= {uri(2)}
    with following(tmp_path, url.replace("check=0.01", "check=30")) as followed:
        followed.wait(lambda: appview.asked and followed.counts.vitals.num_gaps)
        followed.wait(lambda: b'"below":203' not in _state(tmp_path))
    with following(tmp_path, url) as followed:
        followed.wait(lambda: uri(2) in [e.id for e in followed.events() if isinstance(e, Deletion)])
    asked = [identity for request in appview.asked for identity in request]
    assert len(asked) == len(set(asked))


def test_an_appview_that_knows_nothing_erases_nothing(world, tmp_path):
    _, appview, url = world
    appview.posts, appview.authors = set(), set()
    with following(tmp_path, url) as followed:
        followed.wait(lambda: len(appview.asked) == 8 and not _state(tmp_path))
        assert followed.archive.last_seq == 203


def test_a_refusal_is_counted_and_nothing_is_skipped(world, tmp_path):
    _, appview, url = world
    appview.status = 503
    with following(tmp_path, url) as followed:
        followed.wait(lambda: followed.counts.vitals.notices.get("a check was refused"))
        assert b'"below":203' in _state(tmp_path)


def _state(tmp_path):
    return b"".join(path.read_bytes() for path in (tmp_path / "state").glob("recheck*.json"))


def test_what_was_found_behind_an_earlier_gap_is_no_progress_behind_the_next(world, tmp_path):
    _, appview, _ = world
    stop = threading.Event()
    recheck = Recheck(f"http://127.0.0.1:{appview.port}", tmp_path / "archive", tmp_path / "task", 0.01)
    recheck.begin()
    recheck.run(stop)
    while (checked := recheck.poll()) is None:
        time.sleep(0.01)
    recheck.begin()
    before = (tmp_path / "task").read_bytes()
    recheck.keep(checked)
    assert (tmp_path / "task").read_bytes() == before
    while (tmp_path / "task").exists():
        recheck.run(stop)
        while (checked := recheck.poll()) is not None:
            recheck.keep(checked)
        time.sleep(0.01)
    stop.set()
    asked = [identity for request in appview.asked for identity in request]
    assert {identity: asked.count(identity) for identity in asked}[uri(199)] == 2
    assert len(set(asked)) == 199
