"""Tells events that a platform sends again from those that are new, also across restarts of this process."""

from __future__ import annotations

from collections.abc import Sequence

from hubbub.posts import AccountEvent, Deletion, Edit, Event, Post
from hubbub.stream.archive import Archive
from hubbub.stream.decode.recent import Recent

MEMORY = 65_536
"""So many events of the archive's end are looked at: 11 s of all of X, a quarter hour of Bluesky."""
MAX_RETOLD = 10_000


class Repeats:
    """A memory of what was archived lately.

    It costs nothing until the first batch that may repeat something: then it reads the archive's end.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._seen: Recent[int, bool] | None = None
        self._retold: dict[str, int] = {}
        """Posts and accounts of which a missed event came up in this repetition, each with the last one."""

    def leave_out(self, events: Sequence[Event]) -> list[Event]:
        """Return those events that are not in the archive yet.

        A platform repeats in its own order. So when an event comes up that was missed, what follows of the
        same post or account is kept even if it was seen: its order counts, and folding twice does no harm.
        """
        if self._seen is None:
            self._seen = Recent(MEMORY)
            self.note([e for _, e in self._archive.read(after=max(0, self._archive.last_seq - MEMORY))])
        return [event for event in events if self._is_new(self._seen, event)]

    def _is_new(self, seen: Recent[int, bool], event: Event) -> bool:
        key, subject = _key_of(event), _subject_of(event)
        if seen.get(key):
            author = event.post.author if isinstance(event, Edit) else event.author
            if self._retold.get(subject, None if author in self._retold else key) == key:
                return False
        seen.put(key, True)
        if len(self._retold) < MAX_RETOLD:
            self._retold[subject] = key
        return True

    def note(self, events: Sequence[Event]) -> None:
        """Remember new events, of which the source says that they cannot have come before."""
        self._retold.clear()
        if self._seen is not None:
            for event in events:
                self._seen.put(_key_of(event), True)


def _key_of(event: Event) -> int:
    """Name an event by what it says; not by its text where an erased post has none any more."""
    if isinstance(event, Post):
        return hash(("post", event.id))
    if isinstance(event, Edit):
        return hash(("edit", event.post.id, event.replaces, event.post.text))
    if isinstance(event, Deletion):
        return hash(("deletion", event.id))
    if isinstance(event, AccountEvent):
        return hash(("account", event.author, event.status))
    return hash(("consent", event.author, event.scope, event.allow))


def _subject_of(event: Event) -> str:
    if isinstance(event, Post | Deletion):
        return event.id
    return event.post.id if isinstance(event, Edit) else event.author
