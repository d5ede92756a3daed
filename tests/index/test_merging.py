import time

from hubbub.index import Index, Query
from hubbub.index.edge.backend import MERGED_SLICES, EdgeBackend
from hubbub.index.embedding import open_embedder
from hubbub.index.state import State
from hubbub.posts import AccountEvent, Deletion, Post

POSTS = 20


def open_small(directory):
    embedder = open_embedder("hashed:64")
    backend = EdgeBackend(directory, embedder.dim, slice_posts=POSTS, calm_s=0)
    return Index(backend, State(directory / "state.db"), embedder)


def found_ids(index):
    return {hit.post.id for hit in index.search(Query(text="barrier", limit=1000))}


def test_full_slices_become_one_and_what_was_deleted_meanwhile_stays_gone(tmp_path):
    index = open_small(tmp_path)
    posts = [
        Post(
            id=f"x://status/{n}",
            author=f"x://user/{n % 7}",
            text=f"the barrier holds number{n}",
            received_us=n,
        )
        for n in range(1, POSTS * MERGED_SLICES + 6)
    ]
    index.fold(enumerate(posts, 1))
    seq, gone = len(posts), set()
    until_s = time.monotonic() + 60
    while index.stats().num_shards > 2:
        assert time.monotonic() < until_s, index.stats()
        if len(gone) < 30:
            seq += 1
            gone.add(f"x://status/{2 * len(gone) + 1}")
            index.fold([(seq, Deletion(id=f"x://status/{2 * len(gone) - 1}", received_us=2))])
        time.sleep(0.02)
    index.fold([(seq + 1, AccountEvent(author="x://user/3", status="removed", received_us=3))])
    living = {post.id for post in posts} - gone - {p.id for p in posts if p.author == "x://user/3"}
    assert found_ids(index) == living
    index.close()
    again = open_small(tmp_path)
    assert found_ids(again) == living
    assert again.stats().num_posts == len(living)
    again.close()
