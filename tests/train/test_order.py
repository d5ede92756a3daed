"""Batches are a pure function of seed and number, and cover each epoch once."""

import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hubbub.train.order import Order, batch, buckets, cut, packed, shuffled

lengths_of = st.lists(st.integers(2, 90), min_size=1, max_size=60).map(np.array)


@given(lengths_of, st.integers(0, 5), st.integers(1, 300), st.integers(1, 3))
def test_every_epoch_holds_each_document_once(lengths, seed, batch_tokens, epochs):
    order = Order(seed, lengths, batch_tokens)
    num = -(-epochs * int(lengths.sum()) // batch_tokens)
    read = np.concatenate([order.batch(number) for number in range(num)])
    for epoch in range(epochs):
        part = read[epoch * len(lengths) : (epoch + 1) * len(lengths)]
        assert sorted(part) == list(range(len(lengths)))


@given(lengths_of, st.integers(0, 5), st.integers(1, 300), st.lists(st.integers(0, 40), max_size=8))
def test_a_batch_does_not_depend_on_those_before(lengths, seed, batch_tokens, numbers):
    order = Order(seed, lengths, batch_tokens)
    for number in numbers:
        assert np.array_equal(order.batch(number), batch(seed, number, lengths, batch_tokens))


def test_the_order_is_the_same_on_every_machine_and_for_ever():
    found = shuffled(1000, 7, 3)
    assert sorted(found) == list(range(1000))
    assert hashlib.sha256(found.astype("<i8").tobytes()).hexdigest()[:16] == "5c6160ac2674d8a2"
    assert not np.array_equal(found, shuffled(1000, 7, 4))
    assert not np.array_equal(found, shuffled(1000, 8, 3))


@given(lengths_of, st.integers(1, 40))
def test_parts_of_a_document_predict_every_token_but_the_first_once(lengths, seq):
    owner, starts, sizes = cut(lengths.astype(np.int64), seq)
    assert (sizes <= seq + 1).all()
    for document, length in enumerate(lengths):
        mine = owner == document
        predicted = [t for s, z in zip(starts[mine], sizes[mine], strict=True) for t in range(s + 1, s + z)]
        assert predicted == list(range(1, length))


@given(st.lists(st.integers(2, 41), min_size=1, max_size=80), st.integers(1, 3))
def test_packed_rows_hold_every_part_once_and_never_too_much(sizes, rows):
    lengths = np.array(sizes, np.int64)
    micros = packed(lengths, 40, rows)
    read = [int(part) for micro in micros for row in micro for part in row]
    assert sorted(read) == list(range(len(sizes)))
    assert all(lengths[row].sum() - len(row) <= 40 for micro in micros for row in micro)
    assert all(len(micro) <= rows for micro in micros)


@given(st.lists(st.integers(2, 41), min_size=1, max_size=80), st.integers(40, 400))
def test_rectangles_stay_within_their_tokens(sizes, micro_tokens):
    lengths = np.array(sizes, np.int64)
    micros = buckets(lengths, micro_tokens)
    assert sorted(int(p) for m in micros for row in m for p in row) == list(range(len(sizes)))
    for micro in micros:
        assert len(micro) * (max(lengths[row[0]] for row in micro) - 1) <= micro_tokens


def test_short_posts_fill_packed_rows():
    lengths = np.random.default_rng(0).integers(8, 60, 4000)
    rows = [row for micro in packed(lengths, 1024, 1) for row in micro]
    assert (lengths.sum() - 4000) / (1024 * len(rows)) > 0.98
