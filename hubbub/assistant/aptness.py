"""Whether a quote holds what a question asks for: a time, a place, a number, a person, a cause."""

from __future__ import annotations

import re

from hubbub.assistant.intents import Intent
from hubbub.assistant.naming import Topic
from hubbub.assistant.polarity import counted, figures, is_measurement
from hubbub.assistant.question import Question
from hubbub.assistant.wordforms import content_words, fold, words

_BOOST, _LACKS, _LACKS_FIGURE = 1.6, 0.5, 0.2
"""Worth of a quote that holds it, and of one that does not."""

_CLOCK = re.compile(r"\b\d{1,2}[:/]\d{1,2}\b|\b\d{1,2} uhr\b|\b\d{1,2} ?[ap]\.?m\b", re.IGNORECASE)
"""A time of day is no count, nor is the second part of three."""
_MONTHS = "jan|feb|mar|apr|jun|jul|aug|sep|oct|okt|nov|dec|dez"
_NOWHERE = (
    r"(?:the|der|dem|our|them|there|this|that|these|those|its|it's|you|your|him|his|her|their|fact|case|order|time|moment|next|last"
    r"|days?|weeks?|months?|years?|hours?|minutes?|today|tonight|tomorrow|yesterday|morning|afternoon|evening"
    r"|night|noon|midnight|(?:mon|tues|wednes|thurs|fri|satur|sun)day|ende|anfang|moment|augenblick|abend|morgen"
    r"|nacht|mittag|wochenende|januar|februar|m\u00e4rz|april|mai|juni|juli|august|september|oktober|november"
    r"|dezember|january|february|march|may|june|july|october|december|diese\w*|ihre?[nm]?|seine[nm]?|mich|dich"
    r"|\w+tag)\b"
)
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
        r"|\b(?:morning|afternoon|evening|ago|soon|abends?|nachts|bald)\b",
    ),
    "where": re.compile(
        r"\b(?:in|at|near|on|outside|inside|around|next to|im|am|bei|beim|auf|an der|in der|unter der"
        r"|unter dem|vor dem|nahe)\s+(?:the |der |dem |our )?"
        rf"(?!{_NOWHERE})(\w{{3,}})"
        rf"|\b(?!{_NOWHERE})(\w+ ?(?:street|road|lane|row|square|bridge|school|stra\u00dfe|gasse|platz|weg"
        r"|schule|halle))\b",
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
_NAMED = r"[@#]\w|[^.!?:\s] (?!I\b)[A-Z\u00c0-\u00de]\w*[a-z]"
_ASKS_MEASURE = re.compile(
    r"\bhow much\b.*\brain|\bwie ?viel\b.*\b(?:ge)?regn"
    r"|\bhow (?:high|deep|hot|cold|warm|fast|far|tall|heavy|strong|wide)"
    r"|\bwie (?:hoch|tief|hei\u00df|kalt|warm|schnell|stark|weit|breit|schwer)",
    re.IGNORECASE,
)
_COUNTS = re.compile(r"\bhow many\b|\bwie ?viele\b", re.IGNORECASE)
_ASKS_PAST = re.compile(
    r"\bsince when\b|\bwhen (?:was|were|did|had|has|have)\b"
    r"|\bseit wann\b|\bwann (?:war|waren|wurden?|hatten?|hat|haben)\b",
    re.IGNORECASE,
)
_LASTS = re.compile(
    r"\b(?:stays?|remains?|still|keeps?|will|expect\w*|forecast|tomorrow|bleib\w*|weiterhin|noch|wird|werden|soll(?:en)?"
    r"|erwart\w*|morgen)\b",
    re.IGNORECASE,
)
_REASON = re.compile(
    r"\b(?:because|weil|wegen|aufgrund|due to|owing to)\b[^,.;]*"
    r"|\b(?:caused?|reasons?|grund|ursache|deshalb|galten?|(?:was|were) for)\b",
    re.IGNORECASE,
)
_LABEL = re.compile(r"[^:.!?]{2,40}(?<!\d):\s|[^:.!?]{2,30}\b\d{1,2}:\d\d:\s")
_LIST = 4
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


class Kind:
    """The kind of thing that one question asks for; built once an answer."""

    def __init__(self, question: Question) -> None:
        self._intent = question.intent
        self._lang, self._names, self._topic = question.lang, question.names, Topic(question)
        self._units = (
            {counted(word) for word in words(question.topic)} if _COUNTS.search(question.text) else set()
        )
        self._is_measure = asks_measure(question)
        self._is_past = _ASKS_PAST.search(question.text) is not None

    def holds(self, quote: str) -> bool:
        """Tell whether a quote holds it, where it speaks of the topic; true where nothing special is asked.

        A place is none that the question gives ("at the shelter"), a reason none that the topic is ("because
        the bridge is closed"), a beginning is not told by what lasts or will be; two families are no people.
        """
        if self._intent not in _KINDS:
            return True
        if self._intent in ("when", "where", "number"):
            quote = self._told_of_it(quote)
        if not holds(self._intent, quote) or (self._is_measure and not is_measurement(quote)):
            return False
        if self._intent == "where":
            found = _KINDS["where"].finditer(quote.lower())
            return any(not self._names_it(match[1] or match[2]) for match in found)
        if self._intent == "when":
            return not (self._is_past and _LASTS.search(quote))
        if self._intent == "number" and self._units and (units := set(map(counted, figures(quote)))):
            return any(_is_kin(unit, asked) for unit in units for asked in self._units)
        if self._intent == "why":
            return any(not self._names_it(match[0]) for match in _REASON.finditer(quote))
        return True

    def may_be_in(self, quote: str) -> bool:
        """Tell whether a quote may answer: who asks who, when, where or how many wants such a thing.

        A name that the question gives is none.
        """
        if self._intent not in ("who", "when", "where", "number"):
            return True
        new = _WORD.sub(lambda match: "" if fold(match[0]) in self._names else match[0], quote)
        is_held = holds("who", new) if self._intent == "who" else self.holds(quote)
        return is_held or (self._intent in _WIDER and _WIDER[self._intent].search(new) is not None)

    @property
    def is_exact(self) -> bool:
        """Whether what does not hold it can hardly be an answer."""
        return self._intent in ("when", "number", "why")

    def fits(self, quote: str) -> float:
        """Return how much more a quote is worth for holding it; 1 where nothing special is asked for."""
        if self._intent not in _KINDS:
            return 1.0
        return _BOOST if self.holds(quote) else _LACKS_FIGURE if self._intent == "number" else _LACKS

    def _names_it(self, text: str) -> bool:
        return not self._topic.is_open and bool(self._topic.named(content_words(text, self._lang)))

    def _told_of_it(self, quote: str) -> str:
        """Leave out a label before the topic's clause, and of a list what is of something else."""
        label = _LABEL.match(quote)
        if label and self._names_it(quote[label.end() :]) and not self._names_it(label[0]):
            quote = quote[label.end() :]
        parts = quote.split(", ")
        if len(parts) >= _LIST:
            quote = ", ".join(part for part in parts if self._names_it(part)) or quote
        return quote


def _is_kin(unit: str, asked: str) -> bool:
    short, long = sorted((unit, asked), key=len)
    return unit == asked or (len(short) > 3 and (long.startswith(short) or long.endswith(short)))
