"""The untrained embedder, and the names of embedders."""

import numpy as np
import pytest

from hubbub.errors import InvalidInput
from hubbub.index.embedding import open_embedder


def test_texts_that_share_words_are_alike() -> None:
    flood, same, other = open_embedder("hashed:64").embed(
        ["The river floods the town", "river flood town", "a cat video"]
    )
    assert flood @ same > 0.99
    assert flood @ other < 0.5


def test_rows_have_unit_length_or_are_zero() -> None:
    vectors = open_embedder("hashed").embed(["one two", "", "https://example.org"])
    assert vectors.shape == (3, 256) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), [1, 0, 0])
    assert open_embedder("hashed").embed([]).shape == (0, 256)


def test_none_has_no_dimensions() -> None:
    embedder = open_embedder("none")
    assert embedder.dim == 0 and embedder.is_instant
    assert embedder.embed(["a", "b"]).shape == (2, 0)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'nonesuch'"):
        open_embedder("nonesuch")
