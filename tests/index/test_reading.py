"""What was read is remembered, and forgotten by the very fold that takes it, changes it or hides it."""

import pytest

from hubbub.authors import AuthorState
from hubbub.index import Query, open_index, reading
from hubbub.index.document import post_key
from hubbub.index.ranking import Ranking
from hubbub.posts import AccountEvent, ConsentEvent, Deletion, Edit, Post


def post(number, text="the ferry is late", author="anna"):
    return Post(id=f"x://{number}", author=author, text=text, received_us=number)


def removed(author, status="removed"):
    return AccountEvent(author=author, status=status, received_us=9)


@pytest.fixture(params=["edge", "sqlite"])
def index(request, tmp_path):
    opened = open_index(f"{request.param}:{tmp_path}", "none")
    opened.fold([(1, post(1)), (2, post(2, author="bert"))])
    yield opened
    opened.close()


def seen(index):
    """What a look-up and a search show, the same; each twice, the second time from memory."""
    for _ in range(2):
        fetched = {p.id: p.text for p in index.fetch(["x://1", "x://2", "x://3"]).values()}
        assert {hit.post.id: hit.post.text for hit in index.search(Query(text="ferry"))} == fetched
    return fetched


BOTH = {"x://1": "the ferry is late", "x://2": "the ferry is late"}


@pytest.mark.parametrize(
    ("event", "left"),
    [
        (Deletion(id="x://1", received_us=9), {"x://2"}),
        (removed("anna"), {"x://2"}),
        (removed("anna", "suspended"), {"x://2"}),
        (ConsentEvent(author="anna", scope="show", allow=False, received_us=9), {"x://2"}),
        (ConsentEvent(author="anna", scope="index", allow=False, received_us=9), {"x://2"}),
        (Edit(post=post(3, author="anna"), replaces="x://1"), {"x://2", "x://3"}),
    ],
)
def test_what_goes_is_gone_from_memory_when_its_fold_returns(index, event, left):
    assert seen(index) == BOTH
    index.fold([(3, event)])
    assert set(seen(index)) == left


def test_the_text_after_an_edit_is_the_new_one(index):
    assert seen(index) == BOTH
    index.fold([(3, Edit(post=post(1, "the ferry is gone"), replaces="x://1"))])
    assert seen(index) == BOTH | {"x://1": "the ferry is gone"}


def test_a_banned_author_is_hidden_and_comes_back(index):
    assert seen(index) == BOTH
    index.ban({"anna"})
    assert set(seen(index)) == {"x://2"}
    index.ban(())
    assert seen(index) == BOTH


def test_what_a_removed_account_wrote_stays_gone_when_it_is_restored(index):
    assert seen(index) == BOTH
    index.fold([(3, removed("anna")), (4, removed("anna", "restored"))])
    assert set(seen(index)) == {"x://2"}


def test_of_many_posts_only_the_last_are_remembered(index):
    index.fold([(n, post(n)) for n in range(3, 100)])
    reader = reading.Reader(index._backend, index._state, max_known=10)
    for n in range(1, 100):
        key = post_key(f"x://{n}")
        assert reader.read([key])[key] == post(n) if n != 2 else True
        assert reader.num_known <= 22
    index.fold([(100, Deletion(id="x://99", received_us=9)), (101, Deletion(id="x://90", received_us=9))])
    gone = [post_key("x://99"), post_key("x://90")]
    assert reader.read(gone), "remembered, as the index forgets for its own reader only"
    reader.forget(gone)
    assert not reader.read(gone)


def test_a_very_long_post_is_read_anew(index):
    index.fold([(3, post(3, "ferry " * 1000))])
    assert len(index.fetch(["x://3"])) == 1
    assert index._reader.num_known == 0


def test_a_full_page_comes_also_where_the_best_may_not_be_shown(index):
    """Hidden authors are left out by the engine; should one still come by, the next best takes its place."""
    index.fold([(n, post(n, f"the ferry {'ferry ' * (n % 7)}{n}", f"a{n % 5}")) for n in range(3, 90)])
    index.ranking = Ranking(feedback_posts=0)
    query = Query(text="ferry", limit=10)
    wanted = [h.post.id for h in index.search(Query(text="ferry", limit=30)) if h.post.author != "a3"][:10]
    state = index._state.restricted
    state["a3"] = AuthorState(is_banned=True)
    assert [hit.post.id for hit in index.search(query)] == wanted
