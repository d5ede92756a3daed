"""What a language must be able to say in an answer; the words themselves are in one file a language."""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

import msgspec

from hubbub.assistant.intents import Intent

Note: TypeAlias = Literal[
    "nothing", "nothing_in_window", "elsewhen", "not_searchable", "uncontradicted", "lost"
]
Stance: TypeAlias = Literal["says", "denies", "near"]
"""How a quote stands to what a question puts forward."""
Contrary: TypeAlias = Literal["denied", "overtaken", "figures"]
"""How a quote stands to the one before: it denies it, it was denied by it, or it counts otherwise."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One quoted statement and what our code counted about it."""

    quote: str
    """Inert, not yet in quotation marks."""
    num_voices: int
    """0: nobody but a program says it."""
    handle: str | None
    """Of the author, inert; None where there is no readable one."""
    first_age_us: int
    last_age_us: int


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """What a lead sentence tells about the whole of what was found."""

    intent: Intent
    subject: str
    """As the question names it, inert; empty = everything."""
    window: str
    """The question's own time words; empty = none."""
    window_us: int | None
    """Length of the window that we chose; None = all time."""
    num_voices: int
    is_more: bool
    """There are more than we read."""
    meant: str = ""
    """What may have been meant, where a word of the question stands in no post; empty = nothing known."""
    is_doubtful: bool = False
    """Not even the weightiest statement need answer what was asked."""


class Wording(Protocol):
    """The sentences of one language."""

    lang: str

    def age(self, age_us: int) -> str:
        """Say how long ago something was."""
        ...

    def lead(self, scene: Scene, said: Said, stance: Stance) -> str:
        """Open the answer with its weightiest statement."""
        ...

    def story(self, said: Said) -> str:
        """Tell another statement."""
        ...

    def several(self, said: Said, claim: str) -> str:
        """Tell in a model's words what several voices say."""
        ...

    def detail(self, said: Said) -> str:
        """Add a statement to the one before."""
        ...

    def conflict(self, said: Said, contrary: Contrary) -> str:
        """Tell a statement that contradicts the one before."""
        ...

    def note(self, note: Note, scene: Scene) -> str:
        """Say what the answer cannot say."""
        ...
