"""Looking again at the best posts."""

from collections.abc import Sequence

import numpy as np

from hubbub.index import open_index
from hubbub.index.embedding import Vectors
from hubbub.index.query import Hit, Query
from hubbub.index.ranking import Ranking
from hubbub.index.rerank import Reranker
from hubbub.posts import Post


class Likes:
    """Likes texts that hold a word, and remembers what it was asked."""

    id, dim, is_instant = "likes", 2, False

    def __init__(self, word: str) -> None:
        self._word = word
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        return np.array([[1, 0] if self._word in text else [0, 1] for text in texts], np.float32).reshape(
            -1, 2
        )


def make_hits(*texts: str) -> list[Hit]:
    return [
        Hit(post=Post(id=f"x://{n}", author="x://a", text=text, received_us=n), score=0.9 - n / 10)
        for n, text in enumerate(texts)
    ]


def test_what_the_second_look_likes_rises_within_the_depth() -> None:
    hits = make_hits("one", "two", "three cats", "four cats")
    again = Reranker(Likes("cats"), depth=3, weight=9.0).order("cats", hits)
    assert [hit.post.text for hit in again] == ["three cats", "one", "two", "four cats"]
    assert [hit.score for hit in again] == [hit.score for hit in hits]


def test_a_post_is_embedded_once() -> None:
    likes = Likes("x")
    reranker = Reranker(likes)
    for _ in range(3):
        reranker.order("q", make_hits("one", "two"))
    assert likes.asked.count("one") == 1 and likes.asked.count("q") == 3


def test_nothing_to_compare_stays_as_it_is() -> None:
    likes = Likes("x")
    assert Reranker(likes).order("q", make_hits("one")) == make_hits("one")
    assert Reranker(likes).order(" ", make_hits("a", "b")) == make_hits("a", "b")
    assert likes.asked == []


def test_an_index_looks_again_when_told_to(tmp_path: object) -> None:
    index = open_index(f"sqlite:{tmp_path}", "none")
    texts = ["flood flood", "flood", "flood with cats near the town"]
    events = [
        Post(id=f"x://{n}", author=f"x://{n}", text=text, received_us=1) for n, text in enumerate(texts)
    ]
    index.fold(enumerate(events, 1))
    index.ranking = Ranking(feedback_posts=0)
    assert index.search(Query(text="flood"))[0].post.text != texts[2]
    index.reranker = Reranker(Likes("cats"), weight=9.0)
    assert index.search(Query(text="cats flood flood", limit=1))[0].post.text == texts[2]
    index.close()
