"""Numbered events, the same in every run, and what must be living after them, by a plain dictionary."""

from __future__ import annotations

import random

from hubbub.posts import (
    AccountEvent,
    AccountStatus,
    ConsentEvent,
    ConsentScope,
    Deletion,
    Edit,
    Event,
    Post,
    PostId,
)

WORDS = "flood bridge river mayor closed school rescue boat rain warning water street shelter".split()
_NUM_AUTHORS = 200
_STATUSES: tuple[AccountStatus, ...] = ("removed", "suspended", "protected", "restored", "restored")


def event_of(seq: int) -> Event:
    """Return the event of this number: 83 % posts, 6 % edits, 10 % deletions, 1 % of accounts and consent."""
    chance = random.Random(seq)
    kind = chance.random()
    old = f"x://status/{chance.randint(1, seq)}"
    post = Post(
        id=f"x://status/{seq}",
        author=_author(seq),
        text=f"{' '.join(chance.choices(WORDS, k=8))} only{seq}",
        received_us=seq * 10**6,
        # Some are long, so that the archive goes on to further files.
        links=tuple(
            f"https://example.org/{chance.randbytes(300).hex()}" for _ in range(5 if kind < 0.2 else 0)
        ),
    )
    if kind < 0.83:
        return post
    if kind < 0.87:
        return Edit(post=_version(post, old), replaces=old)
    if kind < 0.89:
        return Edit(post=post, replaces=old)
    if kind < 0.99:
        # Some deletions come before their post.
        target = f"x://status/{seq + chance.randint(1, 50)}" if kind < 0.9 else old
        return Deletion(id=target, received_us=post.received_us)
    author = _author(chance.randrange(_NUM_AUTHORS))
    if kind < 0.996:
        return AccountEvent(author=author, status=chance.choice(_STATUSES), received_us=post.received_us)
    scope: ConsentScope = "index" if kind < 0.998 else "show"
    allow = chance.choice((None, None, False))
    return ConsentEvent(author=author, scope=scope, allow=allow, received_us=post.received_us)


def _author(number: int) -> str:
    return f"x://user/{number % _NUM_AUTHORS}"


def _version(post: Post, identity: PostId) -> Post:
    return Post(
        id=identity,
        author=_author(int(identity.rpartition("/")[2])),
        text=post.text + " edited",
        received_us=post.received_us,
    )


class Living:
    """What the events up to `seq` leave, folded one by one without any of the product's code."""

    def __init__(self) -> None:
        self.seq = 0
        self.posts: dict[PostId, Post] = {}
        """Stored: also those of hidden authors."""
        self.gone: set[PostId] = set()
        """Ids that never come back."""
        self._successors: dict[PostId, PostId] = {}
        self._deleted: set[PostId] = set()
        self._barred: dict[str, set[str]] = {"removed": set(), "hidden": set(), "index": set(), "show": set()}

    def advance(self, seq: int) -> Living:
        """Fold everything up to `seq`."""
        for number in range(self.seq + 1, seq + 1):
            self._fold(event_of(number))
        self.seq = max(self.seq, seq)
        return self

    def visible(self) -> dict[PostId, Post]:
        """Return the posts that anybody may see."""
        hidden = self._barred["hidden"] | self._barred["show"]
        return {identity: post for identity, post in self.posts.items() if post.author not in hidden}

    def _fold(self, event: Event) -> None:
        if isinstance(event, Post):
            self._store(event)
        elif isinstance(event, Edit):
            self._edit(event)
        elif isinstance(event, Deletion):
            self._delete(event.id)
        elif isinstance(event, ConsentEvent):
            self._bar(event.author, event.scope, event.allow is False)
        elif event.status == "restored":
            self._bar(event.author, "removed", False)
            self._bar(event.author, "hidden", False)
        else:
            self._bar(event.author, "removed" if event.status == "removed" else "hidden", True)

    def _store(self, post: Post) -> None:
        is_barred = post.author in self._barred["removed"] | self._barred["index"]
        if post.id not in self.gone and not is_barred:
            self.posts[post.id] = post

    def _edit(self, edit: Edit) -> None:
        if edit.post.id != edit.replaces:
            last = edit.replaces
            while last in self._successors:
                last = self._successors[last]
            if last in self._deleted:
                self._delete(edit.post.id)
                return
            self._successors[last] = edit.post.id
            self._bury(last)
        self._store(edit.post)

    def _delete(self, identity: PostId | None) -> None:
        while identity:
            self._bury(identity)
            self._deleted.add(identity)
            identity = self._successors.get(identity)

    def _bury(self, identity: PostId) -> None:
        self.posts.pop(identity, None)
        self.gone.add(identity)

    def _bar(self, author: str, kind: str, is_barred: bool) -> None:
        if not is_barred:
            self._barred[kind].discard(author)
            return
        self._barred[kind].add(author)
        if kind in ("removed", "index"):
            for identity in [identity for identity, post in self.posts.items() if post.author == author]:
                self._delete(identity)
