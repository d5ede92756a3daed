"""What a decoder makes of a line: events, or the reason why a well-formed line holds none for us."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from hubbub.posts import Event


class Dropped(str):
    """The reason why a well-formed line was left out, a few words without anything from the line's text."""

    __slots__ = ()


EMPTY = Dropped("an empty page")

Outcome: TypeAlias = Sequence[Event] | Dropped

Decoder: TypeAlias = Callable[[bytes, int | None], Outcome]
"""Decodes one line. The second argument is when we received it; None takes the time that the line records
(its witness's or its author's), or 0 where it records none. Raises InvalidEvent."""
