"""What became of the lines of a source: numbers, reasons and the first few complaints, to be shown."""

from __future__ import annotations

import msgspec

from hubbub.stream.vitals import Vitals

MAX_ERRORS = 5
"""So many complaints are kept word for word; the rest are only counted."""


class Counts(msgspec.Struct, kw_only=True):
    """Grows while a source is read; one thread writes it, others may look."""

    num_lines: int = 0
    num_events: int = 0
    """Events that were passed on."""
    num_malformed: int = 0
    """Lines that are not what the format says."""
    num_dropped: int = 0
    """Well-formed lines of no use here, such as likes."""
    num_duplicates: int = 0
    num_clipped: int = 0
    """Posts whose text was longer than the limit; they were kept, shortened."""
    num_mended: int = 0
    """Lines with broken characters, which were replaced by U+FFFD."""
    reasons: dict[str, int] = {}
    """Dropped and malformed lines by reason."""
    errors: list[str] = []
    """The first few complaints about malformed lines, each with its line number."""
    vitals: Vitals = msgspec.field(default_factory=Vitals)

    def note_malformed(self, reason: str, where: str) -> None:
        """Count a malformed line and keep the complaint if it is among the first."""
        self.num_malformed += 1
        self._note_reason("malformed")
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(f"{where}: {reason}")

    def note_dropped(self, reason: str) -> None:
        """Count a line of no use here."""
        self.num_dropped += 1
        self._note_reason(reason)

    def note_duplicate(self) -> None:
        """Count an event that had come before."""
        self.num_duplicates += 1

    def _note_reason(self, reason: str) -> None:
        # Reasons may name things of the platform; a hostile stream must not fill the memory with them.
        if reason not in self.reasons and len(self.reasons) >= 50:
            reason = "other"
        self.reasons[reason] = self.reasons.get(reason, 0) + 1

    def describe(self) -> str:
        """Say it in a line."""
        parts = [f"{self.num_lines} lines", f"{self.num_events} events"]
        for number, word in (
            (self.num_malformed, "malformed"),
            (self.num_dropped, "dropped"),
            (self.num_duplicates, "duplicates"),
            (self.num_clipped, "clipped"),
            (self.num_mended, "mended"),
        ):
            if number:
                parts.append(f"{number} {word}")
        if self.vitals.state not in ("reading", "ended"):
            parts.insert(0, self.vitals.state)
        return ", ".join(parts)
