"""A house without its threads, for schedules: archive, index and readers, killed and opened at will."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks.oracle import Oracle
from hubbub.assistant import ask
from hubbub.assistant.answer import Citation, Done, Found, Retraction, Sentence, Shown
from hubbub.errors import StorageError
from hubbub.index import Index, Query
from hubbub.index.backend import Backend
from hubbub.index.edge import EdgeBackend
from hubbub.index.edge.job import Job
from hubbub.index.edge.sealing import copy_sparse, rebuild
from hubbub.index.embedding import open_embedder
from hubbub.index.sqlite import SqliteBackend
from hubbub.index.state import State
from hubbub.posts import AuthorId, Event, Post, PostId
from hubbub.server.feed import Change
from hubbub.server.watch import Gone, Watch
from hubbub.stream import Archive, open_archive

FAR_MS = 3_600_000
"""The archive syncs at the end only: what is copied is what a killed process leaves in the page cache."""

SEGMENT_BYTES = 16384
"""A file of the archive is finished after some six schedules: erased are finished files and the newest."""


class Parrot:
    """A chat model that repeats its first record and remembers every text that it was given."""

    name = "parrot"
    is_small = False

    def __init__(self) -> None:
        self.read: list[str] = []

    def stream(self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, object]) -> Iterator[str]:
        """Say the first record."""
        lines = messages[-1]["content"].splitlines()
        texts = [json.loads(line)["text"].replace("^", " ") for line in lines if line.startswith('{"n"')]
        self.read += texts
        said = "".join(letter if letter.isalnum() else " " for letter in texts[0])
        yield json.dumps({"sentences": [{"evidence": [1], "text": said}]})


class Reader:
    """Somebody with an answer before them, as the page shows it."""

    def __init__(
        self, index: Index, authors: Sequence[AuthorId], clock_us: int, model: Parrot | None
    ) -> None:
        within = Query(authors=tuple(authors))
        self._events = ask(
            index, "what happened at the bridge?", clock_us=clock_us, within=within, model=model
        )
        self._watch = Watch(index)
        self._sentences: dict[int, Sentence] = {}
        self._found: dict[PostId, Citation] = {}
        self.is_model_written = False

    @property
    def quotes(self) -> list[Citation]:
        """Everything quoted on the page now."""
        cited = [citation for sentence in self._sentences.values() for citation in sentence.citations]
        return [*self._found.values(), *cited]

    @property
    def cited(self) -> list[Citation]:
        """What the sentences rest on."""
        return [citation for sentence in self._sentences.values() for citation in sentence.citations]

    def read(self, number: int) -> None:
        """Take in the next events of the answer."""
        for _, event in zip(range(number), self._events, strict=False):
            if isinstance(event, Found):
                self._found = {one.post: one for one in self._watch.pass_found(event).posts}
            elif isinstance(event, Shown):
                shown = self._watch.pass_sentence(event)
                if shown:
                    self._sentences[shown.sentence.id] = shown.sentence
            elif isinstance(event, Retraction):
                self._watch.note_retraction(event)
                self._sentences.pop(event.sentence, None)
            elif isinstance(event, Done):
                answer = self._watch.pass_done(event).answer
                self._sentences = {sentence.id: sentence for sentence in answer.sentences}
                self.is_model_written = answer.report.writer != "quotes"

    def hear(self, changes: Sequence[Change]) -> None:
        """Strike out what changes take."""
        for fallen in self._watch.change(changes, False):
            if isinstance(fallen, Gone):
                self._found.pop(fallen.post, None)
            else:
                self._sentences.pop(fallen.sentence, None)


class World:
    """One directory with its archive and index, and what a dictionary says of them."""

    def __init__(self, kind: str, root: Path, rng: random.Random) -> None:
        self.kind, self._root, self._rng = kind, root, rng
        self._embedder = open_embedder("none")
        self._number = 0
        self._directory = root / "0"
        self._directory.mkdir(parents=True)
        self._job: Job | None = None
        self.readers: list[Reader] = []
        self._taken = self.folded = 0
        self._past: list[tuple[Oracle, set[PostId]]] = []
        self._open()
        self.oracle = Oracle()
        self.ids: set[PostId] = set()
        self.begin((), 0)

    def begin(self, authors: Sequence[AuthorId], clock_us: int) -> None:
        """Begin a schedule with accounts of its own."""
        self._past.append((self.oracle, self.ids))
        self.oracle, self.authors, self.clock_us = Oracle(), authors, clock_us
        self.first_seq = self.archive.last_seq
        self.ids = set()
        self.readers = []
        self.parrot = Parrot()

    def recall(self) -> None:
        """Take all schedules together: their accounts and posts are different ones."""
        self.first_seq = 0
        for oracle, ids in self._past:
            self.oracle.join(oracle)
            self.ids |= ids

    def append(self, events: Sequence[Event]) -> None:
        """Append without folding yet."""
        self.archive.append(events)

    def fold(self, number: int | None = None) -> None:
        """Fold the next events, and let every reader hear of them."""
        events = list(self.archive.read(self.folded, number))
        if not events:
            return
        self.folded = self.index.fold(events)
        changes = []
        for seq, event in events:
            if seq > self._taken:
                self.oracle.take(event)
            if not isinstance(event, Post):
                changes.append(event)
        self._taken = max(self._taken, self.folded)
        for reader in self.readers:
            reader.hear(changes)

    def replay(self) -> None:
        """Fold something that was folded before."""
        first = self._rng.randint(max(0, self.folded - 30), self.folded)
        self.index.fold(self.archive.read(first, min(self._rng.randint(1, 9), self.folded - first)))

    def ask(self) -> None:
        """Begin an answer; somebody reads on now and then."""
        model = self.parrot if self._rng.random() < 0.5 else None
        self.readers.append(Reader(self.index, self.authors, self.clock_us, model))
        self.read_on()

    def read_on(self) -> None:
        """Let somebody read on."""
        if self.readers:
            self._rng.choice(self.readers).read(self._rng.randint(1, 5))

    def rebuild(self) -> None:
        """Begin to seal, shelve or compact a slice, or put what was made in its place."""
        if self._job:
            self.backend.finish_job(self._job)  # type: ignore[attr-defined]
            self._job = None
        elif isinstance(self.backend, EdgeBackend):
            self._job = job = self.backend.next_job()
            if job:
                rebuild(job.task, job.sources, job.target, 0, lambda word: _note_copied(job))

    def restart(self) -> None:
        """Close and open again; readers' pages look at everything anew, so they are let go."""
        self._close()
        self._open()
        self.fold()

    def kill(self) -> None:
        """Go on from a copy of the directory as it is at this moment, closing nothing before."""
        before, self._number = self._directory, self._number + 1
        self._directory = self._root / str(self._number)
        shutil.copytree(before, self._directory, copy_function=copy_sparse)
        self._abandon()
        shutil.rmtree(before)
        self._open()

    def fetch_anew(self) -> dict[PostId, Post]:
        """Return what an index shows that is made again from the archive as it is now."""
        index = Index(SqliteBackend(None, 0), State(None), self._embedder)
        index.fold(self.archive.read(self.first_seq))
        found = index.fetch(self.ids)
        index.close()
        return found

    def close(self) -> None:
        """Release and delete everything."""
        self._close()
        shutil.rmtree(self._root)

    def _open(self) -> None:
        directory = self._directory
        self.archive: Archive = open_archive(
            directory / "archive", flush_ms=FAR_MS, segment_bytes=SEGMENT_BYTES
        )
        self.backend: Backend = (
            EdgeBackend(directory, 0, slice_posts=4, erase_s=0, calm_s=0, is_sealing=False)
            if self.kind == "edge"
            else SqliteBackend(directory / "posts.db", 0)
        )
        self.index = Index(self.backend, State(directory / "state.db"), self._embedder)
        self.folded = self.index.position

    def _close(self) -> None:
        self.readers = []
        if self._job:
            for one in self._job.slices:
                one.stop_copy()
            self._job = None
        self.archive.close()
        self.index.close()

    def _abandon(self) -> None:
        """Release what was killed; its directory is thrown away, so the last flush may fail."""
        if self.kind == "sqlite":
            self.backend.close()
        with suppress(StorageError):
            self._close()


def _note_copied(job: Job) -> None:
    for one in job.slices:
        one.is_copying = False
