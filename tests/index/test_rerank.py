"""Looking again at the best posts."""

from collections.abc import Sequence

import numpy as np

from hubbub.index.embedding import Vectors
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


def make_found(*texts: str) -> dict[str, Post]:
    return {
        f"k{n}": Post(id=f"x://{n}", author="x://a", text=text, received_us=n) for n, text in enumerate(texts)
    }


def test_what_the_second_look_likes_rises_within_the_depth() -> None:
    found = make_found("one", "two", "three cats", "four cats")
    ranked = [("k0", 0.9), ("k1", 0.8), ("k2", 0.7), ("k3", 0.6)]
    again = Reranker(Likes("cats"), depth=3, weight=9.0).order("cats", ranked, found)
    assert [key for key, _ in again] == ["k2", "k0", "k1", "k3"]
    assert [score for _, score in again] == [0.9, 0.8, 0.7, 0.6]


def test_a_post_is_embedded_once() -> None:
    likes = Likes("x")
    reranker = Reranker(likes)
    found = make_found("one", "two")
    for _ in range(3):
        reranker.order("q", [("k0", 0.9), ("k1", 0.8)], found)
    assert likes.asked.count("one") == 1 and likes.asked.count("q") == 3


def test_nothing_to_compare_stays_as_it_is() -> None:
    likes = Likes("x")
    assert Reranker(likes).order("q", [("k0", 0.9)], make_found("one")) == [("k0", 0.9)]
    assert Reranker(likes).order(" ", [("k0", 0.9), ("k1", 0.1)], make_found("a", "b")) == [
        ("k0", 0.9),
        ("k1", 0.1),
    ]
    assert likes.asked == []
