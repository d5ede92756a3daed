"""What an index must hold, told as simply as possible: a dictionary that sees every event once, in order."""

from __future__ import annotations

from hubbub.posts import AccountEvent, AuthorId, ConsentEvent, Deletion, Edit, Event, Post, PostId


class Oracle:
    """Folds events without any of the product's code."""

    def __init__(self) -> None:
        self.posts: dict[PostId, Post] = {}
        self.gone_texts: set[str] = set()
        """What was stored once and must never be read again."""
        self._dead: set[PostId] = set()
        self._heir: dict[PostId, PostId] = {}
        self._removed: set[AuthorId] = set()
        self._hidden: set[AuthorId] = set()
        self._refused: set[tuple[AuthorId, str]] = set()
        self._granted: set[AuthorId] = set()

    def take(self, event: Event) -> None:
        """Fold one event."""
        if isinstance(event, Post):
            if event.id not in self.posts:
                self._store(event)
        elif isinstance(event, Deletion):
            post_id: PostId | None = event.id
            while post_id is not None:
                self._bury(post_id)
                post_id = self._heir.pop(post_id, None)
        elif isinstance(event, Edit):
            self._edit(event)
        elif isinstance(event, AccountEvent):
            self._account(event)
        else:
            self._consent(event)

    def visible(self, for_prompt: bool = False, *, for_corpus: bool = False) -> dict[PostId, Post]:
        """Return the posts that anybody may see (or a prompt, or a corpus)."""
        barred = self._hidden | {a for a, scope in self._refused if scope == "show"}
        if for_prompt:
            barred |= {a for a, scope in self._refused if scope == "prompt"}
        found = {post.id: post for post in self.posts.values() if post.author not in barred}
        if for_corpus:
            return {p: f for p, f in found.items() if f.author in self._granted and not p.startswith("x:")}
        return found

    def join(self, other: Oracle) -> None:
        """Take over what another saw of other accounts."""
        for name, mine in vars(self).items():
            mine.update(vars(other)[name])

    def _edit(self, event: Edit) -> None:
        if event.replaces != event.post.id:
            last = event.replaces
            while last in self._heir and last != event.post.id:
                last = self._heir[last]
            if last in self._dead:
                self._bury(event.post.id)
                return
            if last != event.post.id:
                self._bury(last)
                self._heir[last] = event.post.id
        if event.post.visibility != "public" or self._is_blocked(event.post.author):
            self._drop(event.post.id)
        else:
            self._store(event.post)

    def _account(self, event: AccountEvent) -> None:
        if event.status == "restored":
            self._removed.discard(event.author)
            self._hidden.discard(event.author)
        else:
            (self._removed if event.status == "removed" else self._hidden).add(event.author)
        self._erase_blocked(event.author)

    def _consent(self, event: ConsentEvent) -> None:
        if event.scope == "corpus":
            (self._granted.add if event.allow else self._granted.discard)(event.author)
            return
        refusal = (event.author, event.scope)
        (self._refused.add if event.allow is False else self._refused.discard)(refusal)
        self._erase_blocked(event.author)

    def _erase_blocked(self, author: AuthorId) -> None:
        if self._is_blocked(author):
            for post in [post for post in self.posts.values() if post.author == author]:
                self._bury(post.id)

    def _store(self, post: Post) -> None:
        if post.id not in self._dead and post.repost_of is None and not self._is_blocked(post.author):
            self._drop(post.id)
            self.posts[post.id] = post

    def _bury(self, post_id: PostId) -> None:
        self._drop(post_id)
        self._dead.add(post_id)

    def _drop(self, post_id: PostId) -> None:
        if before := self.posts.pop(post_id, None):
            self.gone_texts.add(before.text)

    def _is_blocked(self, author: AuthorId) -> bool:
        return author in self._removed or (author, "index") in self._refused
