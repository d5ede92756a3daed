"""Appending, reading, waiting and cursors of one archive."""

import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.errors import InUse, InvalidEvent, InvalidInput, StorageError
from hubbub.stream import open_archive
from hubbub.stream.archive import writer
from tests.stream.invented import any_event, post, posts


def test_numbers_rise_from_one_without_gaps(tmp_path):
    with open_archive(tmp_path) as archive:
        assert archive.last_seq == 0
        assert list(archive.read()) == []
        assert archive.append(posts(1, 3)) == range(1, 4)
        assert archive.append([]) == range(4, 4)
        assert archive.append(posts(4, 4)) == range(4, 5)
        assert list(archive.read()) == list(enumerate(posts(1, 4), 1))
        assert archive.last_seq == 4


def test_reading_starts_anywhere_and_stops_at_the_limit(tmp_path):
    with open_archive(tmp_path, segment_bytes=3000) as archive:
        for first in range(1, 1000, 10):
            archive.append(posts(first, first + 9))
        everything = list(enumerate(posts(1, 1000), 1))
        assert len(list(tmp_path.glob("*.log"))) > 5
        for after in (0, 1, 9, 10, 11, 499, 995, 999, 1000, 2000, -5):
            start = max(after, 0)
            assert list(archive.read(after)) == everything[start:]
            assert (
                list(archive.read(after, 13))
                == everything[start : max(after, 0) + 13][: max(after + 13 - start, 0)]
            )


def test_reading_in_small_steps_meets_every_event_once(tmp_path):
    with open_archive(tmp_path, segment_bytes=3000) as archive:
        for first in range(1, 500, 7):
            archive.append(posts(first, first + 6))
        last, seen = 0, []
        while batch := list(archive.read(last, 5)):
            seen += [event for _, event in batch]
            last = batch[-1][0]
        assert seen == [event for _, event in archive.read()]


def test_what_was_read_stops_where_the_log_ended_when_asked(tmp_path):
    with open_archive(tmp_path) as archive:
        archive.append(posts(1, 3))
        reading = archive.read()
        archive.append(posts(4, 6))
        assert [seq for seq, _ in reading] == [1, 2, 3]


def test_reopening_goes_on_where_the_log_ended(tmp_path):
    with open_archive(tmp_path) as archive:
        archive.append(posts(1, 5), {"a": "17"})
    with open_archive(tmp_path) as archive:
        assert archive.repair is None
        assert archive.cursor("a") == "17"
        assert archive.append(posts(6, 6)) == range(6, 7)
        assert [event for _, event in archive.read()] == posts(1, 6)


def test_cursors_are_kept_over_files_and_known_to_readers(tmp_path):
    with open_archive(tmp_path, segment_bytes=500) as archive:
        archive.append(posts(1, 5), {"a": "1", "b": "x"})
        for number in range(10):
            archive.append(posts(1, 5), {"a": str(number)})
        archive.append([], {"c": "only a cursor"})
        with open_archive(tmp_path, "r") as reader:
            assert [reader.cursor(name) for name in "abcd"] == ["9", "x", "only a cursor", None]
    with open_archive(tmp_path) as archive:
        assert [archive.cursor(name) for name in "abcd"] == ["9", "x", "only a cursor", None]


@settings(max_examples=40)
@given(
    batches=st.lists(
        st.tuples(st.integers(0, 2), st.dictionaries(st.sampled_from("abc"), st.text())), max_size=9
    )
)
def test_cursors_are_the_newest_however_often_all_are_repeated(tmp_path_factory, batches):
    path, expected = tmp_path_factory.mktemp("archive"), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "_COMPLETE_EVERY_BYTES", 100)
        for num_posts, cursors in batches:
            with open_archive(path, segment_bytes=900) as archive:
                archive.append(posts(1, num_posts), cursors)
                expected |= cursors
                with open_archive(path, "r") as reader:
                    assert {name: reader.cursor(name) for name in expected} == expected
                assert {name: archive.cursor(name) for name in expected} == expected
    with open_archive(path) as archive:
        assert {name: archive.cursor(name) for name in expected} == expected


@settings(max_examples=25)
@given(batches=st.lists(st.lists(any_event, max_size=5), max_size=5))
def test_any_event_comes_back_as_it_was(tmp_path_factory, batches):
    path = tmp_path_factory.mktemp("archive")
    with open_archive(path, segment_bytes=400) as archive:
        for batch in batches:
            archive.append(batch)
    with open_archive(path, "r") as archive:
        events = [event for batch in batches for event in batch]
        assert list(archive.read()) == list(enumerate(events, 1))


def test_an_event_that_cannot_be_stored_is_refused_whole(tmp_path):
    with open_archive(tmp_path) as archive:
        with pytest.raises(InvalidEvent, match="cannot be stored"):
            archive.append([post(1), post(2, "half of a pair: \ud83d")], {"source": "7"})
        assert (archive.last_seq, archive.cursor("source")) == (0, None)
        assert archive.append([post(1)]) == range(1, 2)


def test_a_second_writer_is_told_who_writes(tmp_path):
    with open_archive(tmp_path):
        code = f"from hubbub.stream import open_archive; open_archive({str(tmp_path)!r})"
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        import os

        assert f"InUse: archive {str(tmp_path)!r} is being written by process {os.getpid()}" in run.stderr
        with pytest.raises(InUse):
            open_archive(tmp_path)
    with open_archive(tmp_path) as archive:
        archive.append(posts(1, 1))


def test_a_reader_cannot_write_and_a_closed_writer_neither(tmp_path):
    with open_archive(tmp_path) as archive:
        pass
    with pytest.raises(InvalidInput, match="closed"):
        archive.append(posts(1, 1))
    with open_archive(tmp_path, "r") as reader, pytest.raises(InvalidInput, match="open for reading"):
        reader.append(posts(1, 1))
    with pytest.raises(InvalidInput, match="mode"):
        open_archive(tmp_path, "rw")  # type: ignore[arg-type]


def test_there_must_be_an_archive_to_read(tmp_path):
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(StorageError, match="no archive"):
            open_archive(path, "r")


def test_waiting_ends_as_soon_as_there_is_more(tmp_path):
    with open_archive(tmp_path) as archive:
        assert archive.wait(0, 0.01) is False
        timer = threading.Timer(0.05, archive.append, [posts(1, 1)])
        timer.start()
        began = time.monotonic()
        assert archive.wait(0, 10) is True
        assert time.monotonic() - began < 5
        assert archive.wait(0, 0) is True
        assert archive.wait(1, 0.01) is False
        timer.join()


def test_closing_ends_the_waiting(tmp_path):
    with open_archive(tmp_path) as archive, open_archive(tmp_path, "r") as reader:
        threads = [threading.Thread(target=a.wait, args=(0, 60)) for a in (archive, reader)]
        for thread in threads:
            thread.start()
        archive.close()
        reader.close()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()


WRITER = """
import sys, time
from hubbub.stream import open_archive
from hubbub.stream.archive import writer
from tests.stream.invented import posts
with open_archive(sys.argv[1], segment_bytes=5000) as archive:
    for first in range(1, 1001, 5):
        archive.append(posts(first, first + 4))
        time.sleep(0.001)
"""


def test_readers_of_other_processes_follow_a_writer(tmp_path):
    with open_archive(tmp_path):
        pass
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)])
    seen: list[list[int]] = [[], []]

    def read(mine: list[int]) -> None:
        with open_archive(tmp_path, "r") as archive:
            while len(mine) < 1000 and archive.wait(len(mine), 30):
                for seq, event in archive.read(len(mine)):
                    assert event == post(seq)
                    mine.append(seq)

    threads = [threading.Thread(target=read, args=(mine,)) for mine in seen]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert writer.wait() == 0
    assert seen == [list(range(1, 1001))] * 2
