"""Decides which events must lose their text, and what is left of them; pure, no I/O.

An erased event keeps its sequence number, its kind, its ids and times, so that every fold comes to the same
end with it as with the whole one; text, names, links, tags and picture descriptions are gone.

Erased is the text of
- a deleted post, whether it came before or after its deletion, and of the edits that gave it a new id;
- the version that an edit replaced (an edit with a later one behind it, too);
- all posts of a removed account up to its being restored, if it ever is;
- the handles that an account had up to either of these;
- all posts of an author who refuses the scope `index`, up to their taking that back, if they ever do.
The index forgets the same posts for good, so nothing is erased that it might still show.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TypeGuard

import msgspec

from hubbub.posts import AccountEvent, AuthorId, ConsentEvent, Deletion, Edit, Event, Post, PostId

FOREVER = 1 << 62


class Erasures:
    """What must go, as of the events noted so far; they are noted in the order of the log."""

    def __init__(self, horizon: int = FOREVER) -> None:
        """`horizon`: nothing with a higher number is taken, since what takes it back may not be noted yet."""
        self._horizon = horizon
        self._deleted: set[PostId] = set()
        self._successors: dict[PostId, list[PostId]] = {}
        """The new ids that edits gave to a post."""
        self._heirs: dict[PostId, PostId] = {}
        """Each version's next one."""
        self._replaced: set[PostId] = set()
        self._newest_edit: dict[PostId, tuple[int, int]] = {}
        """(seq, received_us) of the last edit of a post, under its old and its new id."""
        self._removed_until: dict[AuthorId, int] = {}
        self._refused_until: dict[AuthorId, int] = {}

    def note(self, seq: int, event: Event) -> None:
        """Learn from an event what it takes away."""
        if isinstance(event, Deletion):
            self._delete(event.id)
        elif isinstance(event, Edit):
            self._note_edit(seq, event)
        elif isinstance(event, AccountEvent):
            if event.status == "removed":
                self._removed_until[event.author] = FOREVER
            elif event.status == "restored":
                _end(self._removed_until, event.author, seq)
        elif isinstance(event, ConsentEvent) and event.scope == "index":
            if event.allow is False:
                self._refused_until[event.author] = FOREVER
            else:
                _end(self._refused_until, event.author, seq)

    def _note_edit(self, seq: int, edit: Edit) -> None:
        self._replaced.add(edit.replaces)
        last = self._last_version(edit.replaces, edit.post.id)
        for identity in (edit.replaces, edit.post.id, last):
            self._newest_edit[identity] = (seq, edit.received_us)
        if edit.replaces != edit.post.id:
            self._successors.setdefault(edit.replaces, []).append(edit.post.id)
            if last != edit.post.id:
                self._replaced.add(last)
                self._heirs[last] = edit.post.id
            if edit.replaces in self._deleted:
                self._delete(edit.post.id)

    def _last_version(self, identity: PostId, until: PostId) -> PostId:
        """Follow the ids that edits gave to a post, as the index does: a second edit may name the first."""
        seen = set()
        while identity != until and identity in self._heirs and identity not in seen:
            seen.add(identity)
            identity = self._heirs[identity]
        return identity

    def _delete(self, identity: PostId) -> None:
        waiting = [identity]
        while waiting:
            gone = waiting.pop()
            if gone not in self._deleted:
                self._deleted.add(gone)
                waiting += self._successors.get(gone, [])

    def takes(self, seq: int, event: Event) -> bool:
        """Whether this event's text must go."""
        if seq > self._horizon:
            return False
        if isinstance(event, Edit):
            return self._takes_post(seq, event.post) or self._takes_edit(seq, event)
        if isinstance(event, Post):
            return self._takes_post(seq, event) or self._takes_version(seq, event)
        return isinstance(event, AccountEvent) and seq < self._gone_before(event.author)

    def _takes_post(self, seq: int, post: Post) -> bool:
        return post.id in self._deleted or seq < self._gone_before(post.author)

    def _gone_before(self, author: AuthorId) -> int:
        return max(self._removed_until.get(author, 0), self._refused_until.get(author, 0))

    def _takes_version(self, seq: int, post: Post) -> bool:
        """Whether an edit replaced this post; one that came and was received later may be another."""
        if post.id not in self._replaced:
            return False
        newest_seq, received_us = self._newest_edit[post.id]
        return seq < newest_seq or post.received_us <= received_us

    def _takes_edit(self, seq: int, edit: Edit) -> bool:
        """Whether a later edit was also received later: an old one that is sent again takes nothing."""
        newest_seq, received_us = self._newest_edit.get(edit.post.id, (0, 0))
        return seq < newest_seq and edit.received_us <= received_us

    def post_keys(self) -> set[int]:
        """Return the keys of all posts that may have to go."""
        return {key_of(identity) for identity in self._deleted | self._replaced}

    def author_keys(self) -> dict[int, int]:
        """Return the keys of all authors whose posts before a sequence number must go."""
        authors = self._removed_until.keys() | self._refused_until.keys()
        return {key_of(author): self._gone_before(author) for author in authors}


def erases(event: Event) -> TypeGuard[Deletion | AccountEvent | ConsentEvent]:
    """Whether an event takes texts away for good (an edit takes one, and puts another in its place)."""
    if isinstance(event, ConsentEvent):
        return event.scope == "index" and event.allow is False
    return isinstance(event, Deletion) or (isinstance(event, AccountEvent) and event.status == "removed")


def _end(until: dict[AuthorId, int], author: AuthorId, seq: int) -> None:
    if until.get(author) == FOREVER:
        until[author] = seq


def key_of(identity: str) -> int:
    """Shorten an id to 64 bits, the same in every process; used to find files, never to decide."""
    return int.from_bytes(blake2b(identity.encode(), digest_size=8).digest(), "little")


def blank(event: Event) -> Event:
    """Return what is left of an erased event."""
    if isinstance(event, Edit):
        return Edit(post=_blank_post(event.post), replaces=event.replaces)
    if isinstance(event, AccountEvent):
        return msgspec.structs.replace(event, handle=None)
    return _blank_post(event) if isinstance(event, Post) else event


def is_blank(event: Event) -> bool:
    """Whether there is nothing to erase; the same as `event == blank(event)`, several times faster."""
    if not isinstance(event, Post | Edit):
        return not isinstance(event, AccountEvent) or event.handle is None
    post = event.post if isinstance(event, Edit) else event
    if post.text or post.links or post.hashtags or post.mentions or post.media or post.langs or post.is_bot:
        return False
    names = (post.handle, post.name, post.url, post.reply_to, post.root, post.quote_of)
    return not any(value is not None for value in names)


def _blank_post(post: Post) -> Post:
    return Post(
        id=post.id,
        author=post.author,
        text="",
        received_us=post.received_us,
        claimed_us=post.claimed_us,
        repost_of=post.repost_of,
        visibility=post.visibility,
    )
