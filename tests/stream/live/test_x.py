"""X, followed over real sockets from a fake one; the posts are invented."""

import pytest

from hubbub.errors import InvalidInput
from hubbub.posts import AccountEvent, Deletion, Edit, Post
from hubbub.stream import open_archive
from hubbub.stream.live import open_live
from hubbub.stream.live.link import Disconnected, Refused
from hubbub.stream.live.token import read_token
from hubbub.stream.live.x import FIELDS, XBackoff
from hubbub.stream.live.x_rules import put_rules
from hubbub.units import US_PER_MINUTE, now_us
from tests.platforms.wire import FakeServer
from tests.platforms.x import SEARCH, FakeX, Faults
from tests.stream.live.following import following

FAST = "#wait=0.002"


@pytest.fixture(autouse=True)
def token(monkeypatch):
    monkeypatch.setenv("HUBBUB_X_TOKEN", "secret")


@pytest.fixture
def fake():
    with FakeX() as fake:
        yield fake


def begin(followed, fake):
    followed.wait(lambda: followed.counts.vitals.num_connections and fake.num_streams)


def test_posts_and_chains_of_edits_arrive_in_both_spellings(fake, tmp_path):
    with following(tmp_path, fake.url) as followed:
        begin(followed, fake)
        first = fake.post("1", "the ferry is late")
        second = fake.post("1", "the ferry is on time", (first,))
        fake.post("1", "the ferry is early", (first, second), words="post")
        followed.wait_for(4)
        events = followed.events()
        assert [type(event) for event in events] == [Post, Edit, Edit, Edit]
        assert [event.replaces for event in events[1:]] == [f"x://status/{n}" for n in (first, first, second)]
        assert events[3].post.handle == "name1"
    (request,) = (peer.request for peer in fake.asked)
    assert request.path == SEARCH
    assert request.headers["authorization"] == "Bearer secret"
    assert {key: request.one(key) for key in FIELDS} == FIELDS


def test_breaks_in_every_way_double_nothing(fake, tmp_path):
    fake.plan.extend(
        [
            Faults(cut_after=9, duplicate=True),
            Faults(refuse=503),
            Faults(error_after=5, backfill=12),
            Faults(refuse=429, retry_after=1),
            Faults(backfill=30),
        ]
    )
    with following(tmp_path, f"{fake.url}?backfill_minutes=5{FAST}") as followed:
        begin(followed, fake)
        wanted = [f"post {count:02}" for count in range(20)]
        for text in wanted[:10]:
            fake.post("1", text)
        followed.wait(lambda: fake.num_streams == 3)
        for text in wanted[10:]:
            fake.post("1", text)
        followed.wait(lambda: sorted(followed.texts()) == wanted)
        assert "429" in followed.counts.vitals.last_break
    asked = [peer.request.one("backfill_minutes") for peer in fake.asked]
    assert asked[0] is None
    assert set(asked[1:]) == {"1"}


def test_a_stream_without_a_sign_of_life_is_opened_anew(fake, tmp_path):
    fake.plan.append(Faults(fall_silent=True))
    with following(tmp_path, f"{fake.url}{FAST}&quiet=0.4") as followed:
        followed.wait(lambda: fake.num_streams == 2)
        fake.post("1", "the ferry is late")
        followed.wait(lambda: followed.texts() == ["the ferry is late"])
        assert "has not said a word" in followed.counts.vitals.last_break


def test_what_was_missed_without_backfill_is_a_gap_that_shows(fake, tmp_path):
    for _ in range(2):
        with following(tmp_path, fake.url) as followed:
            begin(followed, fake)
    assert followed.counts.vitals.num_gaps == 1


def test_rules_are_set_and_those_of_others_left_alone(fake, tmp_path):
    fake.rules["8"] = {"id": "8", "value": "stale", "tag": "hubbub"}
    rules = tmp_path / "rules"
    rules.write_text("# of the town\nferry lang:en\n\nflood has:media\n")
    with following(tmp_path, f"{fake.url}?rule=bridge#rules={rules}") as followed:
        begin(followed, fake)
        assert sorted(rule["value"] for rule in fake.rules.values()) == [
            "bridge",
            "ferry lang:en",
            "flood has:media",
            "somebody else's",
        ]
    assert fake.asked[-1].request.one("rule") is None


def test_compliance_orders_count_each_time(fake, tmp_path):
    with following(tmp_path, f"{fake.url}/2/users/compliance/stream?partition=1") as followed:
        begin(followed, fake)
        for order in ("user_protect", "user_unprotect", "user_protect", "user_delete"):
            fake.tell({"data": {order: {"user": {"id": "5"}, "event_at": "2026-11-22T08:00:00.000Z"}}})
        fake.tell(
            {
                "data": {
                    "delete": {"tweet": {"id": "17", "author_id": "5"}, "event_at": "2026-11-22T08:00:00Z"}
                }
            }
        )
        followed.wait_for(5)
        events = followed.events()
        statuses = [event.status for event in events if isinstance(event, AccountEvent)]
        assert statuses == ["protected", "restored", "protected", "removed"]
        assert isinstance(events[4], Deletion)
    assert fake.asked[0].request.one("partition") == "1"


def test_what_is_withheld_where_the_posts_are_read_is_not_kept_and_what_came_before_is_erased(fake, tmp_path):
    with following(tmp_path, f"{fake.url}#countries=de,fr") as followed:
        begin(followed, fake)
        first = fake.post("1", "the ferry is late")
        fake.tell({"data": {"id": first, "text": "the ferry", "withheld": {"country_codes": ["DE"]}}})
        fake.tell({"data": {"id": "77", "text": "elsewhere", "withheld": {"country_codes": ["TR"]}}})
        followed.wait_for(3)
        assert [getattr(event, "reason", None) for event in followed.events()] == [None, "withheld", None]
        assert followed.texts() == ["the ferry is late", "elsewhere"]
    assert "withheld" in fake.asked[0].request.one("tweet.fields")


def test_waits_are_those_that_x_documents():
    backoff = XBackoff()
    broken = Disconnected("broken")
    assert [backoff.wait_s(broken, 0) for _ in range(3)] == [0.25, 0.5, 0.75]
    assert [backoff.wait_s(broken, 0) for _ in range(80)][-1] == 16
    refused = Refused("no", status=503)
    assert [backoff.wait_s(refused, 0) for _ in range(8)] == [5, 10, 20, 40, 80, 160, 320, 320]
    assert backoff.wait_s(broken, 3600) == 0.25, "a connection that held starts anew"
    limited = Refused("no", status=429)
    assert [backoff.wait_s(limited, 0) for _ in range(3)] == [60, 120, 240]
    assert backoff.wait_s(Refused("no", status=429, retry_s=900), 0) == 900


def test_a_clock_that_was_set_back_asks_for_nothing_and_is_no_gap(fake, tmp_path):
    with open_archive(tmp_path / "archive") as archive:
        url = f"{fake.url}?backfill_minutes=5"
        archive.append([], {open_live(url, tmp_path).name: str(now_us() + 10 * US_PER_MINUTE)})
    with following(tmp_path, url) as followed:
        begin(followed, fake)
        assert followed.counts.vitals.num_gaps == 0
    assert fake.asked[0].request.one("backfill_minutes") is None


def test_rules_answered_with_nonsense_are_asked_for_again():
    class Gateway(FakeServer):
        def serve(self, peer):
            while peer.read_request():
                peer.answer(200, b"<html>be patient</html>")

    with Gateway() as gateway, pytest.raises(Disconnected, match="nonsense"):
        put_rules(f"http://127.0.0.1:{gateway.port}", "secret", ["ferry"])


def test_countries_are_codes(tmp_path):
    with pytest.raises(InvalidInput, match="countries"):
        open_live("x://#countries=Germany", tmp_path)


def test_without_a_token_nothing_is_tried(tmp_path, monkeypatch):
    monkeypatch.delenv("HUBBUB_X_TOKEN")
    with pytest.raises(InvalidInput, match="HUBBUB_X_TOKEN"):
        open_live("x://", tmp_path)
    monkeypatch.setenv("HUBBUB_X_TOKEN", "two\nlines")
    with pytest.raises(InvalidInput, match="HUBBUB_X_TOKEN"):
        open_live("x://", tmp_path)
    monkeypatch.setenv("HUBBUB_X_TOKEN", " secret\r\n")
    assert read_token("x", "api.x.com") == "secret"
