"""A small invented world for the assistant's tests: posts by name and minute, in a real index."""

from pathlib import Path

from hubbub.index import Index, open_index
from hubbub.posts import Deletion, Edit, Event, Post
from hubbub.units import US_PER_MINUTE, parse_time_us

NOON_US = parse_time_us("2026-03-14T12:00:00Z")
NOW_US = NOON_US + 60 * US_PER_MINUTE


def post(text: str, author: str = "", *, minute: float = 0, key: str = "", **fields: object) -> Post:
    """A post `minute` minutes after noon; without an author it is one of its own."""
    author = author or f"author{abs(hash((text, minute))) % 100_000}"
    key = key or f"{author}-{minute}-{abs(hash(text)) % 100_000}"
    return Post(
        id=f"https://town.example/@{author}/{key}",
        author=f"https://town.example/@{author}",
        handle=author,
        text=text,
        received_us=NOON_US + round(minute * US_PER_MINUTE),
        url=f"https://town.example/@{author}/{key}",
        **fields,  # type: ignore[arg-type]
    )


class World:
    """An index that events can be folded into while an answer is being made."""

    def __init__(self, directory: Path, *events: Event) -> None:
        self.index: Index = open_index(f"sqlite:{directory}", "hashed")
        self.seq = 0
        self.fold(*events)

    def fold(self, *events: Event) -> None:
        """Apply events now."""
        self.index.fold(enumerate(events, self.seq + 1))
        self.seq += len(events)

    def delete(self, gone: Post) -> None:
        """Delete a post now."""
        self.fold(Deletion(id=gone.id, received_us=NOW_US))

    def edit(self, old: Post, text: str) -> None:
        """Replace the text of a post now."""
        new = Post(
            id=old.id, author=old.author, handle=old.handle, text=text, received_us=NOW_US, url=old.url
        )
        self.fold(Edit(post=new, replaces=old.id))
