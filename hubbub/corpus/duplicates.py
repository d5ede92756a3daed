"""Finds exact and near duplicates: MinHash bands propose, the Jaccard similarity of word pairs decides.

A post is an exact duplicate of an earlier one with the same words (case, punctuation, links and mentions
aside), and a near duplicate of an earlier one when the Jaccard similarity of their sets of word pairs is high
enough. "Earlier" is by (time, key), and what an earlier post was itself dropped for does not matter: so each
verdict depends on pairs alone, and no order of work, number of parts or processes changes it.

MinHash: Broder 1997; bands: Indyk and Motwani 1998. Of pairs of similarity 0.5 (7 words, one of them changed)
80 % meet, of 0.6 97 %, of 0.05 one in 6,000: `1 - (1 - s ** 4) ** 25`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hubbub.corpus.words import U64, Words, distinct, mix

U32 = NDArray[np.uint32]
I64 = NDArray[np.int64]
NUM_BANDS = 25
_ROWS = 4
_LOOK_BACK = 8
"""A post is compared with so many before it in a bucket, and with the first: a bucket may hold thousands."""
_MOST = np.uint32(0xFFFFFFFF)
_MULTIPLIERS = mix(np.arange(1, NUM_BANDS * _ROWS + 1, dtype=np.uint64)).astype(np.uint32) | np.uint32(1)
_MASK = mix(np.arange(1001, 1001 + NUM_BANDS * _ROWS, dtype=np.uint64)).astype(np.uint32)
_BAND_SALTS = mix(np.arange(2001, 2001 + NUM_BANDS, dtype=np.uint64))


class Pairs(NamedTuple):
    """The sets of word pairs of posts, each sorted; those of post i are `hashes[starts[i]:starts[i + 1]]`."""

    hashes: U32
    starts: I64


class Met(NamedTuple):
    """Posts that met in a bucket, as places in the arrays that were given: `later[i]` with `earlier[i]`."""

    later: I64
    earlier: I64


def word_pairs(words: Words) -> Pairs:
    """Return each text's set of pairs of neighbouring words; that of a single word is the word itself."""
    counts = np.diff(words.starts)
    text = np.repeat(np.arange(len(counts), dtype=np.uint64), counts)
    following = np.roll(words.hashes, -1)
    following[words.starts[1:][counts > 0] - 1] = 0
    pairs = mix(words.hashes ^ (following * np.uint64(0x9E3779B97F4A7C15))) >> np.uint64(32)
    is_last = np.zeros(len(text), bool)
    is_last[words.starts[1:][counts > 1] - 1] = True
    tagged = distinct((text << np.uint64(32) | pairs)[~is_last])
    starts = np.searchsorted(tagged, np.arange(len(counts) + 1, dtype=np.uint64) << np.uint64(32))
    return Pairs(tagged.astype(np.uint32), starts.astype(np.int64))


def bands(pairs: Pairs) -> U64:
    """Return the hashes of each post's bands, shape (posts, NUM_BANDS); give it a thousand at most."""
    sizes = np.diff(pairs.starts)
    order = np.argsort(-sizes, kind="stable")
    num, start = len(order), pairs.starts[:-1][order]
    least = np.full((num, len(_MULTIPLIERS)), _MOST, np.uint32)
    hashed = np.empty_like(least)
    # The longest posts first: the n-th pairs of all that have so many are hashed in a run.
    for place, count in enumerate(np.cumsum(np.bincount(sizes)[::-1])[-2::-1].tolist()):
        part = hashed[:count]
        np.multiply(pairs.hashes[start[:count] + place, None], _MULTIPLIERS, out=part)
        part ^= _MASK
        np.minimum(least[:count], part, out=least[:count])
    signatures = np.empty_like(least)
    signatures[order] = least
    rows = signatures.reshape(num, NUM_BANDS, _ROWS)
    total = np.broadcast_to(_BAND_SALTS, (num, NUM_BANDS))
    for place in range(_ROWS):
        total = mix(total + rows[:, :, place])
    return total


def meet(buckets: U64, times: I64, keys: U64) -> Met:
    """Return who shares a bucket with whom, each pair once; `times` and `keys` give the order."""
    order = np.lexsort((keys, times, buckets))
    ordered = buckets[order]
    is_new = np.concatenate((np.ones(min(1, len(ordered)), bool), ordered[1:] != ordered[:-1]))
    first = np.maximum.accumulate(np.where(is_new, np.arange(len(ordered)), 0))
    place = np.arange(len(ordered))
    later, earlier = [place[place > first]], [first[place > first]]
    for back in range(1, _LOOK_BACK + 1):
        is_there = place - back > first
        if not is_there.any():
            break
        later.append(place[is_there])
        earlier.append(place[is_there] - back)
    return Met(order[np.concatenate(later)], order[np.concatenate(earlier)])


def jaccard(pairs: Pairs, left: I64, right: I64) -> NDArray[np.float64]:
    """Return the similarity of the sets of posts `left[i]` and `right[i]`."""
    sizes = np.diff(pairs.starts)
    num_left, num_right = sizes[left], sizes[right]
    values = [_gather(pairs, posts, sizes) for posts in (left, right)]
    tagged = np.concatenate(
        [
            np.repeat(np.arange(len(posts), dtype=np.uint64) << np.uint64(32), sizes[posts]) | value
            for posts, value in zip((left, right), values, strict=True)
        ]
    )
    tagged.sort()
    shared = tagged[1:][tagged[1:] == tagged[:-1]] >> np.uint64(32)
    num_shared = np.bincount(shared.astype(np.int64), minlength=len(left))
    similarity: NDArray[np.float64] = num_shared / np.maximum(num_left + num_right - num_shared, 1)
    return similarity


def _gather(pairs: Pairs, posts: I64, sizes: I64) -> U32:
    counts = sizes[posts]
    ends = np.cumsum(counts)
    at = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts - pairs.starts[posts], counts)
    gathered: U32 = pairs.hashes[at]
    return gathered
