"""Decides which events must lose their text, and what is left of them; pure, no I/O.

An erased event keeps its sequence number, its kind, its ids and times, so that every fold comes to the same
end with it as with the whole one; text, names, links, tags and picture descriptions are gone.

Erased is the text of
- a deleted post, whether it came before or after its deletion;
- the version that an edit replaced (an edit with a later one behind it, too);
- all posts of a removed account up to its being restored, if it ever is;
- all posts of an author whose last word on the scope `index` is no.
"""

from __future__ import annotations

from hashlib import blake2b

from hubbub.posts import AccountEvent, AuthorId, ConsentEvent, Deletion, Edit, Event, Post, PostId

FOREVER = 1 << 62


class Erasures:
    """What must go, as of the events noted so far; they are noted in the order of the log."""

    def __init__(self) -> None:
        self.deleted: set[PostId] = set()
        self.replaced: set[PostId] = set()
        self.removed_until: dict[AuthorId, int] = {}
        """All posts of these authors before this sequence number go."""
        self.refused: set[AuthorId] = set()
        self._newest_edit: dict[PostId, tuple[int, int]] = {}

    def note(self, seq: int, event: Event) -> None:
        """Learn from an event what it takes away."""
        if isinstance(event, Deletion):
            self.deleted.add(event.id)
        elif isinstance(event, Edit):
            self.replaced.add(event.replaces)
            for identity in (event.replaces, event.post.id):
                self._newest_edit[identity] = (seq, event.received_us)
        elif isinstance(event, AccountEvent):
            self._note_account(seq, event)
        elif isinstance(event, ConsentEvent) and event.scope == "index":
            if event.allow is False:
                self.refused.add(event.author)
            else:
                self.refused.discard(event.author)

    def _note_account(self, seq: int, event: AccountEvent) -> None:
        if event.status == "removed":
            self.removed_until[event.author] = FOREVER
        elif event.status == "restored" and self.removed_until.get(event.author) == FOREVER:
            self.removed_until[event.author] = seq

    def takes(self, seq: int, event: Event) -> bool:
        """Whether this event's text must go."""
        if isinstance(event, Edit):
            return self._takes_post(seq, event.post) or self._takes_version(seq, event)
        if isinstance(event, Post):
            return event.id in self.replaced or self._takes_post(seq, event)
        return False

    def _takes_post(self, seq: int, post: Post) -> bool:
        return (
            post.id in self.deleted
            or post.author in self.refused
            or seq < self.removed_until.get(post.author, 0)
        )

    def _takes_version(self, seq: int, edit: Edit) -> bool:
        """Whether a later edit was also received later: an old one that is sent again takes nothing."""
        newest_seq, received_us = self._newest_edit.get(edit.post.id, (0, 0))
        return seq < newest_seq and edit.received_us <= received_us

    def post_keys(self) -> set[int]:
        """Return the keys of all posts that must go."""
        return {key_of(identity) for ids in (self.deleted, self.replaced) for identity in ids}

    def author_keys(self) -> dict[int, int]:
        """Return the keys of all authors whose posts before a sequence number must go."""
        until = {key_of(author): seq for author, seq in self.removed_until.items()}
        return until | {key_of(author): FOREVER for author in self.refused}


def key_of(identity: str) -> int:
    """Shorten an id to 64 bits, the same in every process; used to find files, never to decide."""
    return int.from_bytes(blake2b(identity.encode(), digest_size=8).digest(), "little")


def blank(event: Post | Edit) -> Post | Edit:
    """Return what is left of an erased event."""
    if isinstance(event, Edit):
        return Edit(post=_blank_post(event.post), replaces=event.replaces)
    return _blank_post(event)


def is_blank(event: Post | Edit) -> bool:
    """Whether there is nothing to erase; the same as `event == blank(event)`, several times faster."""
    post = event.post if isinstance(event, Edit) else event
    if post.text or post.links or post.hashtags or post.mentions or post.media or post.langs or post.is_bot:
        return False
    return not any(value is not None for value in (post.handle, post.name, post.url, *_references(post)))


def _references(post: Post) -> tuple[PostId | None, ...]:
    return post.reply_to, post.root, post.quote_of


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
