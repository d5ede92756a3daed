"""What finds a post besides its text, and BM25's weights."""

import pytest

from hubbub.index.lexical import BM25_K1, post_terms, slug, weigh_terms
from hubbub.index.tokenize import term_id
from hubbub.posts import Post


def test_a_post_is_found_by_text_author_media_tags_and_headline() -> None:
    post = Post(
        id="x://status/1",
        author="x://user/7",
        handle="town_hall",
        name="Town Hall",
        text="Bridge closed",
        hashtags=("flood",),
        media=("a car under water",),
        links=(
            "https://news.example/2031/old-bridge-collapses.html?utm_source=a-b-c",
            "https://s.example/x9",
        ),
        received_us=1,
    )
    found = post_terms(post, "en")
    assert found[:4] == ["bridg", "close", "#flood", "flood"]
    for term in ("car", "water", "@town_hall", "town", "hall", "old", "collaps"):
        assert term in found
    assert "utm" not in found and "x9" not in found


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("https://a.example/world/river-rises-again", "river rises again"),
        ("https://a.example/watch?v=a-b-c-d", ""),
        ("https://a.example/two-words", ""),
        ("https://a.example", ""),
        ("no link at all", ""),
    ],
)
def test_only_headlines_are_read_from_links(link: str, words: str) -> None:
    assert slug(link) == words


def test_weights_grow_with_repetition_and_stay_below_the_limit() -> None:
    ids, weights = weigh_terms(["flood", "flood", "river"])
    assert ids == [term_id("flood"), term_id("river")]
    assert 0 < weights[1] < weights[0] < BM25_K1 + 1
    assert weigh_terms([]) == ([], [])
