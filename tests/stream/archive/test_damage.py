"""Torn tails are cut off and reported; damage in the middle stops everything and names the place."""

import pytest

from hubbub.errors import Corruption, VersionMismatch
from hubbub.stream import open_archive
from hubbub.stream.archive.frame import HEADER_BYTES
from hubbub.stream.archive.segment import HEAD_BYTES, FrameWalk, encode_head, open_segment
from tests.stream.invented import posts


def fill(path, num_batches=4):
    """Write batches of three and leave as kill -9 would: without the mark of an orderly close."""
    archive = open_archive(path)
    for first in range(1, 3 * num_batches, 3):
        archive.append(posts(first, first + 2), {"source": str(first)})
    (file,) = path.glob("*.log")
    data = file.read_bytes()
    archive.close()
    file.write_bytes(data)
    return file, data


def frame_offsets(file):
    fd = open_segment(file)
    return [offset for offset, _ in FrameWalk(fd).headers()]


def test_a_torn_tail_is_repaired_and_reported_wherever_it_tears(tmp_path, caplog):
    file, data = fill(tmp_path)
    last = frame_offsets(file)[-1]
    for length in range(last + 1, len(data)):
        file.write_bytes(data[:length])
        with open_archive(tmp_path, "r") as reader:
            assert reader.last_seq == 9
            assert reader.wait(9, 0) is False
            assert [seq for seq, _ in reader.read()] == list(range(1, 10))
        caplog.clear()
        with open_archive(tmp_path) as archive:
            assert archive.repair.offset == last
            assert archive.repair.num_bytes == length - last
            assert archive.repair.next_seq == 10
            assert "cut off" in caplog.text
            assert archive.cursor("source") == "7"
            assert archive.append(posts(10, 10)) == range(10, 11)
            assert [event for _, event in archive.read()] == posts(1, 10)


def test_an_orderly_closed_archive_that_lost_its_tail_is_repaired_too(tmp_path):
    with open_archive(tmp_path) as archive:
        archive.append(posts(1, 3))
        archive.append(posts(4, 6))
    (file,) = tmp_path.glob("*.log")
    data = file.read_bytes()
    file.write_bytes(data[: len(data) - HEADER_BYTES - 5])
    with open_archive(tmp_path) as archive:
        assert archive.repair
        assert [event for _, event in archive.read()] == posts(1, 3)


def test_any_flipped_byte_in_the_middle_is_corruption_and_named(tmp_path):
    file, data = fill(tmp_path)
    offsets = frame_offsets(file)
    for at in range(HEAD_BYTES, offsets[-1], 3):
        damaged = bytearray(data)
        damaged[at] ^= 0x40
        file.write_bytes(damaged)
        frame = max(offset for offset in offsets if offset <= at)
        with pytest.raises(Corruption, match=rf"{file}.* byte {frame} \(seq \d+\)"):
            open_archive(tmp_path)
        if at >= offsets[0] + HEADER_BYTES and frame == offsets[0]:
            continue  # the first frame's payload is cursors alone, which this reader never looks at
        with pytest.raises(Corruption, match=f"byte {frame} "), open_archive(tmp_path, "r") as reader:
            list(reader.read())
        assert file.read_bytes() == damaged


def test_a_flipped_byte_in_the_last_events_of_a_closed_archive_is_corruption(tmp_path):
    with open_archive(tmp_path) as archive:
        archive.append(posts(1, 3))
    (file,) = tmp_path.glob("*.log")
    damaged = bytearray(file.read_bytes())
    damaged[-HEADER_BYTES - 10] ^= 1
    file.write_bytes(damaged)
    with pytest.raises(Corruption, match=r"seq 1\)"):
        open_archive(tmp_path)


def test_the_last_events_are_guarded_too_after_a_kill_and_after_an_idle_close(tmp_path):
    """A killed process leaves a write cut short, never one that is whole and wrong."""
    file, data = fill(tmp_path / "killed")
    for at in (frame_offsets(file)[-1] + 3, len(data) - 5):
        file.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        for mode in "rw":
            with pytest.raises(Corruption, match=r"seq 10\)"), open_archive(tmp_path / "killed", mode) as a:
                list(a.read())
    with open_archive(tmp_path / "idle") as archive:
        archive.append(posts(1, 3))
        archive.flush()
    (file,) = (tmp_path / "idle").glob("*.log")
    data = bytearray(file.read_bytes())
    with open_archive(tmp_path / "idle"):
        pass
    assert file.read_bytes() == data, "opening alone adds nothing"
    data[frame_offsets(file)[1] + HEADER_BYTES + 9] ^= 1
    file.write_bytes(data)
    (tmp_path / "idle" / "writer.lock").write_text("1\nsome-earlier-boot\n")
    with pytest.raises(Corruption, match=r"seq 1\)"):
        open_archive(tmp_path / "idle")


def test_unsynced_pages_lost_with_the_power_are_a_torn_tail(tmp_path):
    """After a reboot, a hole behind the last sync breaks no promise, even if later pages reached the disk."""
    archive = open_archive(tmp_path, flush_ms=3_600_000)
    archive.append(posts(1, 3))
    archive.flush()
    archive.append(posts(4, 6))
    archive.append(posts(7, 9))
    (file,) = tmp_path.glob("*.log")
    data = file.read_bytes()
    archive.close()
    start, end = frame_offsets(file)[2:4]
    holed = data[:start] + bytes(end - start) + data[end:]

    file.write_bytes(holed)
    with pytest.raises(Corruption):
        open_archive(tmp_path)
    (tmp_path / "writer.lock").write_text("1\nsome-earlier-boot\n")
    with open_archive(tmp_path) as archive:
        assert archive.repair.next_seq == 4
        assert [event for _, event in archive.read()] == posts(1, 3)

    start = frame_offsets(file)[1]
    holed = data[:start] + bytes(100) + data[start + 100 :]
    file.write_bytes(holed)
    (tmp_path / "writer.lock").write_text("1\nsome-earlier-boot\n")
    with pytest.raises(Corruption, match=f"byte {start} "):
        open_archive(tmp_path)


def test_damage_in_a_finished_file_is_found_by_readers(tmp_path):
    with open_archive(tmp_path, segment_bytes=300) as archive:
        for first in range(1, 30, 3):
            archive.append(posts(first, first + 2))
    files = sorted(tmp_path.glob("*.log"))
    victim = files[2]
    data = victim.read_bytes()
    for damaged in (data[:-1], data[:-1] + bytes([data[-1] ^ 1])):
        victim.write_bytes(damaged)
        with open_archive(tmp_path, "r") as reader, pytest.raises(Corruption, match=victim.name):
            list(reader.read())
    (*_, end) = frame_offsets(victim)
    victim.write_bytes(data[:end])
    with (
        open_archive(tmp_path, "r") as reader,
        pytest.raises(Corruption, match=f"{victim.name} is cut short"),
    ):
        list(reader.read())
    victim.write_bytes(data)
    files[3].rename(tmp_path / "elsewhere")
    with open_archive(tmp_path, "r") as reader, pytest.raises(Corruption, match=f"{files[3].name}.* missing"):
        list(reader.read())


def test_a_damaged_or_renamed_head_is_corruption(tmp_path):
    file, data = fill(tmp_path)
    for head in (b"", data[:10], b"x" + data[1:]):
        file.write_bytes(head)
        for mode in "rw":
            with pytest.raises(Corruption, match=r"byte 0 \(seq 1\)"):
                open_archive(tmp_path, mode)
    file.write_bytes(data)
    file.rename(tmp_path / "00000000000000000005.log")
    with pytest.raises(Corruption, match="renamed"):
        open_archive(tmp_path)


def test_a_newer_version_is_not_touched(tmp_path):
    import struct
    import zlib

    file, data = fill(tmp_path)
    assert data[:20] == encode_head(1)[:20]
    head = struct.pack("<10sHQ8s", b"hubbub-log", 2, 1, b"identity")
    newer = head + struct.pack("<I", zlib.crc32(head)) + data[HEAD_BYTES:]
    file.write_bytes(newer)
    for mode in "rw":
        with pytest.raises(VersionMismatch, match="upgrade"):
            open_archive(tmp_path, mode)
    assert file.read_bytes() == newer
