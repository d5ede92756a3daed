"""Learning the words of one's own stream."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from hubbub.errors import InvalidInput
from hubbub.index.embedding import open_embedder
from hubbub.index.embedding.embedder import Vectors, unit_rows
from hubbub.index.embedding.static import StaticEmbedder, read_table
from hubbub.index.learn import MIN_POSTS, learn, new_words

PLACES = ["bridge", "market", "school", "harbour", "station", "church", "park", "theatre"]


def shipped() -> StaticEmbedder:
    static = open_embedder("static")
    assert isinstance(static, StaticEmbedder)
    return static


def stream() -> list[str]:
    floods = [f"Zwumsel river flooding near the {PLACES[n % 8]}, water level {n} cm" for n in range(700)]
    songs = [
        f"new song number {n} by the band Krumpel, great concert at the {PLACES[n % 8]}" for n in range(700)
    ]
    return [text for pair in zip(floods, songs, strict=True) for text in pair]


class Teacher:
    """Looks at the first letter only, so that what was learned from it is plain to see."""

    id, dim, is_instant = "first-letter", 384, False

    def embed(self, texts: Sequence[str]) -> Vectors:
        rows = np.zeros((len(texts), self.dim), np.float32)
        for number, text in enumerate(texts):
            rows[number, 0 if text.startswith("Z") else 1] = 1
        return rows


def test_new_words_are_the_frequent_ones_without_a_row() -> None:
    words = new_words(stream(), shipped().pieces)
    assert words == ["krumpel", "zwumsel"] or words == ["zwumsel", "krumpel"]


def test_a_new_word_points_where_its_company_points(tmp_path: Path) -> None:
    base = shipped()
    learned, lesson = learn(stream(), base)
    assert (lesson.num_posts, lesson.num_new_words, lesson.num_taught) == (1400, 2, 0)

    def likeness(embedder: StaticEmbedder) -> float:
        word, flood, song = embedder.embed(["zwumsel", "the river floods", "a song at a concert"])
        return float(word @ flood - word @ song)

    assert likeness(learned) > likeness(base) + 0.2
    path = tmp_path / "own.npz"
    learned.write(path)
    assert likeness(read_table(path)) == pytest.approx(likeness(learned), abs=0.02)
    assert learned.id != base.id


def test_a_teacher_moves_the_table() -> None:
    base = shipped()
    teacher = Teacher()
    learned, lesson = learn(stream(), base, teacher, num_taught=1000)
    assert lesson.num_taught == 1000
    targets = unit_rows(teacher.embed(["Zwumsel", "new song"]) @ base.projection)
    texts = ["Zwumsel river flooding near the school", "new song by the band Krumpel"]
    before = (base.embed(texts) * targets).sum(axis=1)
    after = (learned.embed(texts) * targets).sum(axis=1)
    assert (after > before + 0.1).all()


def test_too_little_or_a_stranger_teaches_nothing() -> None:
    with pytest.raises(InvalidInput, match="too few"):
        learn(["one post"] * (2 * MIN_POSTS), shipped())
    stranger = Teacher()
    stranger.dim = 7
    with pytest.raises(InvalidInput, match="does not fit"):
        learn(stream(), shipped(), stranger)
