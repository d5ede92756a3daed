"""How far a Jetstream was read, for both of its versions: what to ask for, and what has come before."""

from __future__ import annotations

from collections import deque
from zlib import crc32

from hubbub.errors import InvalidInput
from hubbub.posts import Cursor
from hubbub.units import US_PER_S

OVERLAP_US = 5 * US_PER_S
"""Version 1 is read again from a little earlier: around a break its order is not reliable (jetstream-legacy
issue 42)."""
CLOCKS_US = 60 * US_PER_S
"""The server's clock may be so far behind ours, when all that is known is when we began."""
HOSTS_US = 10 * US_PER_S
"""Two servers of one network witness an event at most so far apart; what came twice within is left out."""
_MAX_MARKS = 256
_WINDOW = 64
"""Events that jump ahead of a replay (same issue) move the cursor only when they are so many in a row."""


class V1Position:
    """A place in time, in the server's microseconds.

    The cursor is `RESUME`, or `RESUME/HIGHEST` and `/MARK+AHEAD` as often as needed. Everything up to RESUME
    has come. Of what lies between it and HIGHEST, the newest time seen, posts are known by their ids; changes
    (of accounts, consent, texts) look alike, so those that have come are marked: a checksum, and how far
    ahead of RESUME they are.
    """

    def __init__(self, after: Cursor | None, slack_us: int = 0) -> None:
        """`slack_us`: by so much an event's time may differ from what another server of the network said."""
        resume, highest, *marks = [*(after or "0").split("/"), "0"]
        self.resume_us = self._from_us = _number(resume, after)
        self.highest_us = max(self.resume_us, _number(highest or "0", after))
        self._known_us = self.highest_us + slack_us if self.resume_us else 0
        self._marks: dict[int, int] = {}
        for mark, _, ahead in (text.partition("+") for text in marks if text != "0"):
            self._marks[_number(mark, after)] = self.resume_us + _number(ahead, after)
        self._window: deque[int] = deque(maxlen=_WINDOW)

    def query(self) -> dict[str, str]:
        """Return what to ask the server for."""
        return {"cursor": str(max(0, self.resume_us - OVERLAP_US))} if self.resume_us else {}

    def begin(self, now_us: int) -> None:
        """Begin at the live end: what comes from now on must not be missed if the connection breaks."""
        self.resume_us = now_us - CLOCKS_US

    def has_seen(self, time_us: int, change: bytes | None = None) -> bool | None:
        """Tell whether an earlier connection may have brought an event of this time.

        `change` is the event itself where it is a change; None says that it certainly has come.
        """
        if change is None:
            return time_us <= self._known_us
        return None if crc32(change) in self._marks else time_us <= self._from_us

    def note(self, time_us: int, change: bytes | None = None) -> None:
        """Take in an event's time, and the event itself if it is a change."""
        self._window.append(time_us)
        self.highest_us = max(self.highest_us, time_us)
        if change is not None and len(self._marks) < _MAX_MARKS:
            self._marks[crc32(change)] = time_us

    def cursor(self) -> Cursor:
        """Tell how far that is."""
        if self._window:
            if len(self._window) == _WINDOW and max(self._window) < self.resume_us - 2 * OVERLAP_US:
                # The server's clock was set back, or it replays from far behind: follow it.
                self.resume_us, self.highest_us = min(self._window), max(self._window)
            self.resume_us = max(self.resume_us, min(self._window))
        if self.highest_us <= self.resume_us:
            self._marks.clear()
            return str(self.resume_us)
        self._marks = {mark: time_us for mark, time_us in self._marks.items() if time_us > self.resume_us}
        marks = (f"/{mark}+{time_us - self.resume_us}" for mark, time_us in self._marks.items())
        return f"{self.resume_us}/{self.highest_us}" + "".join(marks)


class V2Position:
    """A place in the server's sequence, with the time there; the cursor is `SEQ@TIME`.

    Version 2 sends the event of the cursor again; and where the sequence is no longer kept, the time still
    finds the nearest place.
    """

    def __init__(self, after: Cursor | None) -> None:
        seq, _, time = (after or "0").partition("@")
        self.seq, self.time_us = _number(seq, after), _number(time or "0", after)
        self.is_by_time = False
        """Ask by the time, because the server keeps the sequence only from later on."""

    def query(self) -> dict[str, str]:
        """Return what to ask the server for."""
        place = self.time_us if self.is_by_time or not self.seq else self.seq
        return {"cursor": str(place)} if place else {}

    def begin(self, now_us: int) -> None:
        """Begin at the live end: what comes from now on must not be missed if the connection breaks."""
        self.time_us = now_us - CLOCKS_US

    def note(self, seq: int) -> None:
        """Take in an event's number."""
        self.seq = max(self.seq, seq)

    def forget(self) -> None:
        """Begin a new sequence, as after a server that does not know ours."""
        self.seq = 0

    def cursor(self) -> Cursor:
        """Tell how far that is."""
        return f"{self.seq}@{self.time_us}"


def _number(text: str, cursor: Cursor | None) -> int:
    if not (text.isascii() and text.isdigit()):
        raise InvalidInput(f"{cursor!r} is not the cursor of a Jetstream; give microseconds, or a seq for v2")
    return int(text)
