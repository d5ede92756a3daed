"""Puts posts into documents: a thread's posts, each behind the one it answers, under pseudonyms.

A pseudonym (`@a`, `@b`, ...) is one person within one thread and nobody across threads. What is held out is
a document of its own, even of the same thread. A lone post goes without its author's pseudonym.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from operator import attrgetter

from hubbub.corpus.document import Document, Piece
from hubbub.corpus.pii import MENTION
from hubbub.corpus.run import Clean

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Pseudonyms:
    """Names people of one thread in the order in which they come up."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def name(self, handle: str) -> str:
        """Return the pseudonym of a handle, with its @; handles on several servers are one by their name."""
        if "://" not in handle:  # an account's id stands in for the handle of one that has none
            handle = handle.split("@")[0].lower()
        return self._names.setdefault(handle, f"@{_letters(len(self._names))}")

    def replace(self, text: str) -> str:
        """Return the text with its mentions replaced."""
        return MENTION.sub(lambda found: self.name(found[1]), text) if "@" in text else text


def _letters(number: int) -> str:
    """Return a, b, ..., z, a1, b1, ..."""
    turn, letter = divmod(number, len(_LETTERS))
    return f"{_LETTERS[letter]}{turn or ''}"


def assemble(
    posts: Iterable[Clean], held_out_from_us: int, document_chars: int, dropped: Counter[str]
) -> Iterator[Document]:
    """Yield the documents of whole threads, by time of their first post; what stays alone and short goes."""
    threads: defaultdict[tuple[int, bool], list[Clean]] = defaultdict(list)
    for post in sorted(posts, key=attrgetter("received_us", "key", "author")):
        threads[post.thread, post.received_us >= held_out_from_us].append(post)
    for (_, is_held_out), members in threads.items():
        if len(members) > 1:
            yield from _documents(members, is_held_out, document_chars)
            continue
        (post,) = members
        if post.is_short:
            dropped["too short"] += 1
        else:
            text = post.text
            if (num := text.count("@")) == 1:  # most posts name one person or nobody
                text = MENTION.sub("@a", text)
            elif num:
                text = Pseudonyms().replace(text)
            yield Document((_piece(post, text),), is_held_out)


def _documents(members: list[Clean], is_held_out: bool, document_chars: int) -> Iterator[Document]:
    names = Pseudonyms()
    pieces: list[Piece] = []
    held = 0
    for post in in_order_of_answers(members):
        text = f"{names.name(post.handle)}: {names.replace(post.text)}"
        if pieces and held + len(text) > document_chars:
            yield Document(tuple(pieces), is_held_out)
            pieces, held = [], 0
        pieces.append(_piece(post, text))
        held += len(text)
    yield Document(tuple(pieces), is_held_out)


def in_order_of_answers(members: list[Clean]) -> Iterator[Clean]:
    """Yield posts, given by time, so that each stands behind what it answers, branch after branch."""
    places = {post.key: place for place, post in enumerate(members)}
    answers: defaultdict[int, list[int]] = defaultdict(list)
    tops = []
    for place, post in enumerate(members):
        # An answer that came before its question (a clock, or a circle) begins a branch of its own.
        if places.get(post.parent, place) < place:
            answers[post.parent].append(place)
        else:
            tops.append(place)
    waiting = tops[::-1]
    while waiting:
        place = waiting.pop()
        yield members[place]
        if places[members[place].key] == place:
            waiting += answers[members[place].key][::-1]


def _piece(post: Clean, text: str) -> Piece:
    return Piece(post.id, post.author, post.received_us, post.lang, text, post.former_ids, post.key)
