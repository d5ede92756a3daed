"""Marks tell when a stage was over; whatever is torn, thinned or cut, none claims what has not happened."""

import os

from hypothesis import given
from hypothesis import strategies as st

from hubbub.posts import AccountEvent, ConsentEvent, Deletion
from hubbub.stream import open_archive
from hubbub.stream.archive.erasure import erases
from hubbub.stream.archive.marks import Marks, MarkTable, path_of
from hubbub.stream.archive.records import read_records
from tests.stream.invented import post


def test_a_mark_tells_for_which_events_and_when(tmp_path):
    marks = Marks(tmp_path, "gone")
    marks.note(3, 5, 1000)
    marks.note(4, 9, 2000)  # 4 and 5 keep their time
    marks.note(1, 9, 3000)
    table = MarkTable(tmp_path, "gone")
    assert [table.find(seq) for seq in (2, 3, 5, 6, 9, 10)] == [None, 1000, 1000, 2000, 2000, None]
    assert table.last_seq == Marks(tmp_path, "gone").last_seq == 9
    assert (table.after(5).at_us, table.after(9)) == (2000, None)


def test_a_torn_or_damaged_record_costs_only_itself(tmp_path):
    marks = Marks(tmp_path, "erased")
    for seq in (1, 2, 3):
        marks.note(seq, seq, seq)
    path = path_of(tmp_path, "erased")
    data = bytearray(path.read_bytes())
    data[30] ^= 1
    path.write_bytes(bytes(data) + b"torn")
    assert read_records(path) == [(1, 1, 1), (3, 3, 3)]
    Marks(tmp_path, "erased").note(4, 4, 4)
    assert read_records(path) == [(1, 1, 1), (3, 3, 3), (4, 4, 4)]


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(0, 700_000)), max_size=60))
def test_a_thinned_file_claims_nothing_too_early(tmp_path_factory, steps):
    directory = tmp_path_factory.mktemp("marks")
    marks, truth, seq, at_us = Marks(directory, "gone", max_bytes=28 * 8), {}, 0, 0
    for gap, length, wait_us in steps:
        first, seq, at_us = seq + gap, seq + gap + length - 1, at_us + wait_us
        marks.note(first, seq, at_us)
        truth |= dict.fromkeys(range(first, seq + 1), at_us)
    table = MarkTable(directory, "gone")
    assert table.last_seq == seq
    assert len(table.marks) <= 8
    for known, true_us in truth.items():
        assert (found := table.find(known)) is None or found >= true_us


def test_power_loss_takes_marks_of_events_that_are_lost(tmp_path):
    with open_archive(tmp_path, flush_ms=0) as archive:
        archive.append([post(1), Deletion(id=post(1).id, received_us=1)])
    Marks(tmp_path, "gone").note(2, 9, 7)  # of events that the disk never got
    with open_archive(tmp_path) as archive:
        assert MarkTable(tmp_path, "gone").last_seq == archive.last_seq == 2


def test_a_mark_lost_in_a_crash_is_made_up_for_at_the_next_opening(tmp_path):
    archive = open_archive(tmp_path, flush_ms=0)
    archive.append([Deletion(id="x:1", received_us=1)])
    archive.append([Deletion(id="x:2", received_us=1)])
    archive.append([post(3)])
    archive.close()
    path = path_of(tmp_path, "archived")
    os.truncate(path, 28)
    open_archive(tmp_path).close()
    table = MarkTable(tmp_path, "archived")
    assert table.find(2) is not None
    assert table.last_seq == 3


def test_compaction_marks_what_it_erased_and_no_more(tmp_path):
    with open_archive(tmp_path, flush_ms=0) as archive:
        archive.append([post(1), Deletion(id=post(1).id, received_us=1)])
        archive.compact(0)
        archive.append([Deletion(id=post(2).id, received_us=1)])
        table = MarkTable(tmp_path, "erased")
        assert (table.last_seq, table.find(3)) == (2, None)
        archive.compact(0)
        assert MarkTable(tmp_path, "erased").last_seq == 3


def test_what_erases():
    removed, hidden = (AccountEvent(author="a", status=s, received_us=1) for s in ("removed", "suspended"))
    refused, asked = (
        ConsentEvent(author="a", scope=s, allow=False, received_us=1) for s in ("index", "show")
    )
    assert [erases(e) for e in (removed, hidden, refused, asked, post(1))] == [
        True,
        False,
        True,
        False,
        False,
    ]
