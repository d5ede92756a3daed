"""Documents made in a second process are those that would be made here; without it they are made here."""

import time

from hubbub.index.embedding import open_embedder
from hubbub.index.preparing import Preparation, prepare
from hubbub.posts import Deletion, Edit
from tests.index.invented import invented_posts

EMBEDDER = "hashed:16"


def numbered(posts):
    return list(enumerate(posts, 1))


def made(preparation, batch):
    """The documents of one batch, as a fold gets them."""
    ((given, documents),) = preparation.ahead([batch])
    assert given is batch
    return documents


def start(preparation):
    """Let so many posts come that the second process starts, and wait until it is there."""
    batch = numbered(invented_posts(1000))
    while preparation._process is None:
        made(preparation, batch)
    while not preparation._process.is_ready:
        time.sleep(0.01)


def test_documents_from_the_second_process_are_those_made_here():
    embedder = open_embedder(EMBEDDER)
    preparation = Preparation(embedder, EMBEDDER)
    posts = invented_posts(50)
    here = {document.key: document for document in prepare(numbered(posts), embedder)}
    assert made(preparation, numbered(posts)) == here
    assert preparation._process is None, "fifty posts are not worth a process"
    start(preparation)
    assert preparation._submit(numbered(posts))
    assert {d.key: d for d in preparation._process.take()} == here
    (edited,) = made(preparation, [(51, Edit(post=posts[0], replaces=posts[0].id))]).values()
    assert (edited.seq, edited.post) == (51, here[edited.key].post)
    assert not made(preparation, [(52, Deletion(id=posts[0].id, received_us=1))])
    preparation.stop()


def test_when_the_second_process_dies_nothing_is_missing():
    embedder = open_embedder(EMBEDDER)
    preparation = Preparation(embedder, EMBEDDER)
    start(preparation)
    batches = [numbered(invented_posts(40, seed)) for seed in range(8)]
    wanted = [{d.key: d for d in prepare(batch, embedder)} for batch in batches]
    found = []
    for _, documents in preparation.ahead(batches):
        found.append(documents)
        if len(found) == 2:
            preparation._process._child.kill()
    assert found == wanted
    assert made(preparation, batches[0]) == wanted[0]
    preparation.stop()


def test_without_a_name_or_much_to_do_all_is_made_here():
    embedder = open_embedder(EMBEDDER)
    unnamed, calm = Preparation(embedder, None), Preparation(embedder, EMBEDDER)
    batch = numbered(invented_posts(1000))
    for _ in range(6):
        assert len(made(unnamed, batch)) == 1000
    for _ in range(3):
        made(calm, batch)
        calm._counted_s -= 60.0
    assert unnamed._process is None and calm._process is None
