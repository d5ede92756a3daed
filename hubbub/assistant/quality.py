"""How well a span reads as a statement of its own, from 0 (not fit to show) to 1; not whether it is true."""

from __future__ import annotations

import re

from hubbub.assistant import quality_words as tells
from hubbub.assistant.display import is_live
from hubbub.assistant.polarity import is_measurement
from hubbub.assistant.spans import Span, is_last

MIN_WORDS = 4
MIN_WORDS_UNSPACED = 8
"""Characters, where a script puts no blanks between words."""
_MAX_CHARS = 320
MIN_CUT_CHARS = 90
"""Feeds cut headlines at a hundred characters or later."""
_MIN_LETTERS, _MIN_LETTERS_READING = 0.55, 0.4
"""Shares of a statement that are letters; a gauge's reading is half figures."""
_BEST_WORDS = range(7, 34)

_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_UNSPACED = re.compile("[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")
_MARKUP = re.compile(
    r"</?\w+[^>]*>|!?\[[^\]]*\]\(|\[\[?\d+\]?\]|```|\b(?:system|assistant)\s*:", re.IGNORECASE
)
_ENCODED = re.compile(r"[A-Za-z0-9+/=_-]{36,}|(?:[.-]{1,6}[ /]+){8,}")
_LONG_WORD = 36
_ASKING = 0.5
_LAST_TAGS = re.compile(r"(?:\s+#\w+)+$")
_QUOTES_OTHERS = re.compile(r"\brt\s*@|\bvia @", re.IGNORECASE)
_CUT = re.compile("(?:\\.{2,}|\u2026)\\s*$")


def quality(text: str, span: Span, *, for_opinion: bool = False, for_one: bool = False) -> float:
    """Rate a span; 0 drops it (question, teaser, advertising, fragment, markup, encoded text).

    With `for_opinion`, speaking of oneself and of feelings costs nothing: that is what was asked for.
    With `for_one`, a question costs only half: where one post answers, it may do so by asking.
    """
    sentence = text[span.start : span.end]
    words = _WORD.findall(sentence)
    is_question = "?" in sentence[-3:] or text[span.end : span.end + 1] == "?"
    if (is_question and not for_one) or not _is_statement(sentence, words, may_ask=for_one):
        return 0.0
    lowered = [word.lower().replace("\u2019", "'") for word in words]
    value = _ASKING if is_question else 1.0
    for tell, cost in _COSTS_OPINION if for_opinion else _COSTS:
        value *= cost ** min(tell.count(lowered), 3)
    if for_opinion:
        value *= 1.0 if any(tell.count(lowered) for tell in _PERSONAL) else 0.4
    elif tells.SPEAKING.count(lowered):
        value *= 1.15
    value *= _form(sentence, words, span, is_cut=len(text) >= MIN_CUT_CHARS and is_last(text, span))
    return min(value, 1.0)


_COSTS = (
    (tells.CHATTER, 0.55),
    (tells.ADDRESS, 0.6),
    (tells.FEELING, 0.65),
    (tells.TEASER, 0.55),
    (tells.ADVERTISING, 0.5),
)
_PERSONAL = (tells.CHATTER, tells.ADDRESS, tells.FEELING)
_COSTS_OPINION = (
    (tells.TEASER, 0.6),
    (tells.ADVERTISING, 0.6),
)


def _is_statement(sentence: str, words: list[str], *, may_ask: bool) -> bool:
    if len(sentence) > _MAX_CHARS:
        return False
    lowered = sentence.lower()
    if any(hint in lowered for hint in tells.HINTS_ORDERS) and tells.ORDERS.search(sentence):
        return False
    if not may_ask and any(hint in lowered for hint in tells.HINTS_ASKS) and tells.ASKS.search(sentence):
        return False
    if any(mark in sentence for mark in "<[`:&") and (_MARKUP.search(sentence) or is_live(sentence)):
        return False
    if "www." in lowered:
        return False
    is_odd = (
        max(map(len, sentence.split()), default=0) >= _LONG_WORD
        or sentence.count(".") + sentence.count("-") > 7
    )
    if is_odd and _ENCODED.search(sentence):
        return False
    if len(words) < MIN_WORDS:
        return len(_UNSPACED.findall(sentence)) >= MIN_WORDS_UNSPACED
    if 2 * (sentence.count("#") + sentence.count("@")) >= len(words):
        return False
    letters = sum(map(str.isalpha, sentence))
    return letters >= (_MIN_LETTERS_READING if is_measurement(sentence) else _MIN_LETTERS) * len(sentence)


def _form(sentence: str, words: list[str], span: Span, *, is_cut: bool) -> float:
    """Length, shouting, tags in a row, a torn end, an opening that asks or points back."""
    value = 1.0
    if len(words) < _BEST_WORDS.start:
        value *= 0.6 + 0.13 * max(len(words) - MIN_WORDS, 0)
    elif len(words) >= _BEST_WORDS.stop:
        value *= 0.8
    if span.is_cut or _CUT.search(sentence) or _dangles(sentence):
        value *= 0.4
    if sum(word.isupper() and len(word) > 1 for word in words) > 0.6 * len(words):
        value *= 0.75
    for is_so, cost in (
        (tells.OPENS_QUESTION.search(sentence), 0.5),
        (tells.POINTS_BACK.search(sentence), 0.6),
        (tells.COMMANDS.search(sentence), 0.8),
        (sentence.startswith("@"), 0.7),
        (sentence.startswith("#"), 0.85),
        (_is_unbalanced(sentence), 0.75),
        ("!!" in sentence or "??" in sentence, 0.7),
        (span.is_part, 0.9),
        (is_cut and _is_headline_with_teaser(sentence, span), 0.6),
        (is_cut and span.is_part and sentence[-1:].isalnum(), 0.7),
        ("@" in sentence and _QUOTES_OTHERS.search(sentence), 0.6),
        (sentence[:1].islower() and not sentence.islower(), 0.85),
    ):
        value *= cost if is_so else 1.0
    return value * 0.7 ** max(sentence.count("#") + sentence.count("@") - 2, 0)


def _dangles(sentence: str) -> bool:
    """Tell whether the last word, tags aside, wants another one."""
    plain = _LAST_TAGS.sub("", sentence) if "#" in sentence else sentence
    return tells.DANGLES.search(" " + "".join(plain.rsplit(None, 1)[-1:])) is not None


def _is_headline_with_teaser(sentence: str, span: Span) -> bool:
    """Tell whether a feed's headline drags its first words along: "storm hits coast: heavy rain and"."""
    return (
        not span.is_part and sentence[-1:].isalnum() and re.search(r"[^\s\d]:\s|\s-\s", sentence) is not None
    )


def _is_unbalanced(sentence: str) -> bool:
    """Tell whether a quotation opens and does not close."""
    return sentence.count('"') % 2 == 1 or ("\u201e" in sentence) != (
        "\u201c" in sentence or "\u201d" in sentence
    )
