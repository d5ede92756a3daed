"""The fold: of all events, the posts that live and whose authors expressly allow a corpus; out of core.

`scatter` goes once through the events and writes posts and authors' words into buckets by author; `living`
then decides bucket by bucket. What is held in memory are digests of deletions, 8 bytes each, and the ids that
edits replaced. The rules are those of the index (`hubbub/index/fold.py`), and silence is a refusal. Where in
doubt a post stays out: one that its author's removal erased never comes back.
"""

from __future__ import annotations

import os
import zlib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np

from hubbub.authors import AuthorState
from hubbub.consent import may_be_collected
from hubbub.corpus.shards import key_of
from hubbub.corpus.spill import BUCKETS, SpillReader, SpillWriter
from hubbub.corpus.words import U64
from hubbub.disk import refusals
from hubbub.posts import AccountEvent, AuthorId, ConsentEvent, Deletion, Edit, Event, Post, PostId


class Version(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="p"):
    """One version of a post on its way; ids of posts are digests but for its own."""

    seq: int
    key: int
    id: PostId
    author: AuthorId
    text: str
    received_us: int
    lang: str
    handle: str | None
    parent: int
    """0: it is no reply."""
    root: int
    """0: its platform names none."""
    is_bot: bool
    is_edit: bool
    is_public: bool
    former_ids: tuple[str, ...] = ()


class Word(msgspec.Struct, frozen=True, array_like=True, tag="w"):
    """What an author, or the platform about them, said."""

    seq: int
    event: AccountEvent | ConsentEvent


Record: TypeAlias = Version | Word
POSTS = (Post, Edit)
SILENT = AuthorState()
_ROWS_AT_ONCE = 1 << 16


class Scattered(msgspec.Struct):
    """What `scatter` saw."""

    position: int = 0
    num_events: int = 0
    num_posts: int = 0
    """Posts and edits."""
    dropped: dict[str, int] = {}


_key_of_thread = lru_cache(maxsize=65_536)(key_of)


def scatter(events: Iterable[tuple[int, Event]], directory: Path) -> Scattered:
    """Write `authors.spill`, `dead.npy` and `parents.npy` into a directory, reading the events once.

    Raises:
        StorageError: the disk refused.
    """
    seen, dropped = Scattered(), Counter[str]()
    seq = 0
    with (
        SpillWriter[Record](directory / "authors.spill") as spill,
        SpillWriter[tuple[int, int]](directory / "replies.spill") as replies,
    ):
        fates = _Fates(replies)
        for seen.num_events, (seq, event) in enumerate(events, 1):
            if isinstance(event, POSTS):
                seen.num_posts += 1
                reason = _refuse(event)
                if reason:
                    dropped[reason] += 1
                    continue
                version = fates.note(seq, event)
                spill.put(_bucket(version.author), version)
            elif isinstance(event, Deletion):
                fates.deleted.append(key_of(event.id))
            else:
                spill.put(_bucket(event.author), Word(seq, event))
    with refusals("write the work files", directory):
        np.save(directory / "dead.npy", fates.dead())
        _find_roots(directory)
    seen.position, seen.dropped = seq, dict(dropped)
    return seen


def _refuse(event: Post | Edit) -> str | None:
    """Name what keeps a post out whatever else happens; an edit still takes away what it replaces."""
    post = event.post if isinstance(event, Edit) else event
    if not may_be_collected(post.id):
        return "platform forbids it"
    if isinstance(event, Edit):
        return None
    if post.repost_of is not None:
        return "repost"
    return "not public" if post.visibility != "public" else None


def _bucket(author: AuthorId) -> int:
    return zlib.crc32(author.encode()) % BUCKETS


class _Fates:
    """What is known of posts across authors: deletions, edits that gave a new id, replies."""

    def __init__(self, replies: SpillWriter[tuple[int, int]]) -> None:
        self.deleted = array("Q")
        self._replies = replies
        self._heirs: dict[PostId, list[PostId]] = {}
        self._former: dict[PostId, tuple[PostId, ...]] = {}

    def note(self, seq: int, event: Post | Edit) -> Version:
        post = event.post if isinstance(event, Edit) else event
        if isinstance(event, Edit) and event.replaces != post.id:
            self._replace(event.replaces, post.id)
        key = key_of(post.id)
        parent = key_of(post.reply_to) if post.reply_to else 0
        if parent and not post.root:
            self._replies.put(key >> 56, (key, parent))
        is_public = post.visibility == "public" and post.repost_of is None
        return Version(
            seq=seq,
            key=key,
            id=post.id,
            author=post.author,
            text=post.text if is_public else "",
            received_us=post.received_us,
            lang=post.langs[0] if post.langs else "",
            handle=post.handle,
            parent=parent,
            root=_key_of_thread(post.root) if post.root else 0,
            is_bot=post.is_bot,
            is_edit=isinstance(event, Edit),
            is_public=is_public,
            former_ids=self._former.get(post.id, ()),
        )

    def _replace(self, old: PostId, new: PostId) -> None:
        """Note an edit's new id; a second edit may name the first id again, so its last version goes too."""
        last, seen = old, {old}
        while (heirs := self._heirs.get(last)) and heirs[-1] not in seen and heirs[-1] != new:
            last = heirs[-1]
            seen.add(last)
        for gone in {old, last} - {new}:
            self._heirs.setdefault(gone, []).append(new)
        self._former[new] = tuple(dict.fromkeys((*self._former.get(last, ()), old, last)))

    def dead(self) -> U64:
        """Return the sorted keys of posts that are deleted, or replaced under another id."""
        deleted = np.frombuffer(self.deleted, np.uint64) if self.deleted else np.zeros(0, np.uint64)
        replaced = list(self._heirs)
        is_deleted = np.isin(_keys_of(replaced), deleted)
        waiting = [replaced[n] for n in np.flatnonzero(is_deleted).tolist()]
        gone, walked = set(replaced), set[PostId]()
        while waiting:
            old = waiting.pop()
            if old not in walked:
                walked.add(old)
                waiting += self._heirs.get(old, ())
        return np.unique(np.concatenate((deleted, _keys_of(gone | walked))))


def _keys_of(ids: Iterable[PostId]) -> U64:
    return np.array(list(map(key_of, ids)), np.uint64)


def _find_roots(directory: Path) -> None:
    """Write `parents.npy`: replies that name no root, sorted, and below each the topmost ancestor we know.

    All is done in the mapped file, some at a time. A reply that was sent again has several rows: the first
    one counts, and is what a search finds.
    """
    replies = SpillReader[tuple[int, int]](directory / "replies.spill", tuple[int, int])
    number = sum(replies.counts)
    path = directory / "parents.npy"
    rows = np.lib.format.open_memmap(path, "w+", np.uint64, (2, number))
    with open(path, "r+b") as file:  # a full disk says so here; it would kill who writes to a mapped hole
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    children, tops = np.asarray(rows)
    end = 0
    for bucket, count in enumerate(replies.counts):
        pairs = np.array(list(replies.read(bucket)), np.uint64).reshape(-1, 2)
        start, end = end, end + count
        rows[:, start:end] = pairs[np.argsort(pairs[:, 0], kind="stable")].T
    for _ in range(32):  # pointers double: threads of four billion levels; circles end, too
        is_done = True
        for start in range(0, number, _ROWS_AT_ONCE):
            part = tops[start : start + _ROWS_AT_ONCE]
            found = np.minimum(np.searchsorted(children, part), number - 1)
            further = np.where(children[found] == part, tops[found], part)
            is_done &= bool((further == part).all())
            part[:] = further
        if is_done:
            break


def living(
    records: Iterable[Record], dead: U64, blocked: frozenset[AuthorId]
) -> tuple[list[Version], Counter[str]]:
    """Return the posts of one bucket that may be collected, in order of time, and count the others."""
    states: dict[AuthorId, AuthorState] = {}
    handles: dict[AuthorId, str | None] = {}
    current: dict[tuple[int, AuthorId], Version] = {}
    first_seen: dict[tuple[int, AuthorId], int] = {}
    dropped: Counter[str] = Counter()
    for record in records:
        if isinstance(record, Word):
            _listen(record, states, handles)
            continue
        place = (record.key, record.author)
        before = current.setdefault(place, record)
        if before is not record:
            dropped["sent again or edited"] += 1
            first_seen.setdefault(place, before.seq)
            if record.is_edit or not before.is_public:
                current[place] = record
    kept = []
    authors = {author for _, author in current}
    refused = {author: _refuse_author(author, states.get(author, SILENT), blocked) for author in authors}
    erased = {author: state.erased_before for author, state in states.items() if state.erased_before}
    is_dead = _is_dead([key for key, _ in current], dead)
    for (place, version), gone in zip(current.items(), is_dead, strict=True):
        reason = "deleted" if gone else refused[version.author] or _refuse_version(version)
        if erased and not reason and first_seen.get(place, version.seq) < erased.get(version.author, 0):
            reason = "author removed or hidden"
        if reason:
            dropped[reason] += 1
        elif not version.handle and handles.get(version.author):
            kept.append(msgspec.structs.replace(version, handle=handles[version.author]))
        else:
            kept.append(version)
    kept.sort(key=attrgetter("received_us", "key", "author"))
    return kept, dropped


def _listen(word: Word, states: dict[AuthorId, AuthorState], handles: dict[AuthorId, str | None]) -> None:
    event = word.event
    if isinstance(event, AccountEvent) and event.status == "named":
        handles[event.author] = event.handle
    else:
        states[event.author] = states.get(event.author, SILENT).after(word.seq, event)


def _refuse_author(author: AuthorId, state: AuthorState, blocked: frozenset[AuthorId]) -> str | None:
    if not state.is_collectable:
        return "author has not allowed it"
    if state.is_blocked or state.is_hidden:
        return "author removed or hidden"
    return "author blocked" if author in blocked else None


def _refuse_version(version: Version) -> str | None:
    if not version.is_public:
        return "not public"
    if version.is_bot:
        return "bot"
    return None if version.text else "no words"


def _is_dead(keys: list[int], dead: U64) -> Iterator[bool]:
    if not len(dead):
        return iter([False] * len(keys))
    wanted = np.array(keys, np.uint64)
    found: list[bool] = (dead[np.minimum(np.searchsorted(dead, wanted), len(dead) - 1)] == wanted).tolist()
    return iter(found)


def read_scattered(directory: Path) -> SpillReader[Record]:
    """Open what `scatter` wrote."""
    return SpillReader(directory / "authors.spill", Record)  # type: ignore[arg-type]
