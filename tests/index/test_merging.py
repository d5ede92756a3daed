import time

from hubbub.index import Index, Query
from hubbub.index.edge.backend import MERGED_SLICES, EdgeBackend
from hubbub.index.embedding import open_embedder
from hubbub.index.state import State
from hubbub.posts import AccountEvent, Deletion, Post

POSTS = 20
NEVER_S = 3600
"""So calm that slices are sealed one by one, and never merged within a test."""


def open_small(directory, calm_s=0):
    embedder = open_embedder("hashed:64")
    backend = EdgeBackend(directory, embedder.dim, slice_posts=POSTS, calm_s=calm_s)
    return Index(backend, State(directory / "state.db"), embedder)


def fill_slices(directory, number):
    """Make so many sealed slices of one post each author, and one that is open; return the posts."""
    index = open_small(directory, NEVER_S)
    posts = [
        Post(id=f"x://status/{n}", author=f"x://user/{n}", text=f"the barrier holds number{n}", received_us=n)
        for n in range(1, POSTS * number + 6)
    ]
    for seq in range(0, len(posts), POSTS):
        index.fold(enumerate(posts[seq : seq + POSTS], seq + 1))
    until_s = time.monotonic() + 60
    while index.stats().num_sealed < number:
        assert time.monotonic() < until_s, index.stats()
        time.sleep(0.02)
    index.close()
    return posts


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


def test_what_is_new_does_not_wait_for_old_slices_but_what_is_old_does(tmp_path):
    posts = fill_slices(tmp_path, 4)
    embedder = open_embedder("hashed:64")
    backend = EdgeBackend(tmp_path, embedder.dim, slice_posts=POSTS, calm_s=NEVER_S)
    new = Post(id="x://status/new", author="x://user/new", text="the barrier fell", received_us=10**6)
    seq = len(posts)
    with backend._lock:  # the loading thread needs it to hand a slice over
        index = Index(backend, State(tmp_path / "state.db"), embedder)
        assert index.stats().num_loading == 2
        index.fold([(seq + 1, new)])
        assert index.fetch([new.id]) == {new.id: new} and index.fetch(["x://status/unknown"]) == {}
        index.fold([(seq + 2, Deletion(id=new.id, received_us=10**6))])
        assert index.fetch([new.id]) == {} and index.stats().num_loading == 2
    old = posts[0].id
    index.fold([(seq + 3, Deletion(id=old, received_us=10**6))])
    assert index.stats().num_loading == 0 and index.fetch([old, posts[1].id]) == {posts[1].id: posts[1]}
    index.close()
