"""Asks an AppView whether posts stored before a gap are still there: their deletions were in the gap.

The newest first, 25 a request, in a thread of its own, and on where it was after a restart. It only finds out
what has gone; it fetches no text, and what an AppView does not say (edits, consent) stays as it was.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from hubbub.disk import refusals
from hubbub.errors import HubbubError
from hubbub.posts import AccountEvent, AuthorId, Deletion, Edit, Event, Post, PostId
from hubbub.stream.archive import Archive, open_archive
from hubbub.stream.live.asking import ask, decode_answer, open_client
from hubbub.stream.live.link import Disconnected
from hubbub.units import now_us

BATCH = 25
"""The most that `app.bsky.feed.getPosts` and `app.bsky.actor.getProfiles` take (their lexicons)."""
EVERY_S = 1.0
"""Pause between two requests for posts: a tenth of the 3,000 requests in 5 minutes that Bluesky allows."""
MOST = 1_000_000
"""So many of the newest archived events are looked at; that takes eleven hours."""
_WINDOW = 5_000
_PAUSE_S = 60.0
_POSTS = "/app.bsky.feed.post/"


class Checked(msgspec.Struct, frozen=True):
    """What one request has found."""

    round: int
    """Of which gap; what was found behind an earlier one is no progress behind the newest."""
    events: list[Event]
    below: int
    """Everything from this place of the archive on has been asked for."""
    notice: str | None = None


class _Task(msgspec.Struct):
    below: int
    until: int


class _Uri(msgspec.Struct):
    uri: str = ""
    did: str = ""


class _Answer(msgspec.Struct):
    posts: list[_Uri] = []
    profiles: list[_Uri] = []


class Recheck:
    """One source's checking; `poll` and `keep` are called by the thread that reads the source."""

    def __init__(self, origin: str, archive: Path, path: Path, every_s: float = EVERY_S) -> None:
        """`path`: where is written how far it is, from `begin` until all is done."""
        self._origin, self._archive, self._path, self._every_s = origin, archive, path, every_s
        self._found: queue.Queue[Checked] = queue.Queue(maxsize=1)
        self._thread: threading.Thread | None = None
        self._round = 0
        self._next_s = 0.0
        self._has_known = False

    def begin(self) -> None:
        """Note that everything archived up to now is to be asked for.

        Raises:
            StorageError: the disk refused.
        """
        with open_archive(self._archive, "r") as archive:
            self._write(_Task(archive.last_seq + 1, max(0, archive.last_seq - MOST)))
        self._round, self._next_s = self._round + 1, 0.0

    def run(self, stop: threading.Event) -> None:
        """Go on in a thread until `stop` is set, if there is anything to do."""
        is_running = self._thread is not None and self._thread.is_alive()
        if is_running or not self._found.empty() or time.monotonic() < self._next_s:
            return
        if self._path.exists():
            self._next_s = time.monotonic() + _PAUSE_S  # it may end at once, as on a damaged archive
            self._thread = threading.Thread(target=self._ask_all, args=(stop,), name="recheck", daemon=True)
            self._thread.start()

    def poll(self) -> Checked | None:
        """Return what was found next, None if nothing is there; it must be kept once it is archived."""
        with suppress(queue.Empty):
            return self._found.get_nowait()
        return None

    def keep(self, checked: Checked) -> None:
        """Note that what was found has been archived."""
        task = self._read()
        if task is None or checked.notice or checked.round != self._round:
            return
        if checked.below <= task.until + 1:
            self._path.unlink(missing_ok=True)
        else:
            self._write(_Task(checked.below, task.until))

    def _read(self) -> _Task | None:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Task)
        except (OSError, msgspec.DecodeError):
            return None

    def _write(self, task: _Task) -> None:
        temporary = self._path.with_suffix(".tmp")
        with refusals("write", self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(msgspec.json.encode(task))
            temporary.replace(self._path)

    def _ask_all(self, stop: threading.Event) -> None:
        task, number = self._read(), self._round
        if task is None:
            return
        with suppress(HubbubError), open_archive(self._archive, "r") as archive:
            for ids, below in _batches(archive, task):
                while not stop.is_set() and self._round == number:
                    checked = self._check(number, ids, below)
                    if not self._hand_on(checked, stop) or checked.notice is None:
                        break
                    stop.wait(_PAUSE_S)
                if stop.wait(self._every_s) or self._round != number:
                    return
            self._hand_on(Checked(number, [], task.until + 1), stop)

    def _hand_on(self, checked: Checked, stop: threading.Event) -> bool:
        while not stop.is_set():
            with suppress(queue.Full):
                self._found.put(checked, timeout=0.2)
                return True
        return False

    def _check(self, number: int, ids: dict[PostId, AuthorId], below: int) -> Checked:
        try:
            living = {post.uri for post in self._ask("app.bsky.feed.getPosts", {"uris": list(ids)}).posts}
            gone = {identity: author for identity, author in ids.items() if identity not in living}
            authors = sorted(set(gone.values()))
            answer = self._ask("app.bsky.actor.getProfiles", {"actors": authors}) if authors else _Answer()
        except Disconnected as error:
            return Checked(number, [], below, f"a check was refused: {error}"[:60])
        known = {profile.did for profile in answer.profiles}
        self._has_known = self._has_known or bool(living or known)
        if not self._has_known:
            return Checked(number, [], below)  # a server that knows none of them has not deleted them all
        at_us = now_us()
        events: list[Event] = [
            Deletion(id=identity, author=author, received_us=at_us, reason="gone at a check")
            for identity, author in gone.items()
            if author in known
        ]
        events += [
            # Deleted, suspended or left: it does not say. If it comes back the stream tells.
            AccountEvent(author=author, status="suspended", received_us=at_us)
            for author in authors
            if author not in known
        ]
        return Checked(number, events, below)

    def _ask(self, name: str, query: dict[str, str | list[str]]) -> _Answer:
        with open_client(self._origin) as client:
            return decode_answer(ask(client, f"/xrpc/{name}", query), _Answer)


def _batches(archive: Archive, task: _Task) -> Iterator[tuple[dict[PostId, AuthorId], int]]:
    """Yield names of living posts with their authors, the newest first, each with the place it reaches."""
    below, batch, seen = task.below, dict[PostId, AuthorId](), _Later()
    while below > task.until + 1:
        after = max(task.until, below - 1 - _WINDOW)
        for seq, event in reversed(list(archive.read(after, below - 1 - after))):
            post = seen.look_at(event)
            if post is not None:
                batch[post.id] = post.author
            if len(batch) == BATCH:
                yield batch, seq
                batch = {}
        below = after + 1
    if batch:
        yield batch, task.until + 1


class _Later:
    """What later events have said, while the archive is read backwards."""

    def __init__(self) -> None:
        self._told: set[PostId] = set()
        self._is_there: dict[AuthorId, bool] = {}

    def look_at(self, event: Event) -> Post | None:
        """Return the event's post if nothing later has said that it is gone, or has changed it."""
        if isinstance(event, Deletion):
            self._told.add(event.id)
        elif isinstance(event, AccountEvent) and event.status != "named":
            self._is_there.setdefault(event.author, event.status == "restored")
        elif isinstance(event, Post | Edit):
            post = event.post if isinstance(event, Edit) else event
            is_told = post.id in self._told or not self._is_there.get(post.author, True)
            if isinstance(event, Edit):
                self._told.add(post.id)
            return post if _POSTS in post.id and not is_told else None
        return None
