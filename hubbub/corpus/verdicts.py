"""One verdict for each cleaned post, over all runs: kept, over its author's cap, or a copy of an earlier one.

A byte a post is what is held in memory; all else is read from the runs one bucket at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hubbub.corpus.duplicates import I64, Pairs, jaccard, meet
from hubbub.corpus.run import Run
from hubbub.corpus.settings import CorpusSettings
from hubbub.corpus.spill import BUCKETS
from hubbub.corpus.words import distinct
from hubbub.disk import refusals

KEPT, CAPPED, EXACT, NEAR = range(4)
NAMES = ("kept", "author too active", "exact duplicate", "near duplicate")
_FILE = "verdicts.bin"
_POSTS_AT_ONCE = 40_000
"""So many posts' entries are read together: 20 MB."""
_ENTRIES_AT_ONCE = 100_000
"""So many of those that share a hash meet together: each up to nine others."""
_PAIRS_AT_ONCE = 50_000
"""So many pairs of posts are compared together: 50 MB."""
_HALF, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)

MapFunction: TypeAlias = Callable[[Callable[[range], I64], Iterable[range]], Iterable[I64]]
"""Like `map`, in this process or in several."""


def decide(
    work: Path, num_runs: int, settings: CorpusSettings, run_map: MapFunction
) -> tuple[list[NDArray[np.uint8]], Counter[str]]:
    """Return the verdicts of each run's posts, and count those that are not kept.

    Raises:
        StorageError: the disk refused.
    """
    runs = [Run(work, number) for number in range(num_runs)]
    offsets = _offsets(runs)
    verdicts = np.zeros(offsets[-1], np.uint8)
    cap = find_cap([run.report.activity for run in runs], settings)
    for number, (start, end) in enumerate(zip(offsets, offsets[1:], strict=False)):
        verdicts[start:end][Run(work, number).columns["rank"][:-1] >= cap] = CAPPED
    for kind, verdict in (("exact", EXACT), ("near", NEAR)):
        with refusals("write the work file", work / _FILE):
            verdicts.tofile(work / _FILE)
        find = partial(find_copies, work, num_runs, settings.similarity, kind)
        known = np.memmap(work / _FILE, np.uint8, "r+") if len(verdicts) else verdicts
        # However many buckets are read at once: posts meet within one.
        step = max(1, min(BUCKETS, BUCKETS * _POSTS_AT_ONCE // max(1, offsets[-1])))
        for copies in run_map(find, [range(at, min(at + step, BUCKETS)) for at in range(0, BUCKETS, step)]):
            verdicts[copies] = known[copies] = verdict  # who is known as a copy is not compared again
    counts = np.bincount(verdicts, minlength=len(NAMES)).tolist()
    dropped = Counter({name: num for name, num in zip(NAMES[1:], counts[1:], strict=True) if num})
    return [verdicts[start:end] for start, end in zip(offsets, offsets[1:], strict=False)], dropped


def find_cap(activities: Sequence[dict[int, int]], settings: CorpusSettings) -> int:
    """Return how many posts an author may have: so many that at most the given share has more."""
    authors: Counter[int] = Counter()
    for activity in activities:
        authors.update(activity)
    allowed = int(settings.active_share * authors.total())
    for num_posts in sorted(authors, reverse=True):
        allowed -= authors[num_posts]
        if allowed < 0:
            return max(num_posts, settings.active_floor)
    return settings.active_floor


def find_copies(work: Path, num_runs: int, similarity: float, kind: str, buckets: range) -> I64:
    """Return the posts, numbered through all runs, that some buckets show to be copies of earlier ones."""
    runs = [Run(work, number) for number in range(num_runs)]
    offsets = _offsets(runs)
    verdicts = np.memmap(work / _FILE, np.uint8, "r") if offsets[-1] else np.zeros(0, np.uint8)
    found = [run.entries(kind, buckets) for run in runs]
    hashes = np.concatenate([entries["hash"] for entries in found])
    posts = np.concatenate([entries["row"] + start for entries, start in zip(found, offsets, strict=False)])
    own = EXACT if kind == "exact" else NEAR
    is_kept = np.isin(verdicts[posts], (KEPT, own))
    hashes, posts = hashes[is_kept], posts[is_kept]
    hashes, posts = _shared(hashes, posts)
    copies = [np.zeros(0, np.int64)]
    for part in _whole_hashes(hashes):
        times, keys = _read_columns(runs, offsets, posts[part])
        met = meet(hashes[part], times, keys)
        later, earlier = posts[part][met.later], posts[part][met.earlier]
        is_open = verdicts[later] == KEPT
        later, earlier = later[is_open], earlier[is_open]
        copies.append(_verify(runs, offsets, later, earlier, similarity) if kind == "near" else later)
    return np.unique(np.concatenate(copies))


def _shared(hashes: NDArray[np.uint64], posts: I64) -> tuple[NDArray[np.uint64], I64]:
    """Keep those whose hash more than one has, in order of the hashes."""
    order = np.argsort(hashes)
    ordered = hashes[order]
    is_same = np.zeros(len(hashes) + 1, bool)
    is_same[1:-1] = ordered[1:] == ordered[:-1]
    chosen = order[is_same[1:] | is_same[:-1]]
    return hashes[chosen], posts[chosen]


def _whole_hashes(hashes: NDArray[np.uint64], at_once: int = _ENTRIES_AT_ONCE) -> Iterator[slice]:
    """Yield slices of sorted hashes, about so many each; equal ones are in one."""
    start = 0
    while start < len(hashes):
        last = hashes[min(start + at_once, len(hashes)) - 1]
        end = int(np.searchsorted(hashes, last, "right"))
        yield slice(start, end)
        start = end


def _verify(runs: list[Run], offsets: list[int], later: I64, earlier: I64, similarity: float) -> I64:
    """Return those of `later` that are as similar to their earlier ones as it takes."""
    if not len(later):
        return later
    tagged = distinct(later.astype(np.uint64) << _HALF | earlier.astype(np.uint64))
    both = np.stack((tagged >> _HALF, tagged & _LOW), axis=1).astype(np.int64)
    posts, places = np.unique(both, return_inverse=True)
    places = places.reshape(both.shape)
    parts = [run.pairs(rows) for run, rows in _by_run(runs, offsets, posts)]
    sizes = np.concatenate([np.diff(part.starts) for part in parts])
    pairs = Pairs(np.concatenate([part.hashes for part in parts]), np.concatenate(([0], np.cumsum(sizes))))
    copies = [
        both[start : start + _PAIRS_AT_ONCE, 0][jaccard(pairs, *part.T) >= similarity]
        for start in range(0, len(both), _PAIRS_AT_ONCE)
        for part in (places[start : start + _PAIRS_AT_ONCE],)
    ]
    return np.unique(np.concatenate(copies))


def _read_columns(runs: list[Run], offsets: list[int], posts: I64) -> tuple[I64, NDArray[np.uint64]]:
    """Return the times and keys of posts, in any order."""
    order = np.argsort(posts, kind="stable")
    parts = [run.columns[rows] for run, rows in _by_run(runs, offsets, posts[order])]
    columns = np.empty(len(posts), parts[0].dtype)
    columns[order] = np.concatenate(parts)
    return columns["time"], columns["key"]


def _by_run(runs: list[Run], offsets: list[int], posts: I64) -> Iterable[tuple[Run, I64]]:
    """Yield the rows of sorted posts by run."""
    bounds = np.searchsorted(posts, offsets)
    for run, start, begin, end in zip(runs, offsets, bounds, bounds[1:], strict=False):
        if end > begin:
            yield run, posts[begin:end] - start


def _offsets(runs: list[Run]) -> list[int]:
    return [0, *np.cumsum([run.report.num_rows for run in runs]).tolist()]


def find_cut(work: Path, verdicts: list[NDArray[np.uint8]], share: float) -> int:
    """Return the earliest time from which on at most this share of the kept posts came."""
    allowed = int(share * sum(int((part == KEPT).sum()) for part in verdicts))
    newest = np.zeros(0, np.int64)
    for number, part in enumerate(verdicts):
        times = Run(work, number).columns["time"][:-1][part == KEPT]
        newest = np.sort(np.concatenate((newest, times)))[-(allowed + 1) :]
    return int(newest[0]) + 1 if len(newest) > allowed else 0
