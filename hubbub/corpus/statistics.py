"""Figures of a corpus as it stands now, of living posts only; it draws nothing."""

from __future__ import annotations

import msgspec
import numpy as np

from hubbub.corpus.deletions import KINDS, read_deleted
from hubbub.corpus.reader import Corpus
from hubbub.corpus.tokenizer import load_tokenizer
from hubbub.units import US_PER_DAY

SHARES = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Of authors, the most active first."""
_TRIES = 4


class Language(msgspec.Struct, frozen=True, kw_only=True):
    """One language by its code."""

    lang: str
    num_posts: int
    num_tokens: int


class Length(msgspec.Struct, frozen=True, kw_only=True):
    """Documents of more than half and at most `most` tokens."""

    most: int
    num_documents: int
    num_tokens: int


class CorpusStats(msgspec.Struct, frozen=True, kw_only=True):
    """What lives in a corpus."""

    deletion_mark: int
    num_alive: int
    num_dead: int
    num_tokens: int
    dead: dict[str, int]
    """Posts by what took them away."""
    languages: tuple[Language, ...]
    """Most posts first."""
    num_authors: int
    author_shares: tuple[tuple[float, float], ...]
    """(share of authors, share of posts that they wrote), the most active first."""
    lengths: tuple[Length, ...]
    days: tuple[tuple[int, int], ...]
    """(midnight UTC in microseconds, posts received on the day); days without one are left out."""
    samples: tuple[str, ...]


def gather(corpus: Corpus, *, num_samples: int = 12) -> CorpusStats:
    """Count what lives, and draw documents for show, the same ones as long as they live.

    Raises:
        Corruption: a file is gone or damaged.
        MissingExtra: samples need tiktoken.
    """
    manifest, num_langs = corpus.manifest, len(corpus.manifest.langs)
    alive, authors, days = [], [], []
    langs = np.zeros((2, num_langs), np.int64)
    for shard in corpus.shards():
        is_alive = shard.flags() == 0
        length, lang = shard.columns["length"][is_alive], shard.columns["lang"][is_alive]
        langs[0] += np.bincount(lang, minlength=num_langs)
        langs[1] += np.bincount(lang, length, num_langs).astype(np.int64)
        authors.append(shard.columns["author_key"][is_alive])
        days.append(shard.columns["received_us"][is_alive] // US_PER_DAY)
        alive.append(_living_lengths(shard.columns["first_piece"], is_alive, shard.columns["length"]))
    lengths, per_author = np.concatenate(alive), _descending_counts(authors)
    day, per_day = np.unique(np.concatenate(days), return_counts=True)
    languages = [
        Language(lang=name, num_posts=posts, num_tokens=tokens)
        for name, posts, tokens in zip(manifest.langs, *langs.tolist(), strict=True)
        if posts
    ]
    num_alive = int(langs[0].sum())
    return CorpusStats(
        deletion_mark=corpus.deletion_mark,
        num_alive=num_alive,
        num_dead=manifest.num_posts - num_alive,
        num_tokens=int(lengths.sum()),
        dead=_dead_by_kind(corpus),
        languages=tuple(sorted(languages, key=lambda each: (-each.num_posts, each.lang))),
        num_authors=len(per_author),
        author_shares=_shares(per_author),
        lengths=_histogram(lengths),
        days=tuple((int(d) * US_PER_DAY, int(n)) for d, n in zip(day, per_day, strict=True)),
        samples=_samples(corpus, num_samples),
    )


def _living_lengths(first_piece: np.ndarray, is_alive: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Return the tokens of each document that has a living post, begin and end included."""
    tokens = np.concatenate([[0], np.cumsum(length * is_alive, dtype=np.int64)])
    found: np.ndarray = tokens[first_piece[1:]] - tokens[first_piece[:-1]]
    return found[found > 0] + 2


def _descending_counts(authors: list[np.ndarray]) -> np.ndarray:
    counts: np.ndarray = np.unique(np.concatenate(authors), return_counts=True)[1]
    return -np.sort(-counts)


def _shares(per_author: np.ndarray) -> tuple[tuple[float, float], ...]:
    written, whole = np.cumsum(per_author), int(per_author.sum())
    if not whole:
        return ()
    places = [max(1, round(len(per_author) * share)) for share in SHARES]
    return tuple(
        (place / len(per_author), float(written[place - 1]) / whole) for place in dict.fromkeys(places)
    )


def _histogram(lengths: np.ndarray) -> tuple[Length, ...]:
    """Count documents in steps of two."""
    step = np.ceil(np.log2(np.maximum(lengths, 1))).astype(np.int64)
    numbers, tokens = np.bincount(step), np.bincount(step, lengths)
    first = int(np.flatnonzero(numbers)[0]) if len(lengths) else 0
    return tuple(
        Length(most=1 << n, num_documents=int(numbers[n]), num_tokens=int(tokens[n]))
        for n in range(first, len(numbers))
    )


def _dead_by_kind(corpus: Corpus) -> dict[str, int]:
    log = read_deleted(corpus.directory, corpus.manifest.id)
    _, first = np.unique(log["post_key"], return_index=True)
    counts = np.bincount(log["kind"][first].astype(np.int64), minlength=len(KINDS))
    return {kind: int(number) for kind, number in zip(KINDS, counts, strict=True) if number}


def _samples(corpus: Corpus, most: int) -> tuple[str, ...]:
    """Read documents from all over the corpus, their special tokens as line breaks."""
    if not most:
        return ()
    tokenizer = load_tokenizer(corpus.tokenizer_dir)
    numbers = np.random.default_rng(0).permutation(len(corpus.lengths))[: most * _TRIES]
    marks = (tokenizer.begin, tokenizer.end, *tokenizer.post)
    found: list[str] = []
    for number in numbers.tolist():
        ids = corpus.read(number)
        if len(ids) and len(found) < most:
            cuts = np.flatnonzero(np.isin(ids, marks))
            parts = [tokenizer.decode(ids[a + 1 : b]) for a, b in zip(cuts, cuts[1:], strict=False)]
            found.append("\n".join(part for part in parts if part))
    return tuple(found)
