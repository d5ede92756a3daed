"""Bits per byte: what each token costs, whole rows and windows, and the yardsticks beside a model."""

import math

import numpy as np
import pytest
import torch

from hubbub.model.llama import Llama
from hubbub.train.bits import baselines, byte_table, measure, nats
from tests.corpus.made import text_of, tokenizer
from tests.train.conftest import TINY


def rows(*sizes):
    rng = np.random.default_rng(3)
    return [rng.integers(6, 60, size).astype(np.uint16) for size in sizes]


def test_costs_are_those_of_the_loss_whatever_stands_beside(seed=1):
    model = Llama(TINY, seed)
    given = rows(12, 30, 7, 2)
    together = nats(model, given, seq=64)
    for row, costs in zip(given, together, strict=True):
        ids = torch.from_numpy(row.astype(np.int64))[None]
        loss = model(ids[:, :-1], ids[:, 1:]).item()
        assert costs.mean() == pytest.approx(loss, rel=1e-5)


def test_long_rows_are_costed_once_in_windows_that_see_at_least_half():
    model = Llama(TINY, 1)
    row = rows(100)[0]
    costs = nats(model, [row], seq=16)[0]
    assert len(costs) == 99 and (costs > 0).all()
    assert costs[:16] == pytest.approx(nats(model, [row[:17]], seq=16)[0], rel=1e-5)
    for target in (17, 40, 99):  # as if read from somewhere between 8 and 16 tokens before it
        near = [nats(model, [row[target - seen : target + 1]], seq=16)[0][-1] for seen in range(8, 17)]
        assert min(abs(costs[target - 1] - cost) for cost in near) < 1e-4


def test_a_model_that_knows_nothing_costs_the_logarithm_of_its_vocabulary():
    model = Llama(TINY, 0)
    torch.nn.init.zeros_(model.model.embed_tokens.weight)
    table = [b"ab"] * 64
    found = measure(model, rows(20, 1, 11), table, seq=64)
    assert (found.num_tokens, found.num_bytes) == (29, 58)
    assert found.per_byte == pytest.approx(math.log2(64) / 2, rel=1e-6)


def test_bytes_are_those_of_the_text_and_one_a_separator():
    table = byte_table(tokenizer())
    text = "caf\u00e9 \U0001f525 ok"
    ids = np.array([tokenizer().begin, *tokenizer().post, *tokenizer().encode(text), tokenizer().end])
    assert b"".join(table[number] for number in ids) == b"\n" + text.encode() + b"\n"


def test_yardsticks_are_what_they_say():
    table = byte_table(tokenizer())
    encoded = [np.array([1, 3, *tokenizer().encode(text_of(number)), 2]) for number in range(400)]
    found = baselines(encoded[:300], encoded[300:], table)
    assert 0 < found["zstd, having read"] < found["gzip"] < found["unigram"] < 8
    unread = baselines([], encoded[300:], table)
    assert unread["zstd, having read"] > found["zstd, having read"]
    assert unread["unigram"] > found["unigram"]
