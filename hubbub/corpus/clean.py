"""Cleans one run of buckets: its living posts, masked, judged and hashed, for threads and duplicates to meet.

A run is what one process does at a time: buckets of some 25,000 posts, or one larger bucket, of which so many
posts are held at a time. Its `.json` comes last of all, so a build that was killed goes on behind the last
finished run.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from hubbub.corpus.decontaminate import Evaluation
from hubbub.corpus.duplicates import NUM_BANDS, bands, word_pairs
from hubbub.corpus.fold import Record, Version, Word, living, read_scattered
from hubbub.corpus.pii import MASKS, MENTION, mask_links, mask_persons, tidy
from hubbub.corpus.quality import REASONS, judge
from hubbub.corpus.run import COLUMNS, ENTRY, KINDS, Clean, Run, RunReport
from hubbub.corpus.settings import CorpusSettings
from hubbub.corpus.spill import BUCKETS, SpillWriter
from hubbub.corpus.words import U64, Words, count_digits, digests, read_words
from hubbub.disk import refusals
from hubbub.language import text_language

_BATCH = 1024
_NOISE = re.compile("|".join((*MASKS, MENTION.pattern)))

_T = TypeVar("_T")


RUN_POSTS = 25_000


def plan_runs(work: Path, posts: int) -> list[tuple[int, int]]:
    """Group the scattered buckets into runs of at most so many posts, or of one bucket."""
    runs: list[tuple[int, int]] = []
    first, held = 0, 0
    for bucket, count in enumerate(read_scattered(work).counts):
        if held and held + count > posts:
            runs.append((first, bucket))
            first, held = bucket, 0
        held += count
    return [*runs, (first, BUCKETS)]


def clean_run(
    work: Path, number: int, buckets: range, settings: CorpusSettings, posts: int = RUN_POSTS
) -> None:
    """Clean the posts of `buckets`, some `posts` at a time, and write the files of the run.

    Raises:
        StorageError: the disk refused.
    """
    run = Run(work, number)
    with SpillWriter[Clean](run.path("spill")) as spill:
        cleaner = _Cleaner(run, work, settings, spill)
        scattered = read_scattered(work)
        dead = np.load(work / "dead.npy", mmap_mode="r")
        for bucket in buckets:
            parts = max(1, round(scattered.counts[bucket] / posts))
            for part in range(parts):
                records = _share(scattered.read(bucket), part, parts)
                versions, dropped = living(records, dead, frozenset(settings.blocked))
                cleaner.dropped += dropped
                for batch in batches(versions, _BATCH):
                    cleaner.take(batch)
                if cleaner.num_waiting >= posts:
                    cleaner.flush()
    with refusals("write the work files", work):
        report = cleaner.write()
        run.path("new").write_bytes(msgspec.json.encode(report))
        run.path("new").rename(run.path("json"))


def _share(records: Iterator[Record], part: int, parts: int) -> Iterator[Record]:
    """Leave out the posts of other parts: what becomes of a post hangs on its versions and its author."""
    if parts == 1:
        return records
    return (each for each in records if isinstance(each, Word) or each.key % parts == part)


def batches(items: Sequence[_T] | Iterator[_T], size: int) -> Iterator[list[_T]]:
    """Yield the items in lists of `size`, the last one shorter."""
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch


class _Cleaner:
    def __init__(self, run: Run, work: Path, settings: CorpusSettings, spill: SpillWriter[Clean]) -> None:
        self.dropped: Counter[str] = Counter()
        self.num_waiting = 0
        self._run, self._settings, self._spill = run, settings, spill
        self._evaluation = Evaluation(settings.evaluation)
        self._languages = frozenset(settings.languages)
        self._replies, self._roots = np.load(work / "parents.npy", mmap_mode="r")
        self._authors: dict[str, int] = {}
        self._columns: list[tuple[U64, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]] = []
        self._bounds: dict[str, list[list[int]]] = {kind: [] for kind in KINDS}
        self._num_rows = 0
        self._exact: list[U64] = []
        self._bands: list[U64] = []
        self._pairs: list[NDArray[np.uint32]] = []
        for kind in (*KINDS, "pairs"):
            run.path(kind).unlink(missing_ok=True)

    def take(self, versions: list[Version]) -> None:
        """Clean, judge and hash a batch."""
        texts = [mask_links(tidy(version.text)) for version in versions]
        texts = list(map(mask_persons, texts, count_digits(texts)))
        plain = list(map(_without_noise, texts))
        words = read_words(plain)
        verdicts = judge(plain, words, np.array([v.parent > 0 for v in versions]), self._settings)
        self.dropped.update(REASONS[verdict - 1] for verdict in verdicts[verdicts > 0].tolist())
        kept = verdicts == 0
        if self._settings.evaluation:
            known = self._evaluation.is_in(words) & kept
            self.dropped["in an evaluation text"] += int(known.sum())
            kept &= ~known
        chosen = [(i, _language(versions[i], plain[i])) for i in np.flatnonzero(kept).tolist()]
        if self._languages:
            foreign = [i for i, lang in chosen if lang not in self._languages]
            self.dropped["language"] += len(foreign)
            kept[foreign] = False
        posts = [(versions[i], texts[i], lang) for i, lang in chosen if kept[i]]
        if posts:
            self._keep(posts, _select(words, kept))

    def _keep(self, posts: list[tuple[Version, str, str]], words: Words) -> None:
        threads = self._threads([version for version, _, _ in posts])
        is_short = (np.diff(words.starts) < self._settings.min_words).tolist()
        first_row = self._num_rows
        for row, ((version, text, lang), thread, short) in enumerate(
            zip(posts, threads, is_short, strict=True), first_row
        ):
            post = Clean(
                row,
                version.key,
                version.id,
                version.author,
                version.handle or version.author,
                version.received_us,
                lang,
                text,
                thread,
                version.parent,
                short,
                version.former_ids,
            )
            self._spill.put(thread % BUCKETS, post)
        self._num_rows += len(posts)
        authors, pairs = self._authors, word_pairs(words)
        keys, times, numbers = (
            [version.key for version, _, _ in posts],
            [version.received_us for version, _, _ in posts],
            [authors.setdefault(version.author, len(authors)) for version, _, _ in posts],
        )
        self._columns.append(
            (np.array(keys, np.uint64), np.array(times), np.array(numbers), np.diff(pairs.starts))
        )
        self._exact.append(digests(words))
        self._pairs.append(pairs.hashes)
        self._bands.append(bands(pairs))
        self.num_waiting += len(posts)

    def _threads(self, versions: list[Version]) -> list[int]:
        """Return the key of each post's thread: its root's, or its own."""
        keys = np.array([version.key for version in versions], np.uint64)
        parents = np.array([version.parent for version in versions], np.uint64)
        roots = np.array([version.root for version in versions], np.uint64)
        tops = parents
        if len(self._replies):
            at = np.minimum(np.searchsorted(self._replies, keys), len(self._replies) - 1)
            tops = np.where(self._replies[at] == keys, self._roots[at], parents)
        threads: list[int] = np.select([roots > 0, parents > 0], [roots, tops], keys).tolist()
        return threads

    def flush(self) -> None:
        """Write word pairs and entries, which are most of what is held."""
        rows = np.arange(self._num_rows - self.num_waiting, self._num_rows, dtype=np.uint32)
        none = np.zeros((0, NUM_BANDS), np.uint64)
        with refusals("write the work files", self._run.path("pairs")):
            with open(self._run.path("pairs"), "ab") as file:
                for hashes in self._pairs:
                    hashes.tofile(file)
            self._enter("exact", np.concatenate([none[:, 0], *self._exact]), rows)
            self._enter("near", np.concatenate([none, *self._bands]).ravel(), np.repeat(rows, NUM_BANDS))
        self.num_waiting = 0
        for waiting in (self._pairs, self._exact, self._bands):
            waiting.clear()

    def _enter(self, kind: str, hashes: U64, rows: NDArray[np.uint32]) -> None:
        """Write (hash, row) in order of the bucket of the hash."""
        bucket = (hashes >> np.uint64(56)).astype(np.uint8)
        order = np.argsort(bucket, kind="stable")
        entries = np.empty(len(hashes), ENTRY)
        entries["hash"], entries["row"] = hashes[order], rows[order]
        with open(self._run.path(kind), "ab") as file:
            first = file.tell() // ENTRY.itemsize
            entries.tofile(file)
        counts = np.bincount(bucket, minlength=BUCKETS)
        self._bounds[kind].append((first + np.cumsum([0, *counts])).tolist())

    def write(self) -> RunReport:
        """Write what is left, and the columns."""
        self.flush()
        kinds = (np.uint64, np.int64, np.int64, np.int64)
        keys, times, authors, sizes = (
            np.concatenate([*(part[i] for part in self._columns), np.zeros(0, kind)])
            for i, kind in enumerate(kinds)
        )
        columns = np.zeros(self._num_rows + 1, COLUMNS)
        columns["key"][:-1], columns["time"][:-1] = keys, times
        order = np.lexsort((keys, authors))
        activity = np.bincount(authors)
        begins = np.cumsum(activity) - activity
        columns["rank"][order] = np.arange(self._num_rows) - begins[authors[order]]
        columns["start"][1:] = np.cumsum(sizes)
        columns.tofile(self._run.path("columns"))
        counts = Counter(activity.tolist())
        return RunReport(self._num_rows, dict(self.dropped), dict(sorted(counts.items())), self._bounds)


def _without_noise(text: str) -> str:
    """Return the text without masks and mentions; nearly all masks are links."""
    text = text.replace("<link>", " ")
    return _NOISE.sub(" ", text) if "<" in text or "@" in text else text


def _language(version: Version, text: str) -> str:
    return version.lang.split("-")[0].lower() if version.lang else text_language(text)


def _select(words: Words, kept: NDArray[np.bool_]) -> Words:
    if kept.all():
        return words
    counts = np.diff(words.starts)
    starts = np.concatenate(([0], np.cumsum(counts[kept])))
    others = (column[kept] for column in words[2:])
    return Words(words.hashes[np.repeat(kept, counts)], starts, *others)
