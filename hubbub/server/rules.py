"""A tenant's rules of tone, as an operator writes them in a small file; they loosen no check."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from hubbub.errors import InvalidInput
from hubbub.units import now_us

MAX_CHARS = 2_000
"""A page; every answer's prompt carries it."""
MAX_SENTENCES = 10
"""What an answer has at most without rules."""
_LINE = re.compile(r"(sentences|language)\s*:\s*(\S+)", re.IGNORECASE)


class HouseRules(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the rules of a tenant."""

    version: int
    """From 1; every version that was ever in force is kept."""
    made_us: int
    tone: str = ""
    """For the model that writes, if there is one."""
    max_sentences: int | None = None
    """A contradiction is told beyond them: without it the claim before it would stand for the whole truth."""
    lang: Literal["en", "de"] | None = None

    @property
    def says_nothing(self) -> bool:
        """Whether they only take back those before them."""
        return not self.options()

    def options(self) -> dict[str, object]:
        """Return them as `hubbub.assistant.ask` takes them."""
        given = {"tone": self.tone, "max_sentences": self.max_sentences, "lang": self.lang}
        return {name: value for name, value in given.items() if value}


def parse_rules(text: str) -> HouseRules:
    """Read rules: lines `sentences: 3` and `language: de` bind every writer, the rest tells a model its tone.

    Raises:
        InvalidInput: they are too long, or one of those lines has a value that we cannot keep to.
    """
    if len(text) > MAX_CHARS:
        raise InvalidInput(f"rules of {len(text):,} characters; write at most {MAX_CHARS:,}")
    bound: dict[str, str] = {}
    told = []
    for line in text.splitlines():
        found = _LINE.fullmatch(line.strip())
        if found:
            bound[found[1].lower()] = found[2].lower()
        else:
            told.append(line.strip())
    most, lang = bound.get("sentences"), bound.get("language")
    if most is not None and not (most.isdecimal() and 1 <= int(most) <= MAX_SENTENCES):
        raise InvalidInput(f"rules say sentences: {most[:40]!r}; write a number from 1 to {MAX_SENTENCES}")
    if lang not in (None, "en", "de"):
        raise InvalidInput(f"rules say language: {lang[:40]!r}; answers are written in en or de")
    return HouseRules(
        version=0,
        made_us=now_us(),
        tone=" ".join(" ".join(told).split()),
        max_sentences=int(most) if most else None,
        lang=lang,  # type: ignore[arg-type]
    )
