"""Reads stored posts that may be shown, the last ones from memory; the index holds its lock meanwhile."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from hubbub.index.backend import Backend
from hubbub.index.document import Key, decode_post
from hubbub.index.state import State
from hubbub.posts import AuthorId, Post

MAX_KNOWN = 2_048
"""Posts a generation; two are kept, some 10 MB."""
_MAX_LENGTH = 4_000  # code points: longer posts are read anew each time


class Reader:
    """Posts by key: to read one from the engine takes 35 us, and an answer looks at each several times."""

    def __init__(self, backend: Backend, state: State, max_known: int = MAX_KNOWN) -> None:
        self._backend, self._state, self._max_known = backend, state, max_known
        self._young: dict[Key, Post] = {}
        self._old: dict[Key, Post] = {}

    def read(self, keys: Iterable[Key]) -> dict[Key, Post]:
        """Return those of the posts that are stored and may be shown, with their authors' handles."""
        restricted = self._state.restricted
        shown = {
            key: post
            for key, post in self._stored(keys).items()
            if not ((known := restricted.get(post.author)) and (known.is_hidden or known.is_blocked))
        }
        names = self._state.handles({post.author for post in shown.values() if post.handle is None})
        for key, post in shown.items() if names else ():
            if post.handle is None and post.author in names:
                shown[key] = msgspec.structs.replace(post, handle=names[post.author])
        return shown

    def may_prompt(self, author: AuthorId) -> bool:
        """Tell whether posts of this author may be put in a prompt."""
        known = self._state.restricted.get(author)
        return known is None or not known.is_unpromptable

    @property
    def num_known(self) -> int:
        """Posts that are remembered."""
        return len(self._young) + len(self._old)

    def forget(self, keys: Iterable[Key]) -> None:
        """Read these from the engine again: they are gone, or have another text."""
        for key in keys:
            self._young.pop(key, None)
            self._old.pop(key, None)

    def _stored(self, keys: Iterable[Key]) -> dict[Key, Post]:
        found: dict[Key, Post] = {}
        missing = []
        for key in keys:
            if post := self._young.get(key) or self._old.get(key):
                found[key] = post
            else:
                missing.append(key)
        if missing:
            read = {key: decode_post(text) for key, text in self._backend.fetch(missing).items()}
            found |= read
            self._young |= {key: post for key, post in read.items() if len(post.text) <= _MAX_LENGTH}
            if len(self._young) > self._max_known:
                self._young, self._old = {}, self._young
        return found
