"""A full disk and a read-only directory: a clear error, nothing lost, and usable again."""

import os
import subprocess
import sys
from contextlib import suppress

import pytest

from hubbub.errors import StorageError
from hubbub.index import Query, open_index
from hubbub.posts import Deletion, Post

MIB = 1 << 20


def make_posts(first, last):
    return [
        (n, Post(id=f"x://{n}", author=f"a{n % 9}", text=f"flood {os.urandom(300).hex()}", received_us=n))
        for n in range(first, last + 1)
    ]


def fill(path, free_bytes):
    """Leave so many bytes on the disk, though a house may go on writing meanwhile."""
    is_full = False
    with open(path / "ballast", "wb") as file:
        while not is_full:
            disk = os.statvfs(path)
            with suppress(OSError):
                os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_frsize - free_bytes)
                is_full = True


def same(index, events, gone=()):
    ids = [event.id for _, event in events]
    return index.fetch(ids) == {event.id: event for _, event in events if event.id not in gone}


@pytest.mark.parametrize(("kind", "free_bytes"), [("edge", 40 * MIB), ("edge", 0), ("sqlite", 0)])
def test_a_full_disk_loses_nothing_and_is_usable_again(kind, free_bytes, mount):
    path, mounted = mount
    mounted("size=400m")
    index = open_index(f"{kind}:{path / 'index'}", "hashed:16")
    first, second = make_posts(1, 300), make_posts(301, 1200)
    index.fold(first)
    index.flush()
    fill(path, free_bytes)
    with pytest.raises(StorageError, match="disk.*full"):
        index.fold(second)
    assert len(index.search(Query(text="flood", limit=20))) == 20
    assert same(index, first)
    if free_bytes:
        index.fold([(1201, Deletion(id="x://7", received_us=1))])
        assert not index.fetch(["x://7"])
    path.joinpath("ballast").unlink()
    index.fold(second)
    index.fold([(1201, Deletion(id="x://7", received_us=1))])
    assert same(index, first + second, gone={"x://7"})
    index.close()
    index = open_index(f"{kind}:{path / 'index'}", "hashed:16")
    assert same(index, first + second, gone={"x://7"})
    assert index.stats().num_posts == 1199
    index.close()


@pytest.mark.parametrize("kind", ["edge", "sqlite"])
def test_an_index_on_a_full_disk_can_be_closed_and_opened_again(kind, mount):
    path, mounted = mount
    mounted("size=400m")
    index = open_index(f"{kind}:{path / 'index'}", "hashed:16")
    index.fold(make_posts(1, 300))
    fill(path, 0)
    try:
        index.close()
    except StorageError:
        pass  # it may have had no room to say how far it was
    path.joinpath("ballast").unlink()
    index = open_index(f"{kind}:{path / 'index'}", "hashed:16")
    index.fold(make_posts(index.position + 1, 300))
    assert index.stats().num_posts == 300
    index.close()


@pytest.mark.parametrize("kind", ["edge", "sqlite"])
def test_a_read_only_directory_is_named(kind, mount):
    path, mounted = mount
    mounted("size=400m")
    events = make_posts(1, 300)
    index = open_index(f"{kind}:{path / 'index'}", "hashed:16")
    index.fold(events)
    index.close()
    for option in ("remount,ro", "remount,rw"):
        subprocess.run(["mount", "-o", option, str(path)], check=True)
        if option == "remount,ro":
            with pytest.raises(StorageError, match=r"index.*[Rr]ead-only.*writable"):
                open_index(f"{kind}:{path / 'index'}", "hashed:16")
            with pytest.raises(StorageError, match=r"another.*[Rr]ead-only.*writable"):
                open_index(f"{kind}:{path / 'another'}", "hashed:16")
    index = open_index(f"{kind}:{path / 'index'}", "hashed:16")
    assert same(index, events)
    index.close()


AS_NOBODY = """
import os, sys
from hubbub.errors import StorageError
from hubbub.index import open_index
import hubbub.index.edge.backend
os.setgid(65534), os.setuid(65534)
try:
    open_index(sys.argv[1], "none")
except StorageError as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_directory_of_another_user_is_named(tmp_path):
    open_index(tmp_path / "index", "none").close()
    command = [sys.executable, "-c", AS_NOBODY, str(tmp_path / "index")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "ermission denied" in said and str(tmp_path) in said and "writable" in said
