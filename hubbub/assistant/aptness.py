"""Whether a quote holds what a question asks for: a time, a place, a number, a person, a cause."""

from __future__ import annotations

import re

from hubbub.assistant.intents import Intent
from hubbub.assistant.question import Question
from hubbub.assistant.wordforms import fold

_BOOST, _LACKS, _LACKS_FIGURE = 1.6, 0.5, 0.2
"""Worth of a quote that holds it, and of one that does not."""

_CLOCK = re.compile(r"\b\d{1,2}:\d\d\b|\b\d{1,2} uhr\b|\b\d{1,2} ?[ap]\.?m\b", re.IGNORECASE)
"""A time of day is no count."""
_MONTHS = "jan|feb|mar|apr|jun|jul|aug|sep|oct|okt|nov|dec|dez"
_KINDS: dict[Intent, re.Pattern[str]] = {
    "when": re.compile(
        r"\b\d{1,2}(?:[:.]\d\d)?\s*(?:am|pm|a\.m|p\.m|uhr)\b|\b\d{1,2}:\d\d\b"
        r"|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day|\b(?:montag|dienstag|mittwoch|donnerstag"
        r"|freitag|samstag|sonntag)"
        r"|\b(?:tonight|tomorrow|today|yesterday|midnight|noon|dawn|dusk|heute|morgen|gestern"
        r"|mitternacht|mittag|weekend|wochenende)\b"
        rf"|\b\d{{1,2}}\.? (?:{_MONTHS})|\b(?:{_MONTHS})[a-z]* \d{{1,2}}\b|\bin (?:19|20)\d\d\b"
        r"|\b(?:in|vor|for|since|seit) \w+ (?:minutes?|hours?|days?|weeks?|minuten|stunden?|tagen?)\b"
        r"|\b(?:this|last|next|every|diese\w*|letzte\w*|n\u00e4chste\w*|jede\w*) (?:minute|hour|morning"
        r"|night|day|week|month|year|season|spring|summer|autumn|fall|winter|nacht|woche|monat|jahr)\b"
        r"|\b(?:morning|afternoon|evening|ago|soon|until|before|after|abends?|nachts|bald|bis)\b",
    ),
    "where": re.compile(
        r"\b(?:in|at|near|on|from|outside|inside|around|next to|im|am|bei|beim|auf|an der|in der"
        r"|vor dem|nahe)\s+(?:the |der |dem )?"
        r"\w{3,}|\b\w+(?:street|road|lane|square|bridge|school|stra\u00dfe|gasse|platz|weg|schule|halle)\b",
    ),
    "number": re.compile(
        r"(?<![\w/])\d|\b(?:once|twice|half|both|none|nobody|no one|several|keine[nr]?|niemand|mehrere"
        r"|two|three|four|five|six|seven|eight|nine|ten|dozens?|hundreds?|thousands?|millions?"
        r"|zwei|drei|vier|f\u00fcnf|sechs|sieben|acht|neun|zehn|dutzende?|hunderte?|tausende?|millionen)\b",
    ),
    "why": re.compile(
        r"\b(?:because|due to|caused|cause|reasons?|owing to|weil|wegen|grund|aufgrund|ursache|deshalb"
        r"|galten?|(?:was|were) for)\b",
    ),
    # somebody's own words, or a report of them
    "said": re.compile(
        '[:,]\\s*["\u201c\u201e\u00ab]|\\b(?:said|says|told|tells|asks?|asked|calls?|called|demands?|announce[sd]?|promise[sd]?|warn(?:s|ed)'
        "|sagte?|fordert|erkl\u00e4rt|k\u00fcndigt|verspricht|warnt|nennt|meint)\\b",
    ),
    # a name: capitalised words in a row, or an account
    "who": re.compile(
        r"(?:(?!(?:The|In|Der|Die|Das|Im)\b)[A-Z\u00c0-\u00de][\w'-]+\s+){1,3}[A-Z\u00c0-\u00de][\w'-]+|@\w+"
    ),
}

# What may answer beyond these: a person by what he is, the speaker, whose name stands beside, a single name.
_NAMED = r"[@#]\w|[^.!?:\s] (?!I\b)[A-Z\u00c0-\u00de]\w"
_ASKS_MEASURE = re.compile(
    r"\bhow (?:high|deep|hot|cold|warm|fast|far|tall|heavy|strong|wide)"
    r"|\bwie (?:hoch|tief|hei\u00df|kalt|warm|schnell|stark|weit|breit|schwer)",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_][\w'\u2019-]+")
_WIDER: dict[Intent, re.Pattern[str]] = {
    "who": re.compile(
        rf"{_NAMED}|\b(?i:i|i'm|my|me|we|our|us|ich|mein\w*|wir|uns\w*|(?:fire|police|wo)?m[ae]n|people|folks"
        r"|police|officers?|nobody|kids?|child(?:ren)?|boys?|girls?|mother|father|mom|dad|wife|husband|friends?"
        r"|family|residents|mayor|president|minister|frau|mann|leute|kinder|mutter|vater|eltern|polizei"
        r"|feuerwehr|niemand|anwohner\w*|b\u00fcrgermeister\w*)\b"
    ),
    "where": re.compile(rf"{_NAMED}|\b(?:here|there|home|to (?:the )?\w{{3,}}|hier|dort|nach \w{{3,}})\b"),
}


def may_answer(question: Question, quote: str) -> bool:
    """Tell whether a quote may answer: who asks who, when, where or how many wants such a thing.

    A name that the question gives is none.
    """
    intent = question.intent
    if intent not in ("who", "when", "where", "number"):
        return True
    new = _WORD.sub(lambda match: "" if fold(match[0]) in question.names else match[0], quote)
    return holds(intent, new) or (intent in _WIDER and _WIDER[intent].search(new) is not None)


def asks_measure(question: Question) -> bool:
    """Tell whether a number with a unit is asked for, of which the newest stands."""
    return question.intent == "number" and _ASKS_MEASURE.search(question.text) is not None


def holds(intent: Intent, quote: str) -> bool:
    """Tell whether a quote holds the kind of thing that is asked for; true where that is nothing special."""
    kind = _KINDS.get(intent)
    if kind is None:
        return True
    if intent != "who":
        quote = quote.lower()
    if intent == "number":
        quote = _CLOCK.sub(" ", quote)
    return kind.search(quote) is not None


def fits(intent: Intent, quote: str) -> float:
    """Return how much more a quote is worth for holding what is asked for; 1 where nothing special is."""
    if intent not in _KINDS:
        return 1.0
    return _BOOST if holds(intent, quote) else _LACKS_FIGURE if intent == "number" else _LACKS
