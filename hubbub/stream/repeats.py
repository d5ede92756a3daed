"""Tells events that a platform sends again from those that are new, also across restarts of this process."""

from __future__ import annotations

from collections.abc import Sequence

from hubbub.posts import AccountEvent, Deletion, Edit, Event, Post
from hubbub.stream.archive import Archive
from hubbub.stream.decode.recent import Recent

MEMORY = 65_536
"""So many events of the archive's end are looked at: 11 s of all of X, a quarter hour of Bluesky."""
_MAX_KEYS = 16
"""So many events of one post or account are remembered."""
_MAX_SUBJECTS = 10_000


class Repeats:
    """A memory of what was archived lately, by post and by account, in order.

    It costs nothing until the first batch that may repeat something: then it reads the archive's end.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._seen: Recent[str, tuple[int, ...]] | None = None
        self._places: dict[str, int] = {}
        """How far the repetition that is going on has come, in what is remembered of a post or account."""
        self._upset: set[str] = set()
        """Accounts of which a missed change has come up in this repetition."""

    def begin(self) -> None:
        """Note that a new connection begins, and with it a new repetition."""
        self._places.clear()
        self._upset.clear()

    def leave_out(self, events: Sequence[Event]) -> list[Event]:
        """Return those events that are not in the archive yet.

        A platform repeats in its own order. So when an event comes up that was missed, what follows of the
        same post or account is kept even if it was seen: its order counts, and folding twice does no harm.
        """
        if self._seen is None:
            self._seen = Recent(MEMORY)
            self.note([e for _, e in self._archive.read(after=max(0, self._archive.last_seq - MEMORY))])
        return [event for event in events if self._is_new(self._seen, event)]

    def _is_new(self, seen: Recent[str, tuple[int, ...]], event: Event) -> bool:
        key, subject = _key_of(event), _subject_of(event)
        keys = seen.get(subject) or ()
        place = self._places.get(subject, 0)
        if place and keys[place - 1 : place] == (key,):
            return False  # the same thing twice in a row says nothing
        if len(self._places) >= _MAX_SUBJECTS:
            self._places.clear()
        author = event.post.author if isinstance(event, Edit) else event.author
        if key in keys[place:] and author not in self._upset:
            self._places[subject] = keys.index(key, place) + 1
            return False
        if isinstance(event, AccountEvent) and len(self._upset) < _MAX_SUBJECTS:
            self._upset.add(event.author)
        keys = _remember(seen, subject, key)
        self._places[subject] = len(keys)
        return True

    def note(self, events: Sequence[Event]) -> None:
        """Remember events of which the source says that they are new."""
        if self._seen is not None:
            for event in events:
                _remember(self._seen, _subject_of(event), _key_of(event))


def _remember(seen: Recent[str, tuple[int, ...]], subject: str, key: int) -> tuple[int, ...]:
    keys = (*(seen.get(subject) or ()), key)[-_MAX_KEYS:]
    seen.put(subject, keys)
    return keys


def _key_of(event: Event) -> int:
    """Name what an event says of its subject; of a post not the text, which may have been erased since."""
    if isinstance(event, Post):
        return 1
    if isinstance(event, Deletion):
        return 2
    if isinstance(event, Edit):
        return hash((event.replaces, event.post.text))
    if isinstance(event, AccountEvent):
        return hash(event.status if event.handle is None else (event.status, event.handle))
    return hash((event.scope, event.allow))


def _subject_of(event: Event) -> str:
    if isinstance(event, Post | Deletion):
        return event.id
    if isinstance(event, Edit):
        return event.post.id
    return event.author if isinstance(event, AccountEvent) else f"{event.author} {event.scope}"
