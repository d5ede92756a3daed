"""Whether a quote holds what a question asks for: a time, a place, a number, a person, a cause."""

from __future__ import annotations

import re

from hubbub.assistant.intents import Intent

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
        r"|\b(?:in|vor|for|since|seit) \w+ (?:minutes?|hours?|days?|weeks?|minuten|stunden?|tagen?)\b",
    ),
    "where": re.compile(
        r"\b(?:in|at|near|on|from|outside|inside|around|next to|im|am|bei|beim|auf|an der|in der"
        r"|vor dem|nahe)\s+(?:the |der |dem )?"
        r"\w{3,}|\b\w+(?:street|road|lane|square|bridge|school|stra\u00dfe|gasse|platz|weg|schule|halle)\b",
    ),
    "number": re.compile(
        r"(?<![\w/])\d[\d.,]*\b|\b(?:two|three|four|five|six|seven|eight|nine|ten|dozens?|hundreds?"
        r"|thousands?|millions?"
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
