"""What a statement denies and which figures it names; comparing statements is not its matter."""

from __future__ import annotations

import re

from hubbub.assistant.stopwords import STOPWORDS
from hubbub.assistant.wordforms import fold, plain_number

_DENIAL = re.compile(
    r"\b(?:false|fake(?:d|s)?|hoax\w*|debunk\w*|untrue|unfounded|misinformation|disinformation"
    r"|fabricated|photoshop\w*"
    r"|not true|isn'?t true|no truth|not real|no evidence|not confirmed|wrongly reported|no longer true"
    r"|rumou?rs? (?:is|are) (?:false|wrong)"
    r"|correction|corrected|retract\w*|den(?:y|ies|ied|ying)|refut\w*|dispel\w*|contradict\w*|intact"
    r"|unharmed|alive and well|don'?t believe the"
    r"|stop spreading|old (?:photo|video|picture)"
    r"|falsch(?:meldung\w*|nachricht\w*|e|er|es|en)?|stimmt nicht|stimmt so nicht|nicht wahr|unwahr"
    r"|kein wort wahr|fakes?|korrektur|korrigiert"
    r"|richtigstellung|dementi\w*|widerleg\w*|widerspr\w*|intakt|heil|unversehrt|wohlauf|ente"
    r"|ger\u00fccht\w* (?:ist|sind) falsch|keine belege"
    r"|unbest\u00e4tigt\w*|altes (?:foto|video|bild))\b",
    re.IGNORECASE,
)
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot|\w+n't|aint|isnt|arent|wasnt"
    r"|werent|dont|doesnt|didnt|wont|cant"
    r"|hasnt|havent|nicht|kein\w*|nie|niemals|niemand\w*|nichts|weder|ohne|keinesfalls|nirgends)\b",
    re.IGNORECASE,
)
_FIGURE = re.compile(
    r"(?<![\w.,:/$-])(?P<number>\d{1,3}(?:[.,]\d{3})+|\d+(?:[.,]\d+)?|two|three|four|five|six|seven"
    r"|eight|nine|ten|zwei|drei|vier"
    r"|f\u00fcnf|sechs|sieben|acht|neun|zehn)"
    r"\s*(?P<scale>hundred|thousand|million|billion|hundert|tausend|mio|mrd|k|m|bn)?\b\+?\s+"
    r"(?:(?:more|mehr|about|of|the|at least|other|weitere|als|egyptian|civilian|young)\s+){0,2}"
    r"(?P<unit>[^\W\d_]{3,})(?:\s+(?P<next>[^\W\d_]{4,}))?",
    re.IGNORECASE,
)
_SPELLED = {
    word: str(value)
    for value, names in enumerate(
        (
            "two zwei",
            "three drei",
            "four vier",
            "five f\u00fcnf",
            "six sechs",
            "seven sieben",
            "eight acht",
            "nine neun",
            "ten zehn",
        ),
        2,
    )
    for word in names.split()
}
_MANY_CLAUSES = 3
# One word for each thing that posts count in several words.
_SAME_UNIT = {
    name: unit
    for unit, names in {
        "dead": "dead died dies killed kills deaths death fatalities tote toten tot gestorben todesopfer",
        "hurt": "injured injuries wounded hurt verletzt verletzte verletzten",
        "missing": "missing vermisst vermisste vermissten",
        "arrested": "arrested arrests detained festgenommen festnahmen",
        "evacuated": "evacuated evacuees evakuiert",
    }.items()
    for name in names.split()
}
# Counted for many reasons: two figures of them need not be about the same thing.
PERSONS = frozenset(
    """people persons person men women children protesters protestors demonstrators civilians residents
    officers soldiers passengers victims miners menschen personen leute kinder frauen einwohner
    passagiere demonstranten polizisten opfer""".split()
)
_NOT_COUNTED = frozenset(
    "am pm uhr january february march april may june july august september october november december".split()
)


def is_denial(text: str) -> bool:
    """Tell whether a statement says that something is false, was corrected, or is denied."""
    # "closed bridges, power back, a rumour refuted, a dog found" denies none of the rest
    spoken = text.split(",")[0] if text.count(",") >= _MANY_CLAUSES else text
    return bool(_DENIAL.search(spoken))


def is_negative(text: str) -> bool:
    """Tell whether a statement says that something is not so: by a denial or by an odd number of negations.

    "FALSE: the dam has NOT broken" is one denial in two words, not a double negation.
    """
    return is_denial(text) or count_negations(text) % 2 == 1


def count_negations(text: str) -> int:
    """Count the words that turn a statement round."""
    return len(_NEGATION.findall(text.replace("\u2019", "'")))


def figures(text: str) -> dict[str, str]:
    """Return what a text counts and how many of it, as {"dead": "12"}; the last figure of a thing wins."""
    found: dict[str, str] = {}
    for match in _FIGURE.finditer(text):
        unit, following = fold(match["unit"]), fold(match["next"] or "")
        if unit in _NOT_COUNTED or unit in STOPWORDS:
            continue
        if unit in PERSONS and following in _SAME_UNIT:
            unit = following
        number = fold(match["number"])
        value = _SPELLED.get(number) or plain_number(number)
        found[_SAME_UNIT.get(unit, unit)] = value + (fold(match["scale"] or "")[:2])
    return found
