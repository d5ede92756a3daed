"""What a statement denies and which figures it names; comparing statements is not its matter."""

from __future__ import annotations

import re

from hubbub.assistant.stopwords import STOPWORDS
from hubbub.assistant.wordforms import fold, plain_number

# Of texts in lower case: twice as fast as ignoring it.
_DENIAL = re.compile(
    r"\b(?:false|fake(?:d|s)?|hoax\w*|debunk\w*|untrue|unfounded|misinformation|disinformation"
    r"|fabricated|photoshop\w*"
    r"|not true|isn'?t true|no truth|not real|no evidence|not confirmed|wrongly reported|no longer true"
    r"|rumou?rs? (?:is|are) (?:false|wrong)"
    r"|correction|corrected|retract\w*|den(?:y|ies|ied|ying)|refut\w*|dispel\w*|contradict\w*"
    r"|don'?t believe the"
    r"|stop spreading|old (?:photo|video|picture)"
    r"|falsch(?:meldung\w*|nachricht\w*|e|er|es|en)?|stimmt nicht|stimmt so nicht|nicht wahr|unwahr"
    r"|kein wort wahr|fakes?|korrektur|korrigiert"
    r"|richtigstellung|dementi\w*|widerleg\w*|widerspr\w*|ente"
    r"|ger\u00fccht\w* (?:ist|sind) falsch|keine belege"
    r"|unbest\u00e4tigt\w*|altes (?:foto|video|bild))\b",
)
_UNHURT = re.compile(
    r"\b(?:intact|unharmed|undamaged|unhurt|alive and well|safe and sound|intakt|heil"
    r"|unversehrt|unverletzt|wohlauf)\b"
)
DAMAGE = (
    "broken broke break breaks burst cracked crack collapsed collapse failed destroyed damaged gone hurt"
    " injured dead died killed gebrochen bricht bruch dammbruch geborsten gerissen riss eingest\u00fcrzt"
    " zerst\u00f6rt besch\u00e4digt verletzt tot gestorben"
)
"""What a statement denies that calls something unharmed."""
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot|\w+n't|aint|isnt|arent|wasnt"
    r"|werent|dont|doesnt|didnt|wont|cant"
    r"|hasnt|havent|nicht|kein\w*|nie|niemals|niemand\w*|nichts|weder|ohne|keinesfalls|nirgends)\b",
)
# A wish, an order or a condition is no denial: "should not be cut", "don't cut it", "nicht vergessen".
_WISH = re.compile(
    r"\b(?:should|must|shall|ought|let'?s|please|to|if|unless|why|soll\w*|darf\w*"
    r"|d(?:ue|\u00fc)rf\w*|muss|m(?:ue|\u00fc)ss\w*|bitte|lasst|wenn|falls|warum|wer)\s+"
    r"(?:\w+\s+){0,2}?(?:not|never|nicht|nie|kein\w*)\b"
    r"|\b(?:can|could|may|might|will|would)\s+(?:\w+\s+){0,2}?not\b"
    r"|\b(?:if|unless)\s+(?:\w+\s+){0,2}?(?:cannot|\w+n't)\b"
    r"|\b(?:should|must|would|could)n'?t\b|^\W*(?:don'?t|do not|never|no more)\b|\bnot only\b|\bnicht nur\b"
    r"|\b(?:not|nicht)\s+(?:\w+\s+)?(?:without|ohne)\b|\b(?:without|ohne)\b",
)
# "FALSE: the dam has broken": the text behind a label speaks for itself.
_LABEL = re.compile(r"^\W*[^\W\d_]+(?:[ -][^\W\d_]+){0,4}:\s")
_CLAUSE = re.compile(r"[,;.:!?\u2013\u2014\n]+\s*")
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
    for words in (
        "two three four five six seven eight nine ten",
        "zwei drei vier f\u00fcnf sechs sieben acht neun zehn",
    )
    for value, word in enumerate(words.split(), 2)
}
_YEAR = re.compile(r"(?:19|20)\d\d")
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
# They measure what changes by the hour: another value a while later is news, not a contradiction.
MEASURES = frozenset(
    """cm mm km metre metres meter metern meters centimetre centimetres zentimeter kilometre
    kilometres kilometer
    degrees grad celsius percent per cent prozent kubikmeter cubic liter litres""".split()
)
_MEASURED = re.compile(
    r"(?<![\w/])\d+(?:[.,]\d+)?\s?(?:%|\u00b0|(?:cm|mm|km|m|kn|km/h|kmh|mph|bft|hpa|kwh|mw|m3)\b"
    r"|(?:met(?:re|er)|degree|percent|per cent|prozent|grad\b|kubik|cubic|lit(?:re|er))\w*)",
    re.IGNORECASE,
)
_ADVERB = re.compile(
    r"\b(?:\w+ly|yet|longer|been|being|any|mehr|noch|schwer|ernsthaft|wirklich|so|ein\w{0,2})\b",
    re.IGNORECASE,
)
_NOT_COUNTED = frozenset(
    "am pm uhr january february march april may june july august september october november december".split()
)


def is_denial(text: str) -> bool:
    """Tell whether a statement says that something is false, was corrected, or is denied."""
    # "closed bridges, power back, a rumour refuted, a dog found" denies none of the rest
    spoken = text.split(",")[0] if text.count(",") >= _MANY_CLAUSES else text
    return bool(_DENIAL.search(spoken.lower())) or is_unhurt(spoken)


def is_unhurt(text: str) -> bool:
    """Tell whether a statement says that somebody or something is unharmed, and so denies any `DAMAGE`."""
    return bool(_UNHURT.search(text.lower()))


def is_negative(text: str) -> bool:
    """Tell whether a statement says that something is not so; a label ("FALSE: ...") alone does not tell."""
    return bool(denied_parts(text))


def denied_parts(text: str) -> list[str]:
    """Return the parts of a text that its denials and negations turn round.

    A wish, an order or a condition ("should not be cut", "without") turns nothing round. A denial reaches
    over its clause, a negation over what follows it there (or precedes, if nothing does).
    """
    plain = _plain(text)
    if not (_NEGATION.search(plain) or _DENIAL.search(plain)):
        return []
    plain = _WISH.sub(" ", plain)
    parts = []
    for clause in _CLAUSE.split(_LABEL.sub("", plain) or plain):
        if _DENIAL.search(clause):
            parts.append(_DENIAL.sub(" ", clause))
            continue
        for match in _NEGATION.finditer(clause):
            parts.append(clause[match.end() :] if clause[match.end() :].strip() else clause[: match.start()])
    return parts


def without_adverbs(text: str) -> str:
    """Return a text without what may stand before what is negated ("none seriously hurt")."""
    return _ADVERB.sub(" ", text)


def is_measurement(text: str) -> bool:
    """Tell whether a text gives a figure with a unit of measure."""
    return _MEASURED.search(text) is not None


def count_negations(text: str) -> int:
    """Count the words that turn a statement round."""
    return len(_NEGATION.findall(_plain(text)))


def _plain(text: str) -> str:
    return text.replace("\u2019", "'").lower()


def counted(word: str) -> str:
    """Return the word under which `figures` files a thing; persons of all kinds are people."""
    return "people" if word in PERSONS else _SAME_UNIT.get(word, word)


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
        if _YEAR.fullmatch(number) and not match["scale"]:
            continue  # "2011 state of the union"
        value = _SPELLED.get(number) or plain_number(number)
        found[_SAME_UNIT.get(unit, unit)] = value + (fold(match["scale"] or "")[:2])
    return found
