"""Teach a static table the words of one's own stream, within minutes and without torch; it reads no archive.

Frequent words of the stream get rows of their own instead of pieces, and point where their company points.
With a teacher (the `[rerank]` extra) the table is then fitted to its vectors of some thousand posts.
On TREC Microblog the first step alone brings two thirds of the gain (decision 031).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from hubbub.errors import InvalidInput
from hubbub.index.embedding import Embedder, Vectors
from hubbub.index.embedding.embedder import unit_rows
from hubbub.index.embedding.fitting import fit
from hubbub.index.embedding.pieces import Pieces
from hubbub.index.embedding.static import StaticEmbedder
from hubbub.index.tokenize import words

MIN_POSTS = 1_000
"""Fewer posts teach nothing that the shipped table does not know."""
MAX_POSTS = 100_000
MIN_COUNT = 8
"""Occurrences that a word needs for a row of its own."""
MAX_NEW_WORDS = 12_000
NUM_TAUGHT = 6_000
"""Posts that the teacher embeds: about a minute; four times as many gain .006 (reference/models.md)."""
EPOCHS = 4
CONTEXT = 1.0
"""Weight of a new word's company beside its pieces."""
_WORD = range(3, 31)  # letters


class Lesson(msgspec.Struct, frozen=True, kw_only=True):
    """What was learned."""

    num_posts: int
    num_new_words: int
    num_taught: int


def learn(
    texts: Iterable[str], base: StaticEmbedder, teacher: Embedder | None = None, num_taught: int = NUM_TAUGHT
) -> tuple[StaticEmbedder, Lesson]:
    """Return a table that knows these texts, the last `MAX_POSTS` distinct ones of them.

    Takes about 20 s for 100,000 posts, with a teacher 1 to 3 minutes more (one core).

    Raises:
        InvalidInput: there are fewer than `MIN_POSTS` texts, or the teacher's vectors do not fit the table.
    """
    known = list(dict.fromkeys(texts))[-MAX_POSTS:]
    if len(known) < MIN_POSTS:
        raise InvalidInput(f"{len(known)} posts are too few to learn from; {MIN_POSTS:,} are needed")
    if teacher and (base.projection is None or len(base.projection) != teacher.dim):
        raise InvalidInput(f"teacher {teacher.id!r} does not fit the table {base.id!r}; start from `static`")
    grown = add_words(base, new_words(known, base.pieces), known)
    num_new = len(grown.pieces) - len(base.pieces)
    if not teacher or base.projection is None:
        return grown, Lesson(num_posts=len(known), num_new_words=num_new, num_taught=0)
    chosen = np.random.default_rng(0).choice(len(known), min(num_taught, len(known)), replace=False)
    taught = [known[number] for number in chosen]
    targets = unit_rows(teacher.embed(taught) @ base.projection)
    table = fit(grown.table, [grown.pieces.ids(text) for text in taught], targets, EPOCHS)
    fitted = StaticEmbedder(grown.pieces, table, "learned", base.projection)
    return fitted, Lesson(num_posts=len(known), num_new_words=num_new, num_taught=len(taught))


def new_words(texts: Iterable[str], pieces: Pieces) -> list[str]:
    """Return the frequent words that the vocabulary cuts to pieces, most frequent first."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(set(words(text)))
    frequent = (
        word
        for word, count in counts.most_common()
        if count >= MIN_COUNT and len(word) in _WORD and word.isalnum() and not word.isdecimal()
    )
    return [word for word in frequent if word not in pieces][:MAX_NEW_WORDS]


def add_words(base: StaticEmbedder, new: Sequence[str], texts: Sequence[str]) -> StaticEmbedder:
    """Return the table with rows for new words: their pieces and, in part, the texts that hold them.

    After "a la carte" embedding (Khodak et al., ACL 2018), without its linear map: our texts' vectors already
    lie where their words' vectors lie.
    """
    grown = Pieces([*base.pieces.names, *new])
    first = len(base.pieces)
    own = base.sums(*base.pieces.flat(new))
    company = np.zeros((len(new), base.dim), np.float32)
    counts = np.zeros(len(new), np.int64)
    vectors = base.embed(texts)
    for vector, text in zip(vectors, texts, strict=True):
        for number in {number - first for number in grown.ids(text) if number >= first}:
            company[number] += vector
            counts[number] += 1
    company = unit_rows(company / np.maximum(counts, 1)[:, None] - vectors.mean(axis=0))
    lengths = np.maximum(np.linalg.norm(own, axis=1, keepdims=True), _usual_length(base.table))
    rows = unit_rows(unit_rows(own) + CONTEXT * company) * np.minimum(lengths, 2 * _usual_length(base.table))
    table: Vectors = np.concatenate([base.table, rows.astype(np.float32)])
    return StaticEmbedder(grown, table, "learned", base.projection)


def _usual_length(table: Vectors) -> float:
    return float(np.median(np.linalg.norm(table, axis=1)))
