"""The bundled sample day: an INVENTED town's flood night as recorded events, and questions that suit it.

Town, river, people, texts and web addresses are all made up (`README.md` beside this file); it answers
and replays nothing itself.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from hubbub.units import parse_time_us

__all__ = ["EXAMPLE_QUESTIONS", "SAMPLE_QUESTIONS", "SampleQuestion", "sample_path"]


class SampleQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """A question that the sample day can answer, and when in that night it is asked."""

    text: str
    lang: str
    """Language of the question, BCP 47."""
    clock_us: int
    """Fold the events received before this time, then ask; microseconds since 1970 UTC."""


def sample_path() -> Path:
    """Return the NDJSON file of the sample day: one event a line, in the order of `received_us`."""
    return Path(__file__).with_name("flood.ndjson")


def _question(text: str, lang: str, clock: str) -> SampleQuestion:
    return SampleQuestion(text=text, lang=lang, clock_us=parse_time_us(clock))


SAMPLE_QUESTIONS: tuple[SampleQuestion, ...] = (
    _question("What is happening at the river?", "en", "2026-03-14T21:40:00Z"),
    # After the correction, while one of the false posts still stands and others are gone.
    _question("Is it true that the dam has broken?", "en", "2026-03-14T23:10:00Z"),
    _question("Was ist mit den Schulen und der Notunterkunft?", "de", "2026-03-15T00:45:00Z"),
)
"""What `hubbub demo --once` asks, in the order of their clocks."""

EXAMPLE_QUESTIONS: tuple[SampleQuestion, ...] = (
    *SAMPLE_QUESTIONS,
    _question("How many people were evacuated?", "en", "2026-03-14T23:00:00Z"),
    _question("Welche Brücken sind gesperrt?", "de", "2026-03-14T20:30:00Z"),
    _question("Is the power back in the Glassworks Quarter?", "en", "2026-03-14T22:45:00Z"),
    _question("Wie hoch steht das Wasser?", "de", "2026-03-14T23:20:00Z"),
    _question("Was the lost dog found?", "en", "2026-03-14T23:05:00Z"),
    _question("Which buses are running?", "en", "2026-03-14T23:15:00Z"),
)
"""The sample questions and more, for the example buttons of the page."""
