"""Sets verified sentences as one text with marks `[1]`, cited by code points; it verifies nothing."""

from __future__ import annotations

import msgspec

from hubbub.assistant.answer import Citation, Sentence
from hubbub.assistant.display import inert

_WITHDRAWN = {
    "en": "Sentence {number} is withdrawn: a post that it quotes was deleted, changed or hidden meanwhile.",
    "de": "Satz {number} gilt nicht mehr: Ein Beitrag, den er zitiert, wurde inzwischen "
    "gel\u00f6scht, ge\u00e4ndert oder verborgen.",
}
_TITLE_CHARS = 80


class Mark(msgspec.Struct, frozen=True, tag="url_citation"):
    """Where the text cites a post; indices in code points of the whole text, end exclusive."""

    start_index: int
    end_index: int
    url: str
    title: str


class Piece(msgspec.Struct, frozen=True):
    """What is added to the text, and its marks."""

    text: str
    marks: tuple[Mark, ...] = ()


class Prose:
    """The text so far."""

    def __init__(self, lang: str) -> None:
        self._lang = lang
        self.text = ""
        self.marks: list[Mark] = []
        self._story: int | None = None
        self._numbers: dict[str, int] = {}
        self._places: dict[int, int] = {}

    @property
    def urls(self) -> list[str]:
        """Every cited address once, as numbered."""
        return list(self._numbers)

    def add(self, sentence: Sentence) -> Piece:
        """Add a sentence; its citations follow it as marks."""
        start = ""
        if self.text:
            start = " " if sentence.story is not None and sentence.story == self._story else "\n\n"
        self._story = sentence.story
        self._places[sentence.id] = len(self._places) + 1
        text, marks = start + sentence.text, []
        for citation in dict.fromkeys(_named(citation) for citation in sentence.citations):
            url, title = citation
            mark = f"[{self._numbers.setdefault(url, len(self._numbers) + 1)}]"
            at = len(self.text) + len(text) + 1
            marks.append(Mark(at, at + len(mark), url, title))
            text += " " + mark
        return self._take(Piece(text, tuple(marks)))

    def withdraw(self, number: int) -> Piece:
        """Say that a sentence, which has been sent, holds no longer; its words are not repeated."""
        said = _WITHDRAWN["de" if self._lang == "de" else "en"]
        return self._take(Piece("\n\n" + said.format(number=self._places[number])))

    def _take(self, piece: Piece) -> Piece:
        self.text += piece.text
        self.marks += piece.marks
        return piece


def _named(citation: Citation) -> tuple[str, str]:
    who = citation.handle or citation.name or citation.author
    return citation.url or citation.post, inert(f"{who}: {citation.quote}")[:_TITLE_CHARS]
