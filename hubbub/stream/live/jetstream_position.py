"""How far a Jetstream was read, for both of its versions: what to ask for, and what has come before."""

from __future__ import annotations

from collections import deque

from hubbub.errors import InvalidInput
from hubbub.posts import Cursor
from hubbub.units import US_PER_S

OVERLAP_US = 5 * US_PER_S
"""Version 1 is read again from a little earlier: around a break its order is not reliable (jetstream-legacy
issue 42)."""
_WINDOW = 64
"""Events that jump ahead of a replay (same issue) move the cursor only when they are so many in a row."""


class V1Position:
    """A place in time, in the server's microseconds.

    The cursor is `RESUME` or `RESUME/HIGHEST`: where to go on, and the newest time seen, where that is ahead.
    """

    def __init__(self, after: Cursor | None) -> None:
        resume, _, highest = (after or "0").partition("/")
        self.resume_us = _number(resume, after)
        self.highest_us = max(self.resume_us, _number(highest or "0", after))
        self._window: deque[int] = deque(maxlen=_WINDOW)

    def query(self) -> dict[str, str]:
        """Return what to ask the server for."""
        return {"cursor": str(max(0, self.resume_us - OVERLAP_US))} if self.resume_us else {}

    def begin(self, now_us: int) -> None:
        """Begin at the live end: what comes after this moment must not be missed if the connection breaks."""
        self.resume_us = now_us

    def see(self, time_us: int) -> bool:
        """Take in an event's time; returns whether the event may have come before."""
        self._window.append(time_us)
        may_repeat = time_us <= self.highest_us
        if not may_repeat:
            self.highest_us = time_us
        return may_repeat

    def cursor(self) -> Cursor:
        """Tell how far that is."""
        if not self._window:
            return self._text()
        if len(self._window) == _WINDOW and max(self._window) < self.resume_us - 2 * OVERLAP_US:
            # The server's clock was set back, or it replays from far behind: follow it.
            self.resume_us, self.highest_us = min(self._window), max(self._window)
        self.resume_us = max(self.resume_us, min(self._window))
        return self._text()

    def _text(self) -> Cursor:
        ahead = self.highest_us > self.resume_us
        return f"{self.resume_us}/{self.highest_us}" if ahead else str(self.resume_us)


class V2Position:
    """A place in the server's sequence, with the time there; the cursor is `SEQ@TIME`.

    Version 2 sends the event of the cursor again; and where the sequence is no longer kept, the time still
    finds the nearest place.
    """

    def __init__(self, after: Cursor | None) -> None:
        seq, _, time = (after or "0").partition("@")
        self.seq, self.time_us = _number(seq, after), _number(time or "0", after)
        self.is_by_time = False
        """Ask by the time, because the sequence is not known to the server."""

    def query(self) -> dict[str, str]:
        """Return what to ask the server for."""
        place = self.time_us if self.is_by_time or not self.seq else self.seq
        return {"cursor": str(place)} if place else {}

    def begin(self, now_us: int) -> None:
        """Begin at the live end: what comes after this moment must not be missed if the connection breaks."""
        self.time_us = now_us

    def see(self, seq: int) -> bool:
        """Take in an event's number; returns whether it is one that has come before."""
        if seq <= self.seq:
            return True
        self.seq = seq
        return False

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
