"""How a live source is doing, in figures that another process can read; nothing here acts on them."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

State: TypeAlias = Literal[
    "reading", "connecting", "catching up", "live", "waiting", "silent", "thin", "refused", "ended"
]

RECENT_S = 60.0
USUAL_S = 1800.0
"""Rates are means that forget at these times (1/e)."""
DOUBTED_S = 43_200.0
"""What comes while too little comes counts as usual only so slowly: in half a day."""
_BURST = 4.0
"""So many times the usual rate is the most that a burst adds to it; else its end would look like a loss."""
MAX_KINDS = 50
"""So many collections or kinds of events have a rate of their own; the rest share one, named `other`."""


class Rate(msgspec.Struct):
    """How many events of one kind come a second."""

    recent_per_s: float = 0.0
    usual_per_s: float = 0.0
    last_us: int = 0
    """When the last one came."""
    number: int = 0
    """How many have come since this process began."""
    age_s: float = 0.0
    """How long this kind has been watched."""

    def update(
        self, number: int, elapsed_s: float, now_us: int, *, is_usual: bool = True, is_doubted: bool = False
    ) -> None:
        """Take in what came during the last `elapsed_s`, unless `is_usual` also into the usual rate."""
        self.recent_per_s += (number / elapsed_s - self.recent_per_s) * self._share(elapsed_s, RECENT_S)
        if is_usual:
            most_per_s = _BURST * (self.usual_per_s + 1) if self.age_s > RECENT_S else float("inf")
            memory_s = DOUBTED_S if is_doubted else USUAL_S
            change_per_s = min(number / elapsed_s, most_per_s) - self.usual_per_s
            self.usual_per_s += change_per_s * self._share(elapsed_s, memory_s)
            self.age_s += elapsed_s
        self.number += number
        if number:
            self.last_us = now_us

    def _share(self, elapsed_s: float, memory_s: float) -> float:
        # While young, a plain mean: a rate that starts at 0 would take half an hour to be right.
        return min(1.0, elapsed_s / min(memory_s, self.age_s + elapsed_s))


class Vitals(msgspec.Struct, kw_only=True):
    """Grows while a live source is read; one thread writes it, others may look."""

    state: State = "reading"
    state_us: int = 0
    """Since when."""
    num_connections: int = 0
    num_breaks: int = 0
    """Connections that broke or were refused."""
    last_break: str | None = None
    """The platform's or the network's last complaint."""
    refused: str | None = None
    """Why the platform does not let us in, and what to do; None once it does."""
    num_gaps: int = 0
    """Times at which events may have been missed for good, such as a cursor that was too old."""
    last_gap: str | None = None
    missed_s: float = 0.0
    """How much time all gaps together are, as far as it is known."""
    notices: dict[str, int] = {}
    """What the platform told us besides events, by kind."""
    platform_lag_ms: float | None = None
    """From the platform's time on the newest event to our receiving it; below 0 if its clock is ahead."""
    own_lag_ms: float | None = None
    """From our receiving the oldest event of the last batch to its being in the archive."""
    rates: dict[str, Rate] = {}
    silent: list[str] = []
    """Collections that should long have sent something."""
    thin: list[str] = []
    """Collections of which far less comes than is usual."""

    def enter(self, state: State, now_us: int) -> None:
        """Change the state, noting since when."""
        if state != self.state:
            self.state, self.state_us = state, now_us

    def note_break(self, reason: str, now_us: int) -> None:
        """Note that the connection ended or was refused."""
        self.num_breaks += 1
        self.last_break = reason[:300]
        self.enter("waiting", now_us)

    @property
    def is_shut_out(self) -> bool:
        """Whether the platform has never let us in, for a reason that does not pass by itself."""
        return self.state == "refused" and not self.num_connections

    def note_refusal(self, reason: str, now_us: int) -> None:
        """Note that the platform does not let us in, and what a person can do."""
        self.note_break(reason, now_us)
        self.refused = self.last_break
        self.enter("refused", now_us)

    def note_gap(self, reason: str) -> None:
        """Note that events may be missing."""
        self.num_gaps += 1
        self.last_gap = reason[:300]

    def note_missed(self, missed_s: float) -> None:
        """Add how long the last gap was, once what comes behind it has told."""
        self.missed_s += max(0.0, missed_s)
        self.last_gap = f"{self.last_gap}: {format_s(missed_s)} missing"[:300]

    def note_notice(self, name: str) -> None:
        """Count what the platform told us besides events."""
        if name in self.notices or len(self.notices) < MAX_KINDS:
            self.notices[name] = self.notices.get(name, 0) + 1


def format_s(seconds: float) -> str:
    """Write a time so that a person sees how long it is."""
    for unit, name in ((86_400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{max(0.0, seconds):.0f} s"
