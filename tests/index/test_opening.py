import os
import sqlite3
import subprocess
import sys

import pytest

from hubbub.errors import Corruption, InUse, InvalidInput, StorageError, VersionMismatch
from hubbub.index import Query, open_index
from hubbub.index.state import State
from hubbub.posts import Deletion, Post

POST = Post(id="x://status/1", author="did:plc:a", text="the bridge is closed", received_us=10**15)


@pytest.mark.parametrize("kind", ["edge", "sqlite"])
def test_everything_is_there_after_opening_again(kind, tmp_path):
    url = f"{kind}:{tmp_path}"
    index = open_index(url, "hashed:64")
    assert index.position == 0
    assert index.fold([(1, POST), (2, Deletion(id="x://status/2", received_us=5))]) == 2
    index.close()
    index = open_index(url, "hashed:64")
    assert index.position == 2
    assert [hit.post for hit in index.search(Query(text="bridge"))] == [POST]
    index.fold([(3, Post(id="x://status/2", author="did:plc:a", text="late", received_us=10**15))])
    assert index.fetch(["x://status/1", "x://status/2"]) == {"x://status/1": POST}
    stats = index.stats()
    assert (stats.num_posts, stats.embedder, stats.dim) == (1, "hashed:64", 64)
    index.close()


@pytest.mark.parametrize("kind", ["edge", "sqlite"])
def test_an_index_of_before_replies_were_noted_opens_and_says_what_it_misses(kind, tmp_path):
    url = f"{kind}:{tmp_path}"
    index = open_index(url, "none")
    assert index.replies_since_us is None
    index.fold([(1, POST)])
    index.close()
    with sqlite3.connect(tmp_path / "state.db") as state:
        state.execute("DELETE FROM meta WHERE name = 'replies_since_us'")
    state.close()
    for _ in range(2):
        index = open_index(url, "none")
        assert index.stats().replies_since_us == index.replies_since_us == POST.received_us
        index.close()


@pytest.mark.parametrize("kind", ["edge", "sqlite"])
def test_a_second_owner_is_told_who_the_first_is(kind, tmp_path):
    index = open_index(f"{kind}:{tmp_path}", "none")
    command = f"from hubbub.index import open_index; open_index({f'{kind}:{tmp_path}'!r}, 'none')"
    second = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True)
    assert f"owned by process {os.getpid()}" in second.stderr
    with pytest.raises(InUse):
        open_index(f"{kind}:{tmp_path}", "none")
    index.close()
    open_index(f"{kind}:{tmp_path}", "none").close()


def test_another_embedder_is_refused_with_a_way_out(tmp_path):
    open_index(f"edge:{tmp_path}", "hashed:64").close()
    with pytest.raises(VersionMismatch, match="hubbub index rebuild"):
        open_index(f"edge:{tmp_path}", "hashed:32")
    open_index(f"edge:{tmp_path}", "hashed:64").close()


def test_an_index_of_a_newer_hubbub_is_refused(tmp_path):
    open_index(f"edge:{tmp_path}", "none").close()
    state = State(tmp_path / "state.db")
    state.set(format="999")
    state.close()
    with pytest.raises(VersionMismatch, match="upgrade hubbub"):
        open_index(f"edge:{tmp_path}", "none")


def test_a_slice_that_is_gone_is_corruption(tmp_path):
    open_index(f"edge:{tmp_path}", "none").close()
    (name,) = tmp_path.glob("slice-*")
    name.rename(tmp_path / "elsewhere")
    with pytest.raises(Corruption, match="hubbub index rebuild"):
        open_index(f"edge:{tmp_path}", "none")


def test_a_state_file_that_is_none_is_corruption(tmp_path):
    (tmp_path / "state.db").write_bytes(b"this is no database, but long enough to look at" * 100)
    with pytest.raises(Corruption, match="hubbub index rebuild"):
        open_index(f"sqlite:{tmp_path}", "none")


def test_a_place_that_cannot_be_a_directory_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="choose one that is writable"):
        open_index(f"edge:{tmp_path / 'file' / 'index'}", "none")


@pytest.mark.parametrize("url", ["mongo:db", "edge:", "sqlite:", "ftp://host"])
def test_an_unknown_url_names_those_that_are_known(url):
    with pytest.raises(InvalidInput, match="use edge:DIR"):
        open_index(url, "none")


def test_a_server_that_is_not_there_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match="is the server up"):
        open_index("http://127.0.0.1:9/posts", "none", state=tmp_path)
