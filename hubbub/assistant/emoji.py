"""Pictures that stand for a word of a question ("Is the [dog] found?"), read by their Unicode names."""

from __future__ import annotations

import re
import unicodedata

_PICTURE = r"[\u2600-\u27bf\U0001f300-\U0001faff]"
_FOR_A_WORD = re.compile(
    rf"(?i:(?<=\bthe )|(?<=\bour )|(?<=\bmy )|(?<=\ba )|(?<=\bder )|(?<=\bdie )|(?<=\bdas )|(?<=\bdem )"
    rf"|(?<=\bden )|(?<=\bein )|(?<=\beine ))({_PICTURE})\ufe0f?"
)
_ANY = re.compile(rf"({_PICTURE})\ufe0f?")
_DRESSING = frozenset("black white face heavy oncoming delivery bright head".split())
_GERMAN = dict(
    pair.split(":")
    for pair in """dog:Hund cat:Katze horse:Pferd cow:Kuh bird:Vogel fish:Fisch fire:Feuer water:Wasser
    bus:Bus
    minibus:Bus automobile:Auto train:Zug airplane:Flugzeug ship:Schiff ambulance:Krankenwagen school:Schule
    hospital:Krankenhaus house:Haus bridge:Br\u00fccke tree:Baum snowflake:Schnee umbrella:Regen
    soccer:Fu\u00dfball
    sunflower:Sonnenblume bicycle:Fahrrad cloud:Wolke church:Kirche""".split()
)


def spell_out(question: str, lang: str) -> str:
    """Replace pictures that stand where a word would, or alone, by their word; others are decoration."""
    pattern = _FOR_A_WORD if any(map(str.isalpha, question)) else _ANY
    return (
        pattern.sub(lambda match: f"{_word(match[1], lang)} ", question)
        if not question.isascii()
        else question
    )


def _word(picture: str, lang: str) -> str:
    named = unicodedata.name(picture, "").lower().split()
    noun = next((word for word in named if word not in _DRESSING), picture)
    return _GERMAN.get(noun, noun) if lang == "de" else noun
