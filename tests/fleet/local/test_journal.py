import os

import pytest

from hubbub.errors import Corruption, InvalidInput, StorageError, VersionMismatch
from hubbub.fleet.launcher import pretend_fleet
from hubbub.fleet.local import journal as journals
from hubbub.fleet.local.journal import Book, Journal, Row, create


def _row(number, **fields):
    return Row(id=str(number), tenant="x", gpus=1, name="job", submitted_s=float(number), **fields)


def _write(journal, *rows):
    with journal.changing() as change:
        change.rows += rows


def test_what_one_process_writes_another_reads_and_no_change_is_lost(tmp_path):
    one, other = create(tmp_path / "fleet"), Journal(tmp_path / "fleet")
    _write(one, _row(1))
    assert list(other.read().rows) == ["1"]
    _write(other, _row(2), _row(1, phase="ended"))
    _write(one, _row(3))
    assert one.read().rows == other.read().rows and one.book.rows["1"].phase == "ended"
    assert (one.book.next_id, [row.id for row in one.book.open_rows()]) == (4, ["2", "3"])
    with pytest.raises(ZeroDivisionError), one.changing() as change:
        change.rows.append(_row(9))
        one.book.rows["9"] = _row(9)
        raise ZeroDivisionError
    assert "9" not in one.read().rows and one.read().rows == other.read().rows


def test_a_torn_line_is_cut_off_and_a_broken_one_stops_loudly(tmp_path):
    journal = create(tmp_path / "fleet")
    _write(journal, _row(1))
    with journal.path.open("ab") as file:
        file.write(b'{"rows":[{"id":"2","te')
    assert list(Journal(tmp_path / "fleet").read().rows) == ["1"]
    _write(journal, _row(3))
    assert list(Journal(tmp_path / "fleet").read().rows) == ["1", "3"]
    data = bytearray(journal.path.read_bytes())
    data[60] = 0
    journal.path.write_bytes(data)
    with pytest.raises(Corruption, match="byte 44: .*nothing was changed"):
        Journal(tmp_path / "fleet").read()
    journal.path.write_bytes(b'{"format":"hubbub-local-fleet","version":2}\n')
    with pytest.raises(VersionMismatch, match="newer hubbub"):
        Journal(tmp_path / "fleet").read()
    journal.path.write_bytes(b"something else")
    with pytest.raises(Corruption, match="not a fleet's journal"):
        Journal(tmp_path / "fleet").read()


def test_a_directory_that_is_not_ours_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(InvalidInput, match=r"holds other files \(thesis.tex\)"):
        create(tmp_path)
    with pytest.raises(StorageError, match="a part of the path is a file"):
        create(tmp_path / "thesis.tex" / "fleet")
    with pytest.raises(InvalidInput, match="there is no fleet in"):
        Journal(tmp_path).read()
    assert os.listdir(tmp_path) == ["thesis.tex"]


def test_a_full_disk_takes_nothing_and_keeps_what_was_there(mount):
    path, mounted = mount
    mounted("size=64k")
    journal = create(path / "fleet")
    with pytest.raises(StorageError, match="the disk is full"):
        for number in range(1, 1_000):
            _write(journal, _row(number, reason="r" * 500))
    kept = len(journal.read().rows)
    assert kept > 50 and len(Journal(path / "fleet").read().rows) == kept
    assert journal.path.read_bytes().endswith(b"}\n")


def test_a_long_journal_is_written_anew_and_says_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(journals, "_COMPACT_BYTES", 20_000)
    one, other = create(tmp_path / "fleet"), Journal(tmp_path / "fleet")
    with one.changing() as change:
        change.fleet, change.out = pretend_fleet(), {"hall-1": "drained"}
    other.read()
    for number in range(1, 4):
        for attempt in range(60):
            _write(one, _row(number, attempt=attempt))
    assert one.path.stat().st_size < 20_000
    _write(other, _row(4))
    fresh = Journal(tmp_path / "fleet").read()
    assert vars(fresh) == vars(one.read()) == vars(other.read())
    assert fresh.rows["2"].attempt == 59 and fresh.out and fresh.next_id == 5
    whole = Book()
    whole.take_in(fresh.whole())
    assert vars(whole) == vars(fresh)
