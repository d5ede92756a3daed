"""Words of many texts at once equal words of each, whatever stands beside them."""

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hubbub.corpus.words import count_digits, digests, distinct, read_words, runs_of

TEXTS = st.lists(
    st.text(st.sampled_from("aB\u00c9\u00e9z09 \n.,!-#\u4f60\u597d\u0e01\U0001f525\u0301"), max_size=12),
    max_size=6,
)


def of(text):
    return read_words([text]).hashes.tolist()


@given(TEXTS)
def test_a_batch_holds_each_texts_own_words(texts):
    words = read_words(texts)
    assert len(words.starts) == len(texts) + 1
    for i, text in enumerate(texts):
        assert words.hashes[words.starts[i] : words.starts[i + 1]].tolist() == of(text)
        assert words.num_visible[i] == sum(not char.isspace() for char in text)
        assert words.num_digits[i] == sum(char in "09" for char in text) == count_digits(texts)[i]


@given(
    st.lists(st.text(st.sampled_from("abcXYZ01"), min_size=1, max_size=90), max_size=5),
    st.sampled_from([" ", ", ", "\n#"]),
)
def test_words_are_what_stands_between_signs_in_lower_case(words, between):
    assert of(between.join(words)) == [of(word.lower())[0] for word in words]


def test_different_words_have_different_hashes():
    vocabulary = {f"{a}{b}" for a in "abcdefghijklmnop" for b in range(1000)} | {
        f"{b}{a}" for a in "abcdefghijklmnop" for b in range(1000)
    }
    assert len(distinct(read_words([" ".join(vocabulary)]).hashes)) == len(vocabulary)
    assert of("ab") != of("ba") and of("a b") == [*of("a"), *of("b")]


def test_ideographs_are_words_of_their_own():
    assert len(of("\u4f60\u597d\u4e16\u754c")) == 4
    assert len(of("ok\u4f60\u597dok")) == 4
    assert of("\u4f60\u597d")[0] == of("\u4f60")[0]


def test_digests_know_the_order_and_nothing_of_case_or_signs():
    a, b, c, d, empty = digests(
        read_words(["The dam broke!", "the DAM... broke", "broke the dam", "the dam broke now", ""])
    )
    assert a == b and len({a, c, d, empty}) == 4


def test_runs_stay_within_their_text():
    words = read_words(["one two three", "two three four", "", "x"])
    hashes, texts = runs_of(words, 2)
    assert texts.tolist() == [0, 0, 1, 1]
    assert hashes[1] == hashes[2] and len(distinct(hashes)) == 3
    assert len(runs_of(words, 8)[0]) == 0


def test_many_texts_as_one_list_of_words():
    texts = [f"post number {i} of a day, {'so ' * (i % 5)}long" for i in range(300)]
    counts = np.diff(read_words(texts).starts).tolist()
    assert counts == [len(re.findall(r"\w+", text)) for text in texts]
