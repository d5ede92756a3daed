"""Tables of piece vectors: cutting, adding up, reading and writing."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.errors import Corruption, InvalidInput
from hubbub.index.embedding import open_embedder
from hubbub.index.embedding.pieces import MAX_PIECES, Pieces
from hubbub.index.embedding.static import StaticEmbedder, read_table, write_table

NAMES = ["flood", "night", "##ing", "##s", "f", "##l"]


def make_table(num: int = len(NAMES), dim: int = 8) -> np.ndarray:
    return np.random.default_rng(5).normal(size=(num, dim)).astype(np.float32)


def test_words_are_cut_into_the_longest_known_pieces() -> None:
    pieces = Pieces(NAMES)
    assert pieces.ids("Flooding floods") == [0, 2, 0, 3]
    assert pieces.ids("fl") == [4, 5]
    assert pieces.ids("xylophone") == []
    assert pieces.ids("#FloodNight") == [0, 1]


def test_a_text_is_the_unit_sum_of_its_pieces() -> None:
    table = make_table()
    vectors = StaticEmbedder(Pieces(NAMES), table).embed(["floods at night", "xyz", "flood"])
    expected = table[0] + table[3] + table[1]
    assert np.allclose(vectors[0], expected / np.linalg.norm(expected), atol=1e-6)
    assert not vectors[1].any()
    assert np.allclose(vectors[2], table[0] / np.linalg.norm(table[0]), atol=1e-6)


@settings(max_examples=50)
@given(st.lists(st.text(st.sampled_from("flods nightg#\u00e9\u5730 "), max_size=30), max_size=200))
def test_a_batch_gives_what_single_texts_give(texts: list[str]) -> None:
    embedder = StaticEmbedder(Pieces(NAMES), make_table())
    together = embedder.embed(texts)
    assert together.shape == (len(texts), 8)
    for text, vector in zip(texts, together, strict=True):
        assert np.allclose(embedder.embed([text])[0], vector, atol=1e-6)


def test_a_table_survives_writing(tmp_path: Path) -> None:
    path = tmp_path / "learned.npz"
    table = make_table()
    write_table(path, NAMES, table)
    learned = open_embedder(str(path))
    texts = ["flood night", "floods"]
    before = StaticEmbedder(Pieces(NAMES), table).embed(texts)
    assert np.allclose(learned.embed(texts), before, atol=0.02)
    assert learned.id == read_table(path).id and learned.id.startswith("learned:8:")
    write_table(path, NAMES, -table)
    assert open_embedder(str(path)).id != learned.id, "other content, other id"


def test_a_damaged_or_missing_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "learned.npz"
    with pytest.raises(InvalidInput, match="learned.npz"):
        read_table(path)
    write_table(path, NAMES, make_table())
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(Corruption, match="damaged"):
        read_table(path)
    write_table(path, [*NAMES, "more"], make_table())
    with pytest.raises(Corruption, match="7 names for 6 rows"):
        read_table(path)


def test_the_shipped_table_knows_likeness() -> None:
    static = open_embedder("static")
    assert static.dim == 128 and static.is_instant
    flood, like, other = static.embed(
        [
            "heavy flooding in the town",
            "the river burst its banks, streets under water",
            "my cat sleeps all day",
        ]
    )
    assert flood @ like > flood @ other + 0.2


def test_hostile_texts_do_no_harm() -> None:
    static = open_embedder("static")
    vectors = static.embed(
        ["", " ", "\ud800", "\u200f\u202e", "a" * 1_000_000, "e\u0301" * 100_000, "1 " * 500_000]
    )
    assert np.isfinite(vectors).all()
    assert len(Pieces(NAMES).ids("flood " * 10_000)) == MAX_PIECES
