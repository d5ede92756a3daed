"""Compaction takes the text that must go from the disk, keeps everything else, and disturbs nobody."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.errors import Corruption
from hubbub.posts import AccountEvent, ConsentEvent, Deletion, Edit, Post
from hubbub.stream import open_archive
from hubbub.stream.archive.erasure import Erasures, blank, is_blank
from tests.stream.invented import any_post, post, posts, texts


def on_disk(path) -> bytes:
    """Everything in the directory, unpacked: what somebody who takes the disk can read."""
    from hubbub.stream.archive.frame import _inflate
    from hubbub.stream.archive.segment import FrameWalk, open_segment

    found = [file.read_bytes() for file in path.iterdir()]
    for file in path.glob("*.log"):
        for _, frame, payload in FrameWalk(open_segment(file)).frames():
            found.append(bytes(_inflate(frame, payload)))
    return b"".join(found)


def secret(number, **fields):
    return Post(**{**_fields(number), **fields})


def _fields(number):
    return {
        "id": f"test://post/{number}",
        "author": "test://author/0",
        "text": f"SECRET text {number}",
        "received_us": number,
        "name": f"SECRET name {number}",
        "handle": f"SECRET{number}",
        "links": (f"https://example.org/SECRET{number}",),
        "media": (f"SECRET picture {number}",),
    }


def compacted(path, events, **options):
    """Append events one batch each, compact, and return what is left, seq to event."""
    with open_archive(path, **options) as archive:
        for event in events:
            archive.append([event])
        archive.compact(1)
        return dict(archive.read())


@pytest.mark.parametrize("segment_bytes", [1, 400, 1 << 20])
def test_a_deleted_post_leaves_the_disk_and_its_deletion_stays(tmp_path, segment_bytes):
    deletion = Deletion(id="test://post/2", received_us=9)
    events = [post(1), secret(2), post(3), deletion, secret(2), post(4)]
    left = compacted(tmp_path, events, segment_bytes=segment_bytes)
    gone = blank(events[1])
    assert list(left.values()) == [post(1), gone, post(3), deletion, gone, post(4)]
    assert gone.text == "" and gone.id == "test://post/2" and gone.received_us == 2
    assert b"SECRET" not in on_disk(tmp_path)
    with open_archive(tmp_path) as archive:
        assert dict(archive.read()) == left
        assert archive.append([post(5)]) == range(7, 8)


def test_a_removed_account_loses_all_posts_until_it_is_restored(tmp_path):
    author = "test://author/0"
    events = [
        secret(1),
        post(2, author="test://author/1"),
        AccountEvent(author=author, status="removed", received_us=3),
        secret(4),
        AccountEvent(author=author, status="restored", received_us=5),
        post(6, author=author),
        AccountEvent(author=author, status="suspended", received_us=7),
    ]
    left = compacted(tmp_path, events)
    assert left[1].text == left[4].text == ""
    assert [left[seq] for seq in (2, 3, 5, 6, 7)] == [events[seq - 1] for seq in (2, 3, 5, 6, 7)]
    assert b"SECRET" not in on_disk(tmp_path)


def test_an_edit_takes_the_version_it_replaces(tmp_path):
    by_same_id = Edit(post=post(1, "now right"), replaces="test://post/1")
    second = Edit(post=secret(20), replaces="test://post/2")
    third = Edit(post=post(21, "third"), replaces="test://post/20")
    left = compacted(tmp_path, [secret(1), by_same_id, secret(2), second, third])
    assert [event.text for event in (left[1], left[3])] == ["", ""]
    assert left[4] == Edit(post=blank(second.post), replaces="test://post/2")
    assert (left[2], left[5]) == (by_same_id, third)
    assert b"SECRET" not in on_disk(tmp_path)


@pytest.mark.parametrize("segment_bytes", [1, 1 << 20])
def test_a_second_edit_that_names_the_first_id_takes_the_version_between(tmp_path, segment_bytes):
    between = Edit(post=secret(2), replaces="test://post/1")
    last = Edit(post=post(3, "last"), replaces="test://post/1")
    left = compacted(tmp_path, [secret(2), secret(1), between, last], segment_bytes=segment_bytes)
    assert [left[1].text, left[2].text, left[3].post.text, left[4]] == ["", "", "", last]
    assert b"SECRET" not in on_disk(tmp_path)
    circle = [Edit(post=post(a), replaces=f"test://post/{b}") for a, b in ((2, 1), (3, 1), (2, 3), (4, 1))]
    erasures = Erasures()
    for seq, event in enumerate(circle, 1):
        erasures.note(seq, event)


def test_an_old_edit_sent_again_takes_nothing_from_the_newer_one(tmp_path):
    def edit(text, received_us):
        replaced = Post(id="test://p", author="test://a", text=text, received_us=received_us)
        return Edit(post=replaced, replaces="test://p")

    left = compacted(tmp_path, [edit("older", 1), edit("newer", 2), edit("older", 1)])
    assert left[2].post.text == "newer"


def test_who_refuses_the_index_loses_all_posts_until_they_take_it_back(tmp_path):
    def consent(author, allow, scope="index"):
        return ConsentEvent(author=author, scope=scope, allow=allow, received_us=1)

    events = [
        secret(1, author="test://no"),
        consent("test://no", False),
        secret(2, author="test://no"),
        secret(3, author="test://changed"),
        consent("test://changed", False),
        consent("test://changed", None),
        post(4, author="test://changed"),
        post(5, author="test://prompt"),
        consent("test://prompt", False, "prompt"),
    ]
    left = compacted(tmp_path, events)
    assert left[1].text == left[3].text == left[4].text == ""
    assert (left[7], left[8]) == (events[6], events[7])
    assert b"SECRET" not in on_disk(tmp_path)


def test_a_deletion_reaches_the_edits_that_gave_the_post_a_new_id(tmp_path):
    first = Edit(post=secret(2), replaces="test://post/1")
    late = Edit(post=secret(3), replaces="test://post/2")
    left = compacted(tmp_path, [secret(1), first, Deletion(id="test://post/1", received_us=9), late])
    assert left[2].post.text == left[4].post.text == ""
    assert b"SECRET" not in on_disk(tmp_path)


def test_a_post_that_came_again_after_its_edit_goes_only_if_it_is_the_older_one(tmp_path):
    def version(text, received_us):
        return Post(id="test://p", author="test://a", text=text, received_us=received_us)

    edit = Edit(post=version("edited", 5), replaces="test://p")
    left = compacted(tmp_path, [edit, version("the first one again", 4), version("another", 6)])
    assert (left[2].text, left[3].text) == ("", "another")


def test_compaction_reports_and_then_has_nothing_to_do(tmp_path):
    with open_archive(tmp_path, segment_bytes=2000) as archive:
        for number in range(1, 101):
            archive.append([secret(number)])
        archive.append([Deletion(id="test://post/7", received_us=1)], {"a": "1"})
        report = archive.compact(17)
        assert (report.now_us, report.num_erased, report.num_files) == (17, 1, 1)
        assert report.freed_bytes > 0
        before = {file: file.stat().st_ino for file in tmp_path.iterdir()}
        assert archive.compact(18).num_files == 0
        archive.append([post(101)])
        assert archive.compact(19).num_files == 0
        assert {file: file.stat().st_ino for file in tmp_path.iterdir()}.items() >= before.items()
        assert archive.cursor("a") == "1"
    with open_archive(tmp_path) as archive:
        assert archive.cursor("a") == "1"
        assert archive.compact(20).num_erased == 0


def test_lost_or_damaged_facts_are_made_again(tmp_path):
    with open_archive(tmp_path, segment_bytes=2000) as archive:
        for number in range(1, 101):
            archive.append([secret(number)])
        archive.compact(1)
    facts = sorted(tmp_path.glob("*.facts"))
    facts[0].unlink()
    facts[1].write_bytes(facts[1].read_bytes()[:-1])
    with open_archive(tmp_path) as archive:
        archive.append([Deletion(id=f"test://post/{number}", received_us=1) for number in range(1, 101)])
        assert archive.compact(1).num_erased == 100
    assert b"SECRET" not in on_disk(tmp_path)


def test_text_that_comes_back_with_a_file_from_a_backup_is_erased_again(tmp_path):
    with open_archive(tmp_path, segment_bytes=200) as archive:
        archive.append([secret(1)])
        archive.append([post(2)])
        backup = (file := min(tmp_path.glob("*.log"))).read_bytes()
        archive.append([Deletion(id="test://post/1", received_us=9)])
        archive.compact(1)
    file.write_bytes(backup)
    with open_archive(tmp_path) as archive:
        archive.compact(2)
    assert b"SECRET" not in on_disk(tmp_path)


def test_compaction_never_writes_over_a_damaged_file(tmp_path):
    with open_archive(tmp_path, segment_bytes=500) as archive:
        for number in range(1, 31):
            archive.append([post(number)])
    victim = sorted(tmp_path.glob("*.log"))[1]
    damaged = bytearray(victim.read_bytes())
    damaged[-20] ^= 1
    victim.write_bytes(damaged)
    with open_archive(tmp_path) as archive:
        archive.append([Deletion(id=f"test://post/{number}", received_us=1) for number in range(1, 31)])
        with pytest.raises(Corruption, match=victim.name):
            archive.compact(1)
    assert victim.read_bytes() == damaged


def test_cursors_survive_the_rewriting_of_their_file(tmp_path):
    with open_archive(tmp_path) as archive:
        archive.append([secret(1)], {"a": "1", "b": "2"})
        archive.append([], {"b": "3"})
        archive.append([Deletion(id="test://post/1", received_us=1)])
        assert archive.compact(1).num_erased == 1
    with open_archive(tmp_path) as archive:
        assert (archive.cursor("a"), archive.cursor("b")) == ("1", "3")


def test_a_reading_that_began_before_hands_out_no_erased_text_after(tmp_path):
    with open_archive(tmp_path) as archive, open_archive(tmp_path, "r") as outside:
        for number in range(1, 4):
            archive.append([secret(number), secret(number)])
        archive.append([Deletion(id="test://post/3", received_us=1)])
        readings = [archive.read(), outside.read()]
        for reading in readings:
            assert next(reading) == (1, secret(1))
        archive.compact(1)
        for reading in readings:
            left = list(reading)
            assert [seq for seq, _ in left] == [2, 3, 4, 5, 6, 7]
            assert [event.text for _, event in left[3:5]] == ["", ""]


def test_a_reader_that_looks_away_over_two_compactions_finds_its_place_again(tmp_path):
    """The file system gives the second new file the number of the first old one."""
    with open_archive(tmp_path) as archive, open_archive(tmp_path, "r") as outside:
        last = 0
        for number in range(1, 100, 4):
            archive.append([secret(number), secret(number + 1), post(number + 2)])
            for seq, event in outside.read(last):
                assert seq == last + 1 and event.received_us
                last = seq
            for gone in (number, number + 1):
                archive.append([Deletion(id=f"test://post/{gone}", received_us=1)])
                assert archive.compact(1).num_files == 1
        assert outside.last_seq == archive.last_seq
        assert list(outside.read()) == list(archive.read())


def write_and_delete(archive, is_done):
    """Append without pause, up to a limit; every tenth event deletes the post half as far back."""
    first = 1
    while first < 50_000 and not (is_done.is_set() and first > 1000):
        archive.append(posts(first, first + 8))
        archive.append([Deletion(id=f"test://post/{first // 2}", received_us=1)])
        first += 10
        time.sleep(0.0005)
    return first - 1


def read_on(reader, is_done):
    last = 0
    while not is_done.is_set() or reader.last_seq > last:
        reader.wait(last, 0.1)
        for seq, event in reader.read(last, 100):
            assert seq == last + 1
            last = seq
            assert isinstance(event, Deletion) or event in (post(seq), blank(post(seq)))
    return last


def test_readers_and_the_writer_carry_on_while_it_is_compacted(tmp_path):
    has_written, has_read = threading.Event(), threading.Event()
    with (
        ThreadPoolExecutor() as pool,
        open_archive(tmp_path, segment_bytes=200_000) as archive,
        open_archive(tmp_path, "r") as outside,
    ):
        writing = pool.submit(write_and_delete, archive, has_written)
        readings = [pool.submit(read_on, reader, has_read) for reader in (archive, outside)]
        try:
            num_files = 0
            while num_files < 4 and not writing.done():
                num_files += archive.compact(1).num_files
        finally:
            has_written.set()
            last = writing.result()
            has_read.set()
        assert num_files >= 4
        assert [reading.result() for reading in readings] == [last, last]
        archive.compact(2)
        texts = {event.id: event.text for _, event in archive.read() if isinstance(event, Post)}
        assert all(texts.get(f"test://post/{first // 2}", "") == "" for first in range(1, last + 1, 10))


ids = st.sampled_from(["p", "q", "r", "s"])
authors = st.sampled_from(["a", "b"])
small_posts = st.builds(
    Post, id=ids, author=authors, text=st.sampled_from(["x", "y"]), received_us=st.integers(1, 5)
)
small_events = st.one_of(
    small_posts,
    st.builds(Edit, post=small_posts, replaces=ids),
    st.builds(Deletion, id=ids, received_us=st.just(1)),
    st.builds(
        AccountEvent, author=authors, status=st.sampled_from(["removed", "restored"]), received_us=st.just(1)
    ),
    st.builds(
        ConsentEvent,
        author=authors,
        scope=st.just("index"),
        allow=st.sampled_from([False, None]),
        received_us=st.just(1),
    ),
)


@given(st.one_of(any_post, st.builds(Edit, post=any_post, replaces=texts)))
def test_blank_is_what_blanking_does_not_change(event):
    assert is_blank(event) == (event == blank(event))
    assert is_blank(blank(event))


@settings(max_examples=60)
@given(
    events=st.lists(small_events, max_size=14), cut=st.integers(0, 14), size=st.sampled_from([1, 150, 10_000])
)
def test_compacting_twice_on_the_way_leaves_what_the_rules_say(tmp_path_factory, events, cut, size):
    path = tmp_path_factory.mktemp("archive")
    with open_archive(path, segment_bytes=size) as archive:
        for event in events[:cut]:
            archive.append([event])
        archive.compact(1)
        early = Erasures()
        for seq, event in enumerate(events[:cut], 1):
            early.note(seq, event)
        for event in events[cut:]:
            archive.append([event])
        archive.compact(2)
        late = Erasures()
        for seq, event in enumerate(events, 1):
            late.note(seq, event)
        for seq, event in archive.read():
            was_taken = late.takes(seq, events[seq - 1]) or seq <= cut and early.takes(seq, events[seq - 1])
            assert event == (blank(events[seq - 1]) if was_taken else events[seq - 1])


def test_what_came_after_the_erasures_were_gathered_is_not_judged_by_them():
    # Compaction gathers first and rewrites then; meanwhile the author may have come back and posted.
    erasures = Erasures(horizon=2)
    before = post(1)
    after = Post(id="test://back", author=before.author, text="back", received_us=4)
    erasures.note(2, AccountEvent(author=before.author, status="removed", received_us=2))
    assert erasures.takes(1, before)
    assert not erasures.takes(4, after)


@pytest.mark.parametrize("segment_bytes", [1, 1 << 20])
def test_the_handles_of_an_account_that_is_gone_leave_the_disk(tmp_path, segment_bytes):
    named = [
        AccountEvent(author=f"test://author/{n % 2}", status="named", received_us=n, handle=f"SECRET{n}")
        for n in range(4)
    ]
    removed = AccountEvent(author="test://author/0", status="removed", received_us=9)
    left = compacted(tmp_path, [*named, removed], segment_bytes=segment_bytes)
    handles = [event.handle for event in left.values()]
    assert handles == [None, "SECRET1", None, "SECRET3", None] and left[5] == removed
    assert b"SECRET0" not in on_disk(tmp_path) and b"SECRET2" not in on_disk(tmp_path)
