"""A Mastodon server, followed over real sockets from a fake one; the posts are invented."""

import time
from contextlib import suppress

import pytest

from hubbub.errors import InvalidInput, StorageError
from hubbub.posts import ConsentEvent, Deletion, Edit, Post
from hubbub.stream.live import open_live
from hubbub.stream.live.mastodon_numbers import Numbers
from tests.platforms.mastodon import FakeMastodon, Faults
from tests.stream.live.following import following


@pytest.fixture
def fake():
    with FakeMastodon() as fake:
        fake.post("before", "before anybody followed")
        fake.pass_time(10)
        yield fake


def begin(followed, fake):
    followed.wait(lambda: followed.counts.vitals.state == "live" and fake.num_streams)


def living(followed):
    """What is left after folding: text by id."""
    texts = {}
    for event in followed.events():
        if isinstance(event, Post):
            texts[event.id] = event.text
        elif isinstance(event, Edit):
            texts[event.post.id] = event.post.text
        elif isinstance(event, Deletion):
            texts.pop(event.id, None)  # after a restart a deletion may be told again
    return sorted(texts.values())


@pytest.mark.parametrize("transport", ["", "#sse"])
def test_posts_edits_and_deletions_arrive(fake, tmp_path, transport, monkeypatch):
    monkeypatch.setenv("HUBBUB_MASTODON_TOKEN", "secret")
    with following(tmp_path, fake.url + transport) as followed:
        begin(followed, fake)
        first = fake.post("noor", "the ferry is late")
        fake.edit(first, "the ferry is on time")
        fake.post("omar@far.example", "from far away")
        fake.delete(first)
        followed.wait(lambda: Deletion in [type(event) for event in followed.events()])
        events = [event for event in followed.events() if not isinstance(event, ConsentEvent)]
        assert [type(event) for event in events] == [Post, Edit, Post, Deletion]
        assert events[3].id == events[0].id != first
    assert all(peer.request.headers["authorization"] == "Bearer secret" for peer in fake.asked)


def test_a_deletion_is_understood_after_a_restart_and_what_was_missed_is_fetched(fake, tmp_path):
    with following(tmp_path, fake.url) as followed:
        begin(followed, fake)
        number = fake.post("noor", "soon regretted")
        fake.post("noor", "stays")
        followed.wait(lambda: living(followed) == ["soon regretted", "stays"])
    for count in range(100):
        fake.post("omar", f"missed {count:03}")
    with following(tmp_path, fake.url) as followed:
        begin(followed, fake)
        fake.delete(number)
        missed = [f"missed {count:03}" for count in range(100)]
        followed.wait(lambda: living(followed) == [*missed, "stays"])
        assert sum(isinstance(event, Post) for event in followed.events()) == 102


def test_what_came_late_from_another_server_is_fetched_too(fake, tmp_path):
    with following(tmp_path, fake.url) as followed:
        begin(followed, fake)
        fake.post("noor", "seen")
        followed.wait_for(1)
    fake.post("far@far.example", "late from far away", late_s=120)
    with following(tmp_path, fake.url) as followed:
        followed.wait(lambda: living(followed) == ["late from far away", "seen"])


def test_after_cuts_nothing_is_lost_or_doubled(fake, tmp_path):
    fake.plan.extend([Faults(cut_after=20), Faults(refuse=503), Faults(cut_after=5, garbage=(b"no", b"{}"))])
    with following(tmp_path, f"{fake.url}#wait=0.01") as followed:
        begin(followed, fake)
        for count in range(60):
            fake.post("noor", f"post {count:03}")
        followed.wait(lambda: fake.num_streams >= 2)
        for count in range(60, 120):
            fake.post("noor", f"post {count:03}")
        wanted = [f"post {count:03}" for count in range(120)]
        followed.wait(lambda: living(followed) == wanted)
        assert sorted(followed.texts()) == wanted


@pytest.mark.parametrize("transport", ["", "sse&"])
def test_a_stream_that_is_half_gone_is_opened_anew_and_its_gap_filled(fake, tmp_path, transport):
    fake.plan.append(Faults(fall_silent=True))
    with following(tmp_path, f"{fake.url}#{transport}wait=0.01&quiet=0.5") as followed:
        begin(followed, fake)
        fake.post("noor", "said into the void")
        followed.wait(lambda: "said into the void" in living(followed))
        assert "has not said a word" in followed.counts.vitals.last_break


def test_what_went_without_a_word_is_noticed_by_asking_again(fake, tmp_path):
    with following(tmp_path, f"{fake.url}#check=0.05") as followed:
        begin(followed, fake)
        for count in range(30):
            fake.post("noor", f"noor {count:03}")
            fake.post("omar", f"omar {count:03}")
        followed.wait(lambda: len(living(followed)) == 60)
        fake.remove_account("noor")
        followed.wait(lambda: living(followed) == [f"omar {count:03}" for count in range(30)])
        assert followed.counts.vitals.notices["gone at a check"] == 30
    with following(tmp_path, f"{fake.url}#check=0.05") as followed:
        begin(followed, fake)
        fake.remove_account("omar")
        followed.wait(lambda: living(followed) == [])


def test_an_edit_that_was_missed_is_noticed_by_asking_again(fake, tmp_path):
    with following(tmp_path, fake.url) as followed:
        begin(followed, fake)
        number = fake.post("noor", "first words")
        followed.wait_for(1)
    fake.edit(number, "second thoughts")
    with following(tmp_path, f"{fake.url}#check=0.05") as followed:
        followed.wait(lambda: living(followed) == ["second thoughts"])
        time.sleep(0.3)
        assert sum(isinstance(event, Edit) for event in followed.events()) == 1


def test_a_server_that_knows_nothing_any_more_has_not_deleted_everything(fake, tmp_path):
    with following(tmp_path, f"{fake.url}#check=0.05") as followed:
        begin(followed, fake)
        fake.post("noor", "still here")
        followed.wait_for(1)
        fake.check_status = 500
        followed.wait(lambda: followed.counts.vitals.notices.get("a check was refused"))
        assert living(followed) == ["still here"]


def test_only_public_posts_of_those_who_allow_indexing_are_kept(fake, tmp_path):
    with following(tmp_path, fake.url) as followed:
        begin(followed, fake)
        fake.post("shy", "do not index", account={"indexable": False})
        fake.post("old", "an old server says nothing", account={"indexable": None})
        fake.post("robotless", "no robots", account={"note": "<p>#nobot</p>"})
        fake.post("noor", "unlisted", visibility="unlisted")
        fake.post("noor", "for all")
        followed.wait(lambda: living(followed) == ["for all"])
        refusals = {e.author for e in followed.events() if isinstance(e, ConsentEvent) and e.allow is False}
        assert {author.rpartition("/")[2] for author in refusals} == {"shy", "robotless"}


def test_a_full_disk_and_a_damaged_file_of_numbers_are_told(mount, tmp_path):
    path, mounted = mount
    mounted("size=200k")
    numbers = Numbers(path / "numbers.sqlite")
    with pytest.raises(StorageError, match="numbers.sqlite"):
        for number in range(10_000):
            numbers.put(str(number), f"https://town.example/{number}" * 20)
    with suppress(StorageError):
        numbers.close()
    file = tmp_path / "numbers.sqlite"
    numbers = Numbers(file)
    for number in range(1000):
        numbers.put(str(number), f"https://town.example/{number}")
    numbers.close()
    data = file.read_bytes()
    file.write_bytes(data[:8192] + bytes(len(data) - 8192))
    with pytest.raises(StorageError, match="numbers.sqlite"):
        Numbers(file).get("999")


@pytest.mark.parametrize(
    "name",
    [
        "mastodon://noor:secret@town.example",
        "mastodon://town.example?stream=secret",
        "mastodon+http://town.example",
        "mastodon://town.example?stream=hashtag",
    ],
)
def test_addresses_that_cannot_be_followed(name, tmp_path):
    with pytest.raises(InvalidInput):
        open_live(name, tmp_path)
