"""Whether a quote holds what a question asks for: a time, a place, a number, a person, a cause."""

from __future__ import annotations

import re

from hubbub.assistant.intents import Intent

_BOOST = 1.6
"""Worth of a quote that holds it, against one that does not."""

_MONTHS = "jan|feb|mar|apr|jun|jul|aug|sep|oct|okt|nov|dec|dez"
_KINDS: dict[Intent, re.Pattern[str]] = {
    "when": re.compile(
        r"\b\d{1,2}(?:[:.]\d\d)?\s*(?:am|pm|a\.m|p\.m|uhr)\b|\b\d{1,2}:\d\d\b"
        r"|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day|\b(?:montag|dienstag|mittwoch|donnerstag"
        r"|freitag|samstag|sonntag)"
        r"|\b(?:tonight|tomorrow|today|yesterday|midnight|noon|dawn|dusk|heute|morgen|gestern"
        r"|mitternacht|mittag)\b"
        rf"|\b\d{{1,2}}\.? (?:{_MONTHS})|\b(?:{_MONTHS})[a-z]* \d{{1,2}}\b|\b(?:19|20)\d\d\b"
        r"|\b(?:in|vor|for|since|seit) \w+ (?:minutes?|hours?|days?|weeks?|minuten|stunden?|tagen?)\b",
        re.IGNORECASE,
    ),
    "where": re.compile(
        r"\b(?:in|at|near|on|from|outside|inside|around|next to|im|am|bei|beim|auf|an der|in der"
        r"|vor dem|nahe)\s+(?:the |der |dem )?"
        r"\w{3,}|\b\w+(?:street|road|lane|square|bridge|school|stra\u00dfe|gasse|platz|weg|schule|halle)\b",
        re.IGNORECASE,
    ),
    "number": re.compile(
        r"(?<![\w/])\d[\d.,]*\b|\b(?:two|three|four|five|six|seven|eight|nine|ten|dozens?|hundreds?"
        r"|thousands?|millions?"
        r"|zwei|drei|vier|f\u00fcnf|sechs|sieben|acht|neun|zehn|dutzende?|hunderte?|tausende?|millionen)\b",
        re.IGNORECASE,
    ),
    "why": re.compile(
        r"\b(?:because|due to|caused|cause|reasons?|owing to|weil|wegen|grund|aufgrund|ursache|deshalb)\b",
        re.IGNORECASE,
    ),
    # a name: capitalised words in a row, or an account
    "who": re.compile(r"(?:[A-Z\u00c0-\u00de][\w'-]+\s+){1,3}[A-Z\u00c0-\u00de][\w'-]+|@\w+"),
}


def holds(intent: Intent, quote: str) -> bool:
    """Tell whether a quote holds the kind of thing that is asked for; true where that is nothing special."""
    kind = _KINDS.get(intent)
    return kind is None or kind.search(quote) is not None


def fits(intent: Intent, quote: str) -> float:
    """Return how much more a quote is worth for holding what is asked for; 1 where nothing special is."""
    return _BOOST if intent in _KINDS and holds(intent, quote) else 1.0
