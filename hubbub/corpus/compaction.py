"""Rewrites the shards that hold deleted posts without them; readers go on, each document keeps its number.

Shard after shard, the lock is held for one at a time (half a second for 17 million tokens), so that
deletions are noted in between. A shard is written anew beside the old one; the manifest names the new one,
the generation tells every reader, and the old files go. Who has them mapped reads on until its next read.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from pathlib import Path

import msgspec
import numpy as np

from hubbub.corpus.manifest import Manifest, ShardNote, read_manifest, remove_waste, write_synced
from hubbub.corpus.shard import TOKENS, Columns, Shard
from hubbub.corpus.shards import finish_shard, publish
from hubbub.corpus.state import locked
from hubbub.disk import refusals

REPORT = "report.html"
"""The page that `hubbub corpus stats` writes into a corpus's directory."""


class CompactionReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a compaction did."""

    num_posts: int = 0
    """Posts removed from the files."""
    num_read: int = 0
    """Posts in the shards that were rewritten."""
    num_tokens: int = 0
    """Tokens removed."""
    num_shards: int = 0
    freed_bytes: int = 0
    took_s: float = 0.0


def compact_corpus(directory: Path | str) -> CompactionReport:
    """Remove every deleted post's tokens and keys from the disk.

    Raises:
        Corruption: a file is damaged; it is left as it is.
        InUse: another process holds the lock for a minute.
        InvalidInput: there is no corpus.
        StorageError: the disk refused; the shard at hand is left as it is.
    """
    began_s, root = time.monotonic(), Path(directory)
    posts = read = tokens = shards = freed = 0
    for number in range(len(read_manifest(root).shards)):
        with locked(root, "writer"):
            manifest = read_manifest(root)
            if number >= len(manifest.shards):  # another build has come between
                break
            note = manifest.shards[number]
            shard = Shard(root, note, manifest.token_bytes)
            if not shard.flags().any():
                continue
            fresh = _compact(root, manifest, number, shard)
            posts, read = posts + note.num_pieces - fresh.num_pieces, read + note.num_pieces
            tokens, shards = tokens + note.num_tokens - fresh.num_tokens, shards + 1
            freed += _size(shard.path)
            notes = (*manifest.shards[:number], fresh, *manifest.shards[number + 1 :])
            freed -= _size(root / fresh.name)
            publish(root, msgspec.structs.replace(manifest, shards=notes, generation=manifest.generation + 1))
    with locked(root, "writer"):
        remove_waste(root, read_manifest(root))
    if posts:
        (root / REPORT).unlink(missing_ok=True)  # it shows samples
    return CompactionReport(
        num_posts=posts,
        num_read=read,
        num_tokens=tokens,
        num_shards=shards,
        freed_bytes=freed,
        took_s=time.monotonic() - began_s,
    )


def _compact(root: Path, manifest: Manifest, number: int, shard: Shard) -> ShardNote:
    """Write a shard's living part beside it."""
    name = f"shard-{number:05}.{manifest.generation + 1}"
    columns, keep = living_columns(shard)
    shutil.rmtree(root / name, ignore_errors=True)
    try:
        with refusals("write", root / name):
            dead = np.zeros(len(columns["offset"]), np.uint8)
            (root / name).mkdir(parents=True)
            data = shard.tokens[keep].tobytes()
            write_synced(root / name / TOKENS, data)
            digest = hashlib.sha256(data).hexdigest()
            return finish_shard(root / name, int(keep.sum()), digest, columns, dead, name)
    except BaseException:
        shutil.rmtree(root / name, ignore_errors=True)
        raise


def living_columns(shard: Shard) -> tuple[Columns, np.ndarray]:
    """Return a shard's columns without its dead posts, and which of its tokens stay."""
    old = shard.columns
    alive = shard.flags() == 0
    num_before = np.concatenate([[0], np.cumsum(alive)])
    first = num_before[old["first_piece"]]
    has_posts = first[1:] > first[:-1]
    keep = _kept_tokens(shard, alive, has_posts)
    length = old["length"][alive]
    num_tokens = np.concatenate([[0], np.cumsum(length, dtype=np.int64)])
    # Each document with a post left has one token before its posts and one behind them.
    num_documents = np.concatenate([[0], np.cumsum(has_posts)])
    start = num_tokens[first] + 2 * num_documents
    document = np.repeat(np.arange(len(has_posts)), first[1:] - first[:-1])
    is_kept = alive[old["key_piece"]]
    per_piece = {each: old[each][alive] for each in ("received_us", "post_key", "author_key", "lang")}
    same = {each: old[each] for each in ("first_us", "built_length", "is_held_out")}
    fresh = {
        "start": start,
        "first_piece": first,
        "offset": num_tokens[:-1] + 2 * num_documents[document] + 1,
        "length": length,
        "key": old["key"][is_kept],
        "key_piece": num_before[old["key_piece"][is_kept]],
    }
    return {**per_piece, **same, **fresh}, keep


def _kept_tokens(shard: Shard, alive: np.ndarray, has_posts: np.ndarray) -> np.ndarray:
    """Return a mask over the tokens."""
    steps = np.zeros(len(shard.tokens) + 1, np.int8)
    offset, length = shard.columns["offset"][~alive], shard.columns["length"][~alive]
    steps[offset] += 1
    steps[offset + length] -= 1
    keep: np.ndarray = np.cumsum(steps[:-1], dtype=np.int8) == 0
    start = shard.columns["start"]
    was_filled = start[1:] > start[:-1]
    emptied = was_filled & ~has_posts
    keep[start[:-1][emptied]] = False
    keep[start[1:][emptied] - 1] = False
    return keep


def _size(path: Path) -> int:
    return sum(each.stat().st_size for each in path.iterdir())
