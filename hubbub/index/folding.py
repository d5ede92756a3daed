"""Fold case and accents, so that what people type and what they mean agree; it splits nothing."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Letters that Unicode does not decompose, though people type the plain one.
_PLAIN = str.maketrans(
    {
        "\u0131": "i",  # dotless i
        "\u00f8": "o",
        "\u0142": "l",
        "\u0111": "d",
        "\u00f0": "d",
        "\u00e6": "ae",
        "\u0153": "oe",
        "\u0451": "\u0435",  # Cyrillic io
        "\u0640": None,  # Arabic tatweel, a stretcher without sound
        "\u00ad": None,  # soft hyphen
        "\u200b": None,  # zero-width space, non-joiner, joiner
        "\u200c": None,
        "\u200d": None,
        "\u2060": None,
        "\ufeff": None,
    }
)
# Marks that make no letter of their own: on Latin and Greek letters, in Hebrew and Arabic, emoji selectors.
# Not those of Cyrillic (short i is a letter) nor of the scripts of India (a vowel sign is a letter).
_MARKS = re.compile(
    "(?<![\u0400-\u052f\u0300-\u036f])[\u0300-\u036f]+|[\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\ufe00-\ufe0f]"
)
_MAX_CACHED = 40  # code points: a word; each comes by some ten times on its way into the index
_LONG = re.compile(r"([^\W\d_])\1{2,}")


def fold(text: str) -> str:
    """Return the text casefolded, in compatible form (NFKC), without accents; `soooo` becomes `soo`."""
    return _fold_word(text) if len(text) <= _MAX_CACHED else _fold(text)


@lru_cache(maxsize=131_072)
def _fold_word(word: str) -> str:
    return _fold(word)


def _fold(text: str) -> str:
    if text.isascii():
        folded = text.lower()
    else:
        decomposed = unicodedata.normalize("NFKD", text.casefold()).casefold().translate(_PLAIN)
        folded = unicodedata.normalize("NFC", _MARKS.sub("", decomposed)).translate(_PLAIN)
    # Only where three letters could be the same: the expression costs as much as all the rest.
    return _LONG.sub(r"\1\1", folded) if len(folded) - len(set(folded)) >= 2 else folded
