"""A sentence before it is checked: its text and the evidence that it stands on."""

from __future__ import annotations

from typing import Literal

import msgspec

from hubbub.assistant.evidence import Evidence


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence that a writer proposes; nobody sees it before `verify` has passed it."""

    text: str
    kind: Literal["lead", "story", "detail", "conflict", "note"]
    evidence: tuple[Evidence, ...] = ()
    claim: str = ""
    """The part of the text that a model worded; empty where our templates did and all claims are quotes."""
    story: int | None = None
    num_voices: int = 0
    first_us: int | None = None
    last_us: int | None = None
    is_conflicting: bool = False
    is_doubtful: bool = False
    """It need not answer what was asked."""
    is_overtaken: bool = False
    """All that a model cites for it was denied later."""
    fallbacks: tuple[Draft, ...] = ()
    """To be tried in order where this one's evidence has died meanwhile."""
