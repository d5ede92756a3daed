"""Fold events into the changes that an index must make; replays and any late order end in the same place.

Written once, above all backends; it touches no backend and asks the state only for what is buried and barred.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from hubbub.authors import AuthorState
from hubbub.index.document import Key, post_key
from hubbub.index.state import Burial, State
from hubbub.posts import (
    AccountEvent,
    AuthorId,
    ConsentEvent,
    Deletion,
    Edit,
    Event,
    Post,
    PostId,
    Visibility,
)


class Pending(msgspec.Struct, frozen=True):
    """A version of a post that wants to be stored."""

    seq: int
    post: Post
    is_edit: bool
    """An edit replaces an older version; a post never replaces anything."""


class Changes(msgspec.Struct):
    """What a batch of events asks for, in the order in which it is made."""

    pending: dict[Key, Pending] = {}
    removed: set[Key] = set()
    burials: dict[Key, Burial] = {}
    authors: dict[AuthorId, AuthorState] = {}
    erased: dict[AuthorId, int] = {}
    """Posts of this author with lower sequence numbers go for good."""
    flagged: set[AuthorId] = set()
    names: dict[AuthorId, tuple[int, str | None]] = {}
    """The handle of an account from an event on, None for none."""
    num_refused: int = 0
    """Posts that may not be indexed."""
    num_known: int = 0
    """Posts that had come before."""


def fold(
    events: Sequence[tuple[int, Event]],
    state: State,
    indexed: Collection[Visibility],
    stored: Collection[Key] = (),
) -> Changes:
    """Return what `events` change, given what the state knows; `stored` keys matter where they erase."""
    return _Folder(events, state, indexed, stored).run(events)


def cut_at_erasures(events: list[tuple[int, Event]]) -> Iterator[list[tuple[int, Event]]]:
    """Yield the events in parts that end with an erasure: what it took is known once it is applied."""
    start = 0
    for number, (_, event) in enumerate(events, 1):
        if erases(event):
            yield events[start:number]
            start = number
    if start < len(events):
        yield events[start:]


class _Folder:
    def __init__(
        self,
        events: Sequence[tuple[int, Event]],
        state: State,
        indexed: Collection[Visibility],
        stored: Collection[Key],
    ) -> None:
        self._changes = Changes()
        self._stored = stored
        self._state = state
        self._indexed = indexed
        self._keys = {post_id: post_key(post_id) for post_id in _ids(events)}
        self._buried = state.buried(list(self._keys.values()))
        self._authors = state.authors({author for _, event in events if (author := _author(event))})

    def run(self, events: Iterable[tuple[int, Event]]) -> Changes:
        for seq, event in events:
            if isinstance(event, Post):
                self._add(seq, event)
            elif isinstance(event, Deletion):
                self._delete(seq, self._keys[event.id])
            elif isinstance(event, Edit):
                self._edit(seq, event)
            else:
                self._account(seq, event)
        return self._changes

    def _add(self, seq: int, post: Post) -> None:
        key = self._keys[post.id]
        is_stored = key in self._stored and key not in self._changes.removed
        if is_stored or key in self._changes.pending or self._is_replayed(seq, key, post):
            self._changes.num_known += 1
        elif self._is_wanted(seq, key, post):
            self._changes.pending[key] = Pending(seq, post, False)
        else:
            self._changes.num_refused += 1

    def _edit(self, seq: int, edit: Edit) -> None:
        key, old = self._keys[edit.post.id], self._keys[edit.replaces]
        if key != old:
            last = self._last_version(old, key)
            grave = self._grave(last)
            if grave and grave.kind == "deleted":
                self._bury(key, Burial(seq))
                return
            if last != key:
                self._bury(last, Burial(seq, "replaced", key))
        if self._is_wanted(seq, key, edit.post):
            self._changes.pending[key] = Pending(seq, edit.post, True)
        elif not self._bars(key, seq):  # what it replaces goes, also where its author may not say more
            self._bury(key, Burial(seq, "withdrawn"))

    def _delete(self, seq: int, key: Key) -> None:
        chain: Key | None = key
        seen = set()
        while chain and chain not in seen:
            seen.add(chain)
            grave = self._grave(chain)
            successor = grave.successor if grave else None
            self._bury(chain, Burial(seq, "deleted", successor))
            chain = successor

    def _last_version(self, key: Key, until: Key) -> Key:
        """Follow the new ids that edits gave to `key`, at most as far as `until`."""
        seen = set()
        while key != until and key not in seen:
            seen.add(key)
            grave = self._grave(key)
            if not grave or grave.kind != "replaced" or not grave.successor:
                break
            key = grave.successor
        return key

    def _grave(self, key: Key) -> Burial | None:
        return self._buried.get(key) or self._state.buried([key]).get(key)

    def _account(self, seq: int, event: AccountEvent | ConsentEvent) -> None:
        before = self._authors.get(event.author, AuthorState())
        if isinstance(event, AccountEvent) and event.status == "named":
            if before.accepts(seq):  # who is gone has no name any more
                self._changes.names[event.author] = (seq, event.handle)
            return
        after = before.after(seq, event)
        self._authors[event.author] = self._changes.authors[event.author] = after
        self._changes.flagged.add(event.author)
        if erases(event):
            self._erase(event.author, seq)

    def _erase(self, author: AuthorId, seq: int) -> None:
        self._changes.names[author] = (seq, None)
        self._changes.erased[author] = max(seq, self._changes.erased.get(author, 0))
        for key, pending in list(self._changes.pending.items()):
            if pending.post.author == author and pending.seq < seq:
                self._bury(key, Burial(seq))

    def _bury(self, key: Key, burial: Burial) -> None:
        self._buried[key] = self._changes.burials[key] = burial
        self._changes.removed.add(key)
        self._changes.pending.pop(key, None)

    def _is_wanted(self, seq: int, key: Key, post: Post) -> bool:
        author = self._authors.get(post.author)
        return (
            self._is_document(post) and not self._bars(key, seq) and (author is None or author.accepts(seq))
        )

    def _is_replayed(self, seq: int, key: Key, post: Post) -> bool:
        """Tell whether a later event has already taken this post away."""
        grave, author = self._buried.get(key), self._authors.get(post.author)
        return (grave is not None and seq < grave.seq) or (author is not None and seq < author.erased_before)

    def _is_document(self, post: Post) -> bool:
        return post.visibility in self._indexed and post.repost_of is None

    def _bars(self, key: Key, seq: int) -> bool:
        grave = self._buried.get(key)
        return grave is not None and grave.bars(seq)


def erases(event: Event) -> bool:
    """Tell whether an event takes every post that its author has written so far."""
    if isinstance(event, ConsentEvent):
        return event.scope == "index" and event.allow is False
    return isinstance(event, AccountEvent) and event.status == "removed"


def _ids(events: Iterable[tuple[int, Event]]) -> Iterable[PostId]:
    for _, event in events:
        if isinstance(event, Post | Deletion):
            yield event.id
        elif isinstance(event, Edit):
            yield event.post.id
            yield event.replaces


def _author(event: Event) -> AuthorId | None:
    return event.post.author if isinstance(event, Edit) else event.author
