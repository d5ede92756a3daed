"""Lessons as rows to train on, with the loss on the reply alone; a lesson falls with any of its posts.

    lessons.json     which corpus's posts they are made of, and how (`Lessons`)
    lessons.ndjson   one lesson a line (`Lesson`)
Who makes them is `hubbub.assistant.lessons`; here they are only read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np

from hubbub.corpus.shards import key_of
from hubbub.corpus.tokenizer import Tokenizer
from hubbub.disk import refusals
from hubbub.errors import Corruption, InvalidInput
from hubbub.train.order import Ints, Order
from hubbub.train.source import Row

Messages: TypeAlias = Sequence[dict[str, str]]
Encode: TypeAlias = Callable[[Messages], Row]
_ABOUT, _LINES = "lessons.json", "lessons.ndjson"
PLAN = "lessons.npz"


class Lesson(msgspec.Struct, frozen=True, kw_only=True):
    """One chat, its last message the reply to learn, and the ids of all posts whose words are in it."""

    messages: tuple[dict[str, str], ...]
    posts: tuple[str, ...]
    is_answerable: bool = True
    lang: str = "en"
    records: tuple[str, ...] = ()
    """The texts that the reply may cite, in the order of their numbers."""


class Lessons(msgspec.Struct, frozen=True, kw_only=True):
    """What a directory of lessons is; `corpus` is where that corpus lay when they were made."""

    corpus: str
    corpus_id: str
    is_brief: bool
    is_held_out: bool = False
    """Made of posts that the corpus holds out: to measure with, never to train on."""
    seed: int
    num_lessons: int
    num_unanswerable: int
    sha256: str


def write_lessons(directory: Path, lessons: Iterable[Any], about: Lessons) -> Lessons:
    """Write lessons (anything with the fields of `Lesson`); counts and hash are filled in.

    Raises:
        InvalidInput: there is not one.
        StorageError: the disk refused.
    """
    lines = [msgspec.json.encode(lesson) for lesson in lessons]
    if not lines:
        raise InvalidInput(
            "no post gave a lesson; do authors allow both corpus and prompt, and is there anything to quote?"
        )
    told = b"\n".join(lines) + b"\n"
    num_empty = sum(not msgspec.json.decode(line, type=Lesson).is_answerable for line in lines)
    about = msgspec.structs.replace(
        about,
        num_lessons=len(lines),
        num_unanswerable=num_empty,
        sha256=hashlib.sha256(told).hexdigest(),
    )
    with refusals("write the lessons", directory):
        directory.mkdir(parents=True, exist_ok=True)
        (directory / _LINES).write_bytes(told)
        (directory / _ABOUT).write_bytes(msgspec.json.format(msgspec.json.encode(about), indent=1))
    return about


def read_lessons(directory: Path) -> tuple[Lessons, list[Lesson]]:
    """Read lessons.

    Raises:
        InvalidInput: there are none here.
        Corruption: they are not as they were written.
    """
    try:
        about = msgspec.json.decode((directory / _ABOUT).read_bytes(), type=Lessons)
        told = (directory / _LINES).read_bytes()
        if hashlib.sha256(told).hexdigest() != about.sha256:
            raise Corruption(f"{str(directory / _LINES)!r} is not as it was written; make the lessons again")
        return about, [msgspec.json.decode(line, type=Lesson) for line in told.splitlines()]
    except OSError as error:
        raise InvalidInput(
            f"{str(directory)!r} holds no lessons ({error.strerror}); see hubbub train lessons --help"
        ) from None
    except msgspec.DecodeError as error:
        raise Corruption(f"{str(directory)!r}: {error}; make the lessons again") from None


class LessonSource:
    """Lessons in shuffled epochs; `corpus` tells at each row which posts live."""

    def __init__(
        self, directory: Path, corpus: Any, encode: Encode, *, seed: int, batch_tokens: int, seq: int = 0
    ) -> None:
        """Encode all lessons; those of more than `seq` tokens are left out (0: none).

        Raises:
            InvalidInput: they were made of another corpus or of what is held out, or all are too long.
        """
        self.about, self.lessons = read_lessons(directory)
        if self.about.corpus_id != corpus.manifest.id:
            raise InvalidInput(
                f"the lessons in {str(directory)!r} are of corpus {self.about.corpus_id[:12]}, not of "
                f"{str(corpus.directory)!r} ({corpus.manifest.id[:12]}); make them again from this one"
            )
        if self.about.is_held_out:
            raise InvalidInput(f"the lessons in {str(directory)!r} are of posts held out: they only measure")
        rows = [(lesson, encode(lesson.messages)) for lesson in self.lessons]
        kept = [(lesson, row) for lesson, row in rows if not seq or len(row.ids) <= seq + 1]
        if not kept:
            raise InvalidInput(
                f"all {len(rows)} lessons have more than {seq} tokens; make brief ones or raise --seq"
            )
        self.num_left_out = len(rows) - len(kept)
        self.corpus = corpus
        self.rows = [row for _, row in kept]
        self.keys = [np.array([key_of(post) for post in lesson.posts], np.uint64) for lesson, _ in kept]
        self.order = Order(seed, np.array([len(row.ids) for row in self.rows]), batch_tokens)
        self.id = f"lessons {self.about.sha256[:16]} of {corpus.manifest.id}"

    @property
    def deletion_mark(self) -> int:
        """The archive's number up to which deletions are honoured now."""
        return int(self.corpus.deletion_mark)

    def plan(self, number: int) -> tuple[Ints, Ints]:
        """Return the lessons of one batch and their lengths."""
        chosen = self.order.batch(number)
        return chosen, self.order.lengths[chosen]

    def row(self, key: int) -> Row:
        """Return a lesson if all its posts live at this moment."""
        row = self.rows[key]
        return row if not self.corpus.is_dead(self.keys[key]).any() else Row(row.ids[:0])


def write_plan(directory: Path, source: LessonSource) -> None:
    """Keep in a run what tells for ever which lesson was in which batch, and which posts were in it.

    Raises:
        StorageError: the disk refused.
    """
    with refusals("write the plan of lessons", directory):
        directory.mkdir(parents=True, exist_ok=True)
        sizes = np.array([len(keys) for keys in source.keys])
        keys = np.concatenate(source.keys)
        np.savez(directory / PLAN, lengths=source.order.lengths, sizes=sizes, keys=keys)


def chatml(tokenizer: Tokenizer) -> Encode:
    """Return how our own models read a chat: ChatML, its marks as ids and never from text.

    Raises:
        InvalidInput: the tokenizer has no such marks.
    """
    added = {each["content"]: each["id"] for each in tokenizer.model.get("added_tokens", ())}
    try:
        opening, closing = added["<|im_start|>"], added["<|im_end|>"]
    except KeyError:
        raise InvalidInput(
            "the tokenizer has no <|im_start|>: use `hubbub train lora` for such models"
        ) from None
    after = tokenizer.encode("\n")

    def encode(messages: Messages) -> Row:
        ids, is_loss = [tokenizer.begin], [False]
        for message in messages:
            head = [opening, *tokenizer.encode(f"{message['role']}\n")]
            body = [*tokenizer.encode(message["content"]), closing]
            ids += [*head, *body, *after]
            is_reply = message["role"] == "assistant"
            is_loss += [False] * len(head) + [is_reply] * len(body) + [False] * len(after)
        return Row(np.array(ids, np.int64), np.array(is_loss))

    return encode
