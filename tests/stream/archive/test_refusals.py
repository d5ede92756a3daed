"""A full disk, a file size limit and a read-only directory: a clear error, and usable again."""

import os
import resource
import signal
import subprocess
import time
from contextlib import contextmanager, suppress

import pytest

from hubbub.errors import StorageError
from hubbub.posts import Deletion
from hubbub.stream import open_archive
from tests.stream.invented import post, posts


def fill_up(archive):
    last = archive.last_seq
    with pytest.raises(StorageError, match="full.*nothing was half-written"):
        while True:
            last = archive.append([post(last + 1, os.urandom(3000).hex())], {"a": str(last + 1)})[-1]
    assert archive.last_seq == last
    return last


def test_a_full_disk_loses_nothing_and_is_usable_again(mount):
    path, mounted = mount
    mounted("size=300k")
    ballast = path / "ballast"
    ballast.write_bytes(bytes(100_000))
    with open_archive(path / "archive") as archive:
        last = fill_up(archive)
        assert [seq for seq, _ in archive.read()] == list(range(1, last + 1))
        with pytest.raises(StorageError):
            archive.append([post(last + 1, os.urandom(3000).hex())])
        archive.append([Deletion(id="test://post/1", received_us=1)])
        with pytest.raises(StorageError, match="full"):
            archive.compact(0)
        assert not list(path.glob("archive/*.tmp"))
        ballast.unlink()
        last = fill_up(archive)
    with open_archive(path / "archive") as archive:
        assert archive.repair is None
        assert archive.last_seq == last
        assert archive.cursor("a") == str(last)
        assert [seq for seq, _ in archive.read()] == list(range(1, last + 1))


def test_no_room_for_the_next_file_is_a_refusal_too(mount):
    path, mounted = mount
    mounted("size=400k", "nr_inodes=5")
    with open_archive(path / "archive", segment_bytes=1000) as archive:
        with pytest.raises(StorageError):
            for number in range(1, 100):
                archive.append([post(number, os.urandom(1000).hex())])
        last = archive.last_seq
        assert [seq for seq, _ in archive.read()] == list(range(1, last + 1))
    with open_archive(path / "archive", "r") as archive:
        assert archive.last_seq == last


def test_a_file_size_limit_is_a_refusal_and_what_was_half_written_is_undone(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with open_archive(tmp_path) as archive:
            archive.append(posts(1, 3))
            (file,) = tmp_path.glob("*.log")
            size = file.stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5000, before[1]))
            with pytest.raises(StorageError, match="limit"):
                archive.append([post(4, os.urandom(10_000).hex())])
            assert file.stat().st_size == size
            archive.append(posts(4, 4))
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            archive.append([post(5, os.urandom(10_000).hex())])
            assert archive.last_seq == 5
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    with open_archive(tmp_path) as archive:
        assert archive.repair is None
        assert [seq for seq, _ in archive.read()] == [1, 2, 3, 4, 5]


def test_a_read_only_directory_can_be_read_but_not_written(mount):
    path, mounted = mount
    mounted("size=300k")
    with open_archive(path / "archive") as archive:
        archive.append(posts(1, 3), {"a": "1"})
    subprocess.run(["mount", "-o", "remount,ro", str(path)], check=True)
    with open_archive(path / "archive", "r") as archive:
        assert [event for _, event in archive.read()] == posts(1, 3)
        assert archive.cursor("a") == "1"
    for directory in (path / "archive", path / "another"):
        with pytest.raises(StorageError, match="read-only"):
            open_archive(directory)


@contextmanager
def descriptors_left(number):
    """Let this process open so many files more and no others."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = [os.open("/dev/null", os.O_RDONLY) for _ in range(number + 1)]
    for fd in opened:
        os.close(fd)
    resource.setrlimit(resource.RLIMIT_NOFILE, (opened[-1], before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_without_a_descriptor_to_sync_by_it_is_told_and_tried_again(tmp_path):
    with open_archive(tmp_path, flush_ms=20) as archive:
        with descriptors_left(0):
            archive.append([post(1)])
            with pytest.raises(StorageError, match="too many open files"):
                archive.flush()
            time.sleep(0.1)
        archive.flush()
        archive.append([post(2)])
        end_s = time.monotonic() + 5
        while archive._writer._synced_bytes < archive._writer.end_bytes:
            assert time.monotonic() < end_s, "the thread that syncs has died"
            time.sleep(0.01)


def test_a_compaction_that_can_hardly_sync_its_rename_loses_nothing(tmp_path):
    """The new file has the name already: what is appended next must go there, not into the unlinked one."""
    with open_archive(tmp_path) as archive:
        archive.append([post(1), post(2), Deletion(id=post(1).id, received_us=1)])
        with descriptors_left(2), suppress(StorageError):
            archive.compact(0)
        archive.append([post(4)])
        assert [seq for seq, _ in archive.read()] == [1, 2, 3, 4]
        archive.compact(0)
    with open_archive(tmp_path, "r") as archive:
        assert [seq for seq, _ in archive.read()] == [1, 2, 3, 4]
        assert b"post 1" not in b"".join(repr(event).encode() for _, event in archive.read())


def test_a_path_through_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        open_archive(tmp_path / "file" / "archive")
    with pytest.raises(StorageError):
        open_archive(tmp_path / "file")
