"""The posts of the last two days as trends need them: fold of events, exact removal; no texts, no scores.

Memory: at most `MAX_POSTS` posts of at most `MAX_TERMS` terms, some 1 kB each; the oldest go first. Ids of
deleted posts are remembered until as many others came (`MAX_BURIED`): a longer memory has the index, which
is asked again before anything is shown.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

from hubbub.posts import AccountEvent, AuthorId, ConsentEvent, Deletion, Edit, Event, Post, PostId
from hubbub.trends.past import WINDOW_US, Past
from hubbub.trends.sketch import Sketch, sketch
from hubbub.units import US_PER_HOUR

Terms: TypeAlias = Callable[[Post], tuple[Sequence[str], Sequence[str]]]
"""From a post to its folded words in order (to tell near-duplicates) and its terms (that can rise)."""

HELD_US = 48 * US_PER_HOUR
MAX_POSTS = 100_000
MAX_TERMS = 60
MAX_BURIED = 100_000


class Held(msgspec.Struct, frozen=True):
    """What remains of a post here."""

    id: PostId
    author: AuthorId
    at_us: int
    """When it was received; an edited post keeps the time of its first version."""
    terms: tuple[str, ...]
    marks: Sketch


class Author(msgspec.Struct):
    """What an account may do now."""

    is_removed: bool = False
    is_away: bool = False
    """Suspended or protected."""
    refuses_index: bool = False
    refuses_show: bool = False

    @property
    def is_barred(self) -> bool:
        """Whether new posts are not taken."""
        return self.is_removed or self.refuses_index

    @property
    def is_hidden(self) -> bool:
        """Whether posts are held, but do not count."""
        return self.is_away or self.refuses_show


class HeldPosts:
    """Folds events into the posts that count now, by time."""

    def __init__(self, terms: Terms, max_posts: int = MAX_POSTS) -> None:
        self.past = Past()
        self.newest_us = 0
        self.times: list[tuple[int, PostId]] = []
        """All posts that count, oldest first."""
        self.posts: dict[PostId, Held] = {}
        """Those of hidden authors included."""
        self._terms = terms
        self._max_posts = max_posts
        self._authors: dict[AuthorId, Author] = {}
        self._by_author: dict[AuthorId, dict[PostId, None]] = {}
        self._buried: dict[PostId, None] = {}

    def apply(self, event: Event) -> None:
        """Apply one event that was not applied before."""
        self.newest_us = max(self.newest_us, event.received_us)
        if isinstance(event, Post):
            if event.id not in self.posts:
                self._add(event, event.received_us)
        elif isinstance(event, Edit):
            self._edit(event)
        elif isinstance(event, Deletion):
            self._drop(event.id)
            self._bury(event.id)
        else:
            self._change(event)

    def forget(self) -> None:
        """Let the oldest posts go; what they added to the past remains as numbers."""
        oldest_us = self.newest_us - HELD_US
        num_over = len(self.times) - self._max_posts
        gone = max(num_over, bisect_left(self.times, (oldest_us, "")))
        for _, post in self.times[: max(gone, 0)]:
            self._forget_id(self.posts[post])
        del self.times[: max(gone, 0)]
        if len(self.posts) > len(self.times):  # those of hidden authors
            for held in [held for held in self.posts.values() if held.at_us < oldest_us]:
                self._forget_id(held)
        held_us = self.times[0][0] if self.times else self.newest_us
        self.past.close(min(held_us, self.newest_us - 2 * WINDOW_US))

    def between(self, start_us: int, end_us: int) -> list[Held]:
        """Return the posts that count and were received after `start_us`, up to `end_us`, oldest first."""
        start, end = bisect_left(self.times, (start_us + 1, "")), bisect_left(self.times, (end_us + 1, ""))
        return [self.posts[post] for _, post in self.times[start:end]]

    def _add(self, post: Post, at_us: int) -> None:
        author = self._authors.get(post.author)
        if not _is_voice(post) or post.id in self._buried or (author and author.is_barred):
            return
        if at_us <= self.newest_us - HELD_US:
            return
        words, terms = self._terms(post)
        held = Held(post.id, post.author, at_us, tuple(dict.fromkeys(terms))[:MAX_TERMS], sketch(words))
        self.posts[post.id] = held
        self._by_author.setdefault(post.author, {})[post.id] = None
        if not (author and author.is_hidden):
            self._count(held)

    def _edit(self, edit: Edit) -> None:
        old = self.posts.get(edit.replaces) or self.posts.get(edit.post.id)
        at_us = old.at_us if old else edit.received_us
        is_gone = edit.replaces in self._buried
        self._drop(edit.replaces)
        self._drop(edit.post.id)
        if edit.replaces != edit.post.id:
            self._bury(edit.replaces)
            if is_gone:
                self._bury(edit.post.id)
        self._add(edit.post, at_us)

    def _change(self, event: AccountEvent | ConsentEvent) -> None:
        author = self._authors.setdefault(event.author, Author())
        was_hidden = author.is_hidden
        if isinstance(event, AccountEvent):
            author.is_removed = event.status == "removed" or (
                author.is_removed and event.status != "restored"
            )
            author.is_away = event.status in ("suspended", "protected") or (
                author.is_away and event.status != "restored"
            )
        elif event.scope == "index":
            author.refuses_index = event.allow is False
        elif event.scope == "show":
            author.refuses_show = event.allow is False
        if author.is_barred:
            for post in list(self._by_author.get(event.author, ())):
                self._drop(post)
                self._bury(post)
        for post in self._by_author.get(event.author, ()) if author.is_hidden != was_hidden else ():
            (self._discount if author.is_hidden else self._count)(self.posts[post])
        if author == Author():
            del self._authors[event.author]

    def _count(self, held: Held) -> None:
        insort(self.times, (held.at_us, held.id))
        self.past.add(held.at_us, held.terms)

    def _discount(self, held: Held) -> None:
        place = (held.at_us, held.id)
        number = bisect_left(self.times, place)
        if self.times[number : number + 1] != [place]:
            return
        del self.times[number]
        self.past.remove(held.at_us, held.terms)

    def _drop(self, post: PostId) -> None:
        if held := self.posts.get(post):
            self._discount(held)
            self._forget_id(held)

    def _forget_id(self, held: Held) -> None:
        del self.posts[held.id]
        theirs = self._by_author[held.author]
        del theirs[held.id]
        if not theirs:
            del self._by_author[held.author]

    def _bury(self, post: PostId) -> None:
        self._buried[post] = None
        while len(self._buried) > MAX_BURIED:
            del self._buried[next(iter(self._buried))]


def _is_voice(post: Post) -> bool:
    return post.visibility == "public" and post.repost_of is None and not post.is_bot
