"""Prints an answer in a terminal: numbered sources, ages, links; what posts contain is made inert first."""

from __future__ import annotations

import textwrap

from hubbub.assistant.answer import Answer, Citation, Sentence
from hubbub.assistant.display import inert, isolated
from hubbub.assistant.write import wording

_MIN_WIDTH = 40
_RULE = {"en": "Sources", "de": "Quellen"}
_WRITER = {
    "en": "Written by {}, each sentence checked.",
    "de": "Geschrieben von {}, jeder Satz gepr\u00fcft.",
}
_UNKNOWN = {"en": "unknown account", "de": "unbekanntes Konto"}


def render(answer: Answer, *, width: int = 80, color: bool = False) -> str:
    """Return the answer as lines of at most `width` columns (but links); `color` adds bold and faint."""
    width = max(width, _MIN_WIDTH)
    numbers: dict[str, int] = {}
    lines: list[str] = []
    for sentence in answer.sentences:
        lines += _sentence(sentence, numbers, width, color)
    cited = {citation.post: citation for sentence in answer.sentences for citation in sentence.citations}
    if cited:
        lines += ["", _faint(_RULE.get(answer.lang, "Sources"), color)]
        for post, number in numbers.items():
            lines += _source(number, cited[post], answer, width, color)
    if cited and answer.report.writer != "quotes":
        told = _WRITER.get(answer.lang, _WRITER["en"]).format(inert(answer.report.writer))
        lines += ["", _faint(told, color)]
    return "\n".join(lines)


def _sentence(sentence: Sentence, numbers: dict[str, int], width: int, color: bool) -> list[str]:
    marks = "".join(
        f"[{numbers.setdefault(citation.post, len(numbers) + 1)}]" for citation in sentence.citations
    )
    first, later = {"story": ("- ", "  "), "detail": ("  ", "  "), "conflict": ("  ! ", "    ")}.get(
        sentence.kind, ("", "")
    )
    text = inert(sentence.text) + (f" {marks}" if marks else "")
    lines = textwrap.wrap(text, width, initial_indent=first, subsequent_indent=later, break_long_words=False)
    return [_bold(line, color) for line in lines] if sentence.kind == "lead" else lines


def _source(number: int, citation: Citation, answer: Answer, width: int, color: bool) -> list[str]:
    unknown = _UNKNOWN.get(answer.lang, _UNKNOWN["en"])
    who = f"@{isolated(citation.handle)}" if citation.handle else isolated(citation.name or unknown)
    age = wording(answer.lang).age(max(answer.asked_us - citation.time_us, 0))
    head = textwrap.shorten(f"[{number}] {who}, {age}", width, placeholder="...")
    return [head, *([_faint(f"    {citation.url}", color)] if citation.url else [])]


def _bold(line: str, color: bool) -> str:
    return f"\x1b[1m{line}\x1b[0m" if color else line


def _faint(line: str, color: bool) -> str:
    return f"\x1b[2m{line}\x1b[0m" if color else line
