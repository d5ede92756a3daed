"""Nothing that a platform sends or a person types breaks an index."""

import numpy as np
import pytest

from hubbub.index import Query, open_index
from hubbub.posts import Deletion, Edit, Post

TEXTS = [
    "",
    " \n\t ",
    "\u202e\u05e9\u05dc\u05d5\u05dd \u0627\u0644\u0633\u0644\u0627\u0645 \u2066x\u2069",
    "z\u0310\u0301a\u0315l\u0321g\u0334o " * 40,
    "\U0001f30a\U0001f6f6\U0001f469\u200d\U0001f692 \u2764\ufe0f",
    "\u6771\u4eac\u3067\u5730\u9707",
    "a\ud800b \udfff",
    "nul \x00 bell \x07",
    "word" * 30_000,
    "<b>bold</b> [1](x) \"quote\" 'single' %s {0} \\",
    "1 " * 20_000,
]


class SickEmbedder:
    """Gives NaN, infinity and zeros in turn."""

    id, dim, is_instant = "sick", 8, True

    def embed(self, texts):
        rows = np.ones((len(texts), 8), np.float32)
        rows[0::3] = np.nan
        rows[1::3, 2] = np.inf
        rows[2::3] = 0
        return rows


@pytest.fixture(params=["edge", "sqlite", "memory"])
def url(request, tmp_path):
    return "memory:" if request.param == "memory" else f"{request.param}:{tmp_path}"


def odd_post(number, text):
    return Post(id=f"x://status/{number}", author=f"a {number}\n", handle="", text=text, received_us=number)


def test_any_text_can_be_stored_found_and_fetched(url):
    index = open_index(url, "hashed:16")
    posts = [odd_post(number, text) for number, text in enumerate(TEXTS, 1)]
    index.fold(enumerate(posts, 1))
    found = index.fetch(post.id for post in posts)
    assert [len(found[post.id].text) for post in posts] == [len(text) for text in TEXTS]
    assert {hit.post.id for hit in index.search(Query(limit=50))} == {post.id for post in posts}
    for text in TEXTS:
        index.search(Query(text=text, phrases=(text[:100],), excluded=(text[:20],), authors=(text[:50],)))
    assert index.search(Query(text="\u5730\u9707"))[0].post.text == TEXTS[5]
    index.fold([(len(posts) + 1, Deletion(id=posts[4].id, received_us=1))])
    assert posts[4].id not in index.fetch([posts[4].id])
    index.close()


def test_a_text_of_ten_million_characters_is_kept_whole(tmp_path):
    index = open_index(f"edge:{tmp_path}", "hashed:16")
    text = "needle " + "hay " * 2_500_000
    index.fold([(1, odd_post(1, text))])
    assert index.search(Query(text="needle"))[0].post.text == text
    index.close()


def test_extreme_times_and_sizes_are_answered(url):
    index = open_index(url, "none")
    posts = [
        Post(id=f"x://{n}", author="a", text="x", received_us=n) for n in (-(2**62), -1, 0, 2**53, 2**62)
    ]
    index.fold(enumerate(posts, 1))
    assert index.search(Query(limit=9))[0].post.received_us in (2**53, 2**62)
    # Times beyond the year 2255 count as that year.
    late = index.search(Query(text="x", from_us=2**63, now_us=-(2**70)))
    assert {hit.post.received_us for hit in late} == {2**53, 2**62}
    assert len(index.search(Query(text="x", to_us=2**80, limit=10**6, recency=1e9))) == 5
    assert index.search(Query(text="x", limit=0)) == index.search(Query(limit=-3)) == []
    index.close()


def test_vectors_that_are_not_numbers_leave_a_post_to_its_words(url):
    index = open_index(url, SickEmbedder())
    index.fold(enumerate([odd_post(number, f"word only{number}") for number in range(1, 7)], 1))
    assert len(index.search(Query(text="word", limit=10))) == 6
    assert not index.embed(["x", "y", "z"]).any()
    index.close()


def test_a_hundred_thousand_characters_can_be_asked(url):
    index = open_index(url, "hashed:16")
    index.fold([(1, odd_post(1, "the flood"))])
    long = "flood water " * 9000
    assert len(index.search(Query(text=long, phrases=("flood",), hashtags=("x",) * 50))) == 0
    assert len(index.search(Query(text=long))) == 1
    index.close()


def test_an_edit_in_a_circle_ends(url):
    index = open_index(url, "none")
    index.fold(
        [
            (1, odd_post(1, "a")),
            (2, Edit(post=odd_post(2, "b"), replaces="x://status/1")),
            (3, Edit(post=odd_post(1, "c"), replaces="x://status/2")),
            (4, Deletion(id="x://status/1", received_us=1)),
        ]
    )
    assert index.fetch(["x://status/1", "x://status/2"]) == {}
    index.close()
