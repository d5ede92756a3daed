"""Handles that come apart from posts: shown, found, changed, and erased with their account."""

import sqlite3

import pytest

from hubbub.index import Query, open_index
from hubbub.posts import AccountEvent, ConsentEvent, Post

ANNA, BERT = "did:plc:anna", "did:plc:bert"


def post(number, author):
    return Post(
        id=f"at://{author}/post/{number}", author=author, text="the ferry is late", received_us=number
    )


def named(author, handle):
    return AccountEvent(author=author, status="named", received_us=1, handle=handle)


@pytest.fixture(params=["edge", "sqlite"])
def index(request, tmp_path):
    opened = open_index(f"{request.param}:{tmp_path}", "none")
    opened.fold([(1, post(1, ANNA)), (2, post(2, BERT))])
    yield opened
    opened.close()


def shown(index):
    return {hit.post.author: hit.post.handle for hit in index.search(Query(text="ferry"))}


def found(index, handle, **options):
    return [hit.post.author for hit in index.search(Query(sort="time", **{"authors": (handle,), **options}))]


def test_a_handle_is_shown_and_found_whatever_came_first(index):
    assert shown(index) == {ANNA: None, BERT: None}
    index.fold([(3, named(ANNA, "anna.example")), (4, named("did:plc:later", "later.example"))])
    index.fold([(5, post(5, "did:plc:later"))])
    assert shown(index) == {ANNA: "anna.example", BERT: None, "did:plc:later": "later.example"}
    assert index.fetch([post(1, ANNA).id])[post(1, ANNA).id].handle == "anna.example"
    assert found(index, "Anna.Example") == found(index, ANNA) == [ANNA]
    assert ANNA not in found(index, BERT, authors=(), excluded_authors=("anna.example",))


def test_a_changed_handle_changes_and_a_withdrawn_one_goes(index):
    index.fold([(3, named(ANNA, "anna.example")), (4, named(ANNA, "anna.dev"))])
    assert (shown(index)[ANNA], found(index, "anna.example"), found(index, "anna.dev")) == (
        "anna.dev",
        [],
        [ANNA],
    )
    index.fold([(3, named(ANNA, "anna.example"))])
    assert shown(index)[ANNA] == "anna.dev"
    index.fold([(5, named(ANNA, None))])
    assert (shown(index)[ANNA], found(index, "anna.dev")) == (None, [])


def test_a_handle_that_two_claim_is_nobodys_until_one_gives_it_up(index):
    index.fold([(3, named(ANNA, "news.example")), (4, named(BERT, "news.example"))])
    assert shown(index) == {ANNA: None, BERT: None} and found(index, "news.example") == []
    index.fold([(5, named(BERT, "bert.example"))])
    assert shown(index) == {ANNA: "news.example", BERT: "bert.example"}


@pytest.mark.parametrize(
    "event",
    [
        AccountEvent(author=ANNA, status="removed", received_us=1),
        ConsentEvent(author=ANNA, scope="index", allow=False, received_us=1),
    ],
)
def test_the_handle_of_who_is_gone_is_erased_and_does_not_come_back(tmp_path, event):
    url = f"sqlite:{tmp_path}"
    index = open_index(url, "none")
    index.fold([(1, post(1, ANNA)), (2, named(ANNA, "anna.example")), (3, event)])
    index.fold([(2, named(ANNA, "anna.example")), (4, named(ANNA, "anna.example"))])
    index.close()
    with sqlite3.connect(tmp_path / "state.db") as state:
        assert state.execute("SELECT * FROM handles").fetchall() == []
    state.close()
    assert not any(b"anna.example" in file.read_bytes() for file in tmp_path.iterdir())
    index = open_index(url, "none")
    index.fold([(5, AccountEvent(author=ANNA, status="restored", received_us=1))])
    index.fold([(6, post(6, ANNA)), (7, named(ANNA, "anna.example"))])
    index.close()


def test_handles_survive_opening_again(tmp_path):
    index = open_index(f"sqlite:{tmp_path}", "none")
    index.fold([(1, post(1, ANNA)), (2, named(ANNA, "anna.example"))])
    index.close()
    index = open_index(f"sqlite:{tmp_path}", "none")
    assert shown(index) == {ANNA: "anna.example"}
    index.close()
