"""What was deleted leaves the disk: no byte of its words is in any file of the index after `erase_s`."""

import contextlib
import os
import secrets
import shutil
import time
from pathlib import Path

import pytest

from hubbub.index import Index, Query
from hubbub.index.edge import EdgeBackend
from hubbub.index.edge.sealing import copy_sparse
from hubbub.index.embedding import open_embedder
from hubbub.index.sqlite import SqliteBackend
from hubbub.index.state import State
from hubbub.posts import AccountEvent, Deletion, Edit, Post

MARK = secrets.token_hex(8)
SECRETS = [f"{MARK}{n}" for n in range(6)]
COUNT = 60


def secret_post(number, text):
    return Post(id=f"x://status/{number}", author=f"did:plc:{number % 10}", text=text, received_us=number)


def files_with_secrets(directory):
    """Name the files that hold any secret: they begin alike, as looking for one word costs enough."""
    found = []
    for parent, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # a slice was swapped meanwhile
                if MARK.encode() in read_data(Path(parent, name)):
                    found.append(name)
    return found


def read_data(path):
    """Read a file without its holes, of which the engine's mostly consist."""
    parts, at = [], 0
    with open(path, "rb", buffering=0) as file, contextlib.suppress(OSError):  # behind the last data
        while True:
            start = os.lseek(file.fileno(), at, os.SEEK_DATA)
            at = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            parts.append(os.pread(file.fileno(), at - start, start))
    return b"".join(parts)


def open_small(name, directory, erase_s=1.0):
    embedder = open_embedder("hashed:64")
    if name == "sqlite":
        backend = SqliteBackend(directory / "posts.db", embedder.dim, erase_s)
    else:
        posts = 10_000 if name == "hot slice" else 20
        calm_s = 0 if name == "merged slices" else 3600
        backend = EdgeBackend(directory, embedder.dim, slice_posts=posts, erase_s=erase_s, calm_s=calm_s)
    return Index(backend, State(directory / "state.db"), embedder)


@pytest.mark.parametrize("name", ["hot slice", "shelved slices", "merged slices", "sqlite"])
def test_deleted_edited_and_removed_text_leaves_the_disk(name, tmp_path):
    index = open_small(name, tmp_path)
    events = [(n, secret_post(n, f"only{n} {SECRETS[n % 6] if n < 7 else 'plain'}")) for n in range(1, COUNT)]
    index.fold(events)
    index.flush()
    assert files_with_secrets(tmp_path), "the words are on the disk before"
    wait_until(lambda: index.stats().num_shards - index.stats().num_sealed <= 1)
    index.fold(
        [
            (COUNT + 1, Deletion(id="x://status/1", received_us=1)),
            (COUNT + 2, Edit(post=secret_post(2, "a mended text"), replaces="x://status/2")),
            *[
                (COUNT + n, AccountEvent(author=f"did:plc:{n}", status="removed", received_us=1))
                for n in range(3, 7)
            ],
        ]
    )
    index.flush()
    wait_until(lambda: index.flush() or not files_with_secrets(tmp_path))
    living = {hit.post.id for hit in index.search(Query(limit=COUNT))}
    assert living == {f"x://status/{n}" for n in range(2, COUNT) if n % 10 not in (3, 4, 5, 6)}
    index.close()
    assert not files_with_secrets(tmp_path)


def wait_until(is_true, seconds=40.0):
    start = time.monotonic()
    while not is_true():
        assert time.monotonic() - start < seconds, "it did not happen in time"
        time.sleep(0.2)


@pytest.mark.parametrize("name", ["hot slice", "shelved slices", "sqlite"])
def test_nothing_is_called_erased_before_it_is_also_after_a_kill(name, tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    index = open_small(name, before)
    index.fold([(n, secret_post(n, f"only{n} {SECRETS[0] if n == 1 else 'plain'}")) for n in range(1, COUNT)])
    index.flush()
    wait_until(lambda: index.stats().num_shards - index.stats().num_sealed <= 1)
    index.fold([(COUNT, Deletion(id="x://status/1", received_us=1))])
    assert index.erased_seq < COUNT
    if name != "sqlite":  # the engine knows of the deletion, and the index was killed in its flush
        for one in index._backend._slices:
            one.loaded.flush()
    shutil.copytree(before, after, copy_function=copy_sparse)
    index.close()
    index = open_small(name, after)
    try:
        assert index.erased_seq < COUNT, "the debt is known again before the deletion is told again"
        index.fold([(COUNT, Deletion(id="x://status/1", received_us=1))])
        while index.erased_seq < COUNT:
            index.flush()
            time.sleep(0.05)
        assert not files_with_secrets(after)
    finally:
        index.close()
