"""A full disk, a file size limit and a read-only directory: a clear error, and usable again."""

import os
import resource
import signal
import subprocess

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


def test_a_path_through_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        open_archive(tmp_path / "file" / "archive")
    with pytest.raises(StorageError):
        open_archive(tmp_path / "file")
