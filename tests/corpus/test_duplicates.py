"""Bands propose pairs, Jaccard's similarity decides, and the earlier post stays."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.corpus.duplicates import bands, jaccard, meet, word_pairs
from hubbub.corpus.words import read_words

WORDS = [f"word{i}" for i in range(60)]
TEXTS = st.lists(
    st.lists(st.sampled_from(WORDS[:8]), min_size=1, max_size=12).map(" ".join), min_size=2, max_size=9
)


def pairs_of(text):
    words = text.split()
    return set(zip(words, words[1:], strict=False)) if len(words) > 1 else {(words[0],)}


@given(TEXTS)
def test_similarity_is_that_of_sets_of_word_pairs(texts):
    left, right = np.triu_indices(len(texts), 1)
    found = jaccard(word_pairs(read_words(texts)), left, right)
    for i, j, similarity in zip(left, right, found, strict=True):
        a, b = pairs_of(texts[i]), pairs_of(texts[j])
        assert abs(similarity - len(a & b) / len(a | b)) < 1e-9


@given(TEXTS)
def test_bands_do_not_depend_on_the_batch(texts):
    together = bands(word_pairs(read_words(texts)))
    apart = [bands(word_pairs(read_words([text])))[0] for text in texts]
    assert np.array_equal(together, np.array(apart))


def test_bands_meet_as_often_as_the_formula_says():
    rng = np.random.default_rng(1)
    texts = [" ".join(f"w{n}" for n in rng.integers(0, 9999, 21)) for _ in range(1500)]
    copies = [" ".join([*text.split()[:10], "other", *text.split()[11:]]) for text in texts]
    pairs = word_pairs(read_words(texts + copies))
    place = np.arange(len(texts))
    assert np.allclose(jaccard(pairs, place, place + len(texts)), 18 / 22, atol=0.05)
    found = bands(pairs)
    same = found[: len(texts)] == found[len(texts) :]
    assert abs(same.mean() - (18 / 22) ** 4) < 0.02  # the share of bands of four that agree
    strangers = found[: len(texts)] == np.roll(found[: len(texts)], 1, axis=0)
    assert strangers.sum() <= 1


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=40), st.randoms())
def test_each_post_meets_an_earlier_one_whatever_the_order(posts, random):
    numbered = [(bucket, time, key) for key, (bucket, time) in enumerate(posts)]

    def met(rows):
        columns = [
            np.array([row[i] for row in rows], kind)
            for i, kind in enumerate((np.uint64, np.int64, np.uint64))
        ]
        found = meet(*columns)
        return {(rows[a][2], rows[b][2]) for a, b in zip(found.later, found.earlier, strict=True)}

    pairs = met(numbered)
    shuffled = numbered[:]
    random.shuffle(shuffled)
    assert met(shuffled) == pairs
    assert all((numbered[b][1], b) < (numbered[a][1], a) for a, b in pairs)
    firsts = {min(row[1:] for row in numbered if row[0] == bucket) for bucket in {row[0] for row in numbered}}
    assert {a for a, _ in pairs} == {key for _, time, key in numbered} - {key for _, key in firsts}
