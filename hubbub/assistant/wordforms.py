"""Words of a text in the forms that comparisons use: folded, stemmed, without function words; no offsets."""

from __future__ import annotations

import re

from hubbub.assistant.stopwords import ENGLISH, GERMAN
from hubbub.index import tokenize
from hubbub.index.folding import fold

__all__ = ["content_words", "fold", "numbers", "plain_number", "words"]

MAX_TEXT = 20_000
"""Code points of a text that are read; as many as the index reads."""
_NUMBER = re.compile(r"(?<![\w.,])\d+(?:[.,]\d+)*(?:(?=[^\w])|$|(?=st|nd|rd|th|k|m|km|am|pm|h|%))")
_UNSPACED = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_STOP_STEMS = {
    lang: stop | {stem for word in stop for stem in tokenize.terms(word, lang)}
    for lang, stop in (
        # posts mix languages, so the other one's words stop as well, but for those that mean something here
        ("en", ENGLISH | GERMAN - {"die", "war", "hat", "man", "den", "bin"}),
        ("de", GERMAN | ENGLISH - {"not"}),
    )
}


def words(text: str) -> tuple[str, ...]:
    """Return the folded words and numbers of a text in order, links left out; unspaced scripts by letter."""
    return tuple(_WORD.findall(fold(_LINK.sub(" ", text[:MAX_TEXT]))))


def content_words(text: str, lang: str, spoken: str = "") -> list[str]:
    """Return the stems of a text's words that carry its topic, in order; hashtags count as their words.

    Stemmed as `lang`; `spoken` is the language that the text declares: its own function words carry nothing.
    """
    stop = _STOP_STEMS["de" if spoken == "de" else lang]
    return [
        term.lstrip("@#")
        for term in tokenize.terms(text[:MAX_TEXT], lang)
        if term not in stop and (len(term) > 1 or not term.isascii() or term.isdigit()) and term[0] != "#"
    ]


def numbers(text: str) -> list[str]:
    """Return the numbers of a text as plain digits, links left out, in order."""
    return [plain_number(number) for number in _NUMBER.findall(_LINK.sub(" ", fold(text[:MAX_TEXT])))]


def plain_number(number: str) -> str:
    """Write 9,000 and 9.000 as 9000; a decimal fraction keeps a point."""
    return re.sub(r"[.,](?=\d{3}(?:\D|$))", "", number).replace(",", ".")
