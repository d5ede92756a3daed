"""The ways in which English and German ask for news, opinions, a check, or a fact; patterns only."""

from __future__ import annotations

import re
from typing import Literal

Intent = Literal[
    "news", "opinion", "said", "check", "who", "when", "where", "number", "why", "what", "topic",
    "unsearchable",
]  # fmt: skip


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(rf"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


_CROWD = r"(?:the )?(?:people|everyone|everybody|they|public|twitter)"
# any plural: fans, experts, politicians (but "what did Mattis say" asks for one man's words)
_PEOPLE = rf"(?:{_CROWD}|(?:the )?(?:\w+ )?(?:people|[a-z]{{3,}}(?<!s)s))"
# these tell and do not feel: who asks for them asks what is known, not for opinions
_WRITINGS = r"(?:the )?(?:posts|tweets|reports|sources|news|papers|media)"
_SCHRIFTEN = r"(?:die )?(?:beitr\u00e4ge|posts|tweets|berichte|quellen|nachrichten|zeitungen|medien)"
_LEUTE = r"(?:die |denn )*(?:leute|menschen|nutzer|alle|man|b\u00fcrger|politiker|fans|experten|anwohner)"

# The first that matches wins; the match is cut from the question, so that only its topic is left.
_ENGLISH: tuple[tuple[re.Pattern[str], Intent], ...] = (
    (
        _any(
            r"^\W*(?:is|are|was|were)\s+(?:it|this|that)\s+(?:really\s+)?(?:true|real|right|correct"
            r"|fake|false)\b"
            r"(?:\s+that)?",
            r"\b(?:is|are) the (?:rumou?rs?|reports?|claims?)\b(?:\s+that|\s+about|\s+of)?",
            r"\b(?:fact[- ]?check|verify)\b:?",
            r"^\W*(?:is|are|was|were|did|does|do|has|have|had|can|could|may|will|would|should|must)\s+"
            r"(?:there\s+)?(?=\S+\s+\S+)",
            r"\b(?:true or false|really true)\b",
        ),
        "check",
    ),
    (
        _any(rf"\bwhat (?:do|does|did|are|is) {_WRITINGS}\s+(?:say|saying|tell)\b(?:\s+(?:about|of|on))?"),
        "topic",
    ),
    (
        _any(
            rf"\bwhat (?:do|are|(?:does|is|did)(?= {_CROWD}\b)|did(?=.*\babout\b)) {_PEOPLE}\s+(?:\w+ing|say"
            rf"|think|feel|write|want)\b(?:\s+(?:about|of|on|to))?",
            rf"\bhow (?:do|did|are) {_PEOPLE}\s+(?:feel(?:ing)?|react(?:ing)?"
            rf"|think(?:ing)?)\b(?:\s+(?:about|of|on|to))?",
            r"\b(?:opinions?|reactions?|views?|thoughts|mood|sentiment|complaints?)\s+(?:on|about|to|of"
            r"|towards?)\b",
        ),
        "opinion",
    ),
    (
        _any(
            r"^\W*what (?:do|does|did|has|have|is|are)\b(?=.*\b(?:say|said|saying|claim|demand|promise"
            r"|announce|write|written|post|posted|tweet|tweeted)\b)",
            r"^\W*what (?=[A-Z@]\S+ (?:said|says|wrote|posted)\b)",
        ),
        "said",
    ),
    (
        _any(
            r"\bwhat(?:'s|\u2019s|s| is| are| was| has been)?\s+(?:currently |now )?"
            r"(?:happening|happened|happens|going on|new|up|the (?:latest|news|situation"
            r"|status))\b(?!\s+(?:if|when)\b)(?:\s+(?:with|about|on|at))?",
            r"\bwhat(?:'s|\u2019s| is| was| do we| do you)? (?:currently |now )?(?:known|know)"
            r"\s+(?:about|of|on)\b",
            r"\bwhat (?:has |just )?happen(?:s|ed|ing)?\b(?!\s+(?:if|when)\b)(?:\s+(?:with|to))?",
            r"\b(?:any |the |latest |breaking )*(?:news|updates?|headlines|latest)\b(?:\s+(?:on|about"
            r"|from|of|in))?",
            r"\b(?:summari[sz]e|summary of|sum up|recap|tell me about|catch me up on|give me|show me)\b"
            r"(?:\s+(?:the )?(?:news|situation))?",
        ),
        "news",
    ),
    (_any(r"^\W*(?:what|how) about\b"), "topic"),
    (_any(r"^\W*(?:who|whom|whose|who's)\b"), "who"),
    (_any(r"^\W*(?:when|what time|since when)\b"), "when"),
    (
        _any(
            r"^\W*(?:from )?where\b",
            r"^\W*(?:in |on |at )?(?:which|what) (?:streets?|places?|cit(?:y|ies)|roads?|towns?)\b",
        ),
        "where",
    ),
    (_any(r"^\W*how (?:many|much|high|long|far|old|big)\b"), "number"),
    (_any(r"^\W*(?:why|how come)\b"), "why"),
    (_any(r"^\W*(?:what|which|how)\b"), "what"),
    # asked further on: "in which magazine did ...", "..., what else ...?", "... for whom?"
    (_any(r"\b(?:whom?|whose)\b(?=.*\?)"), "who"),
    (_any(r"^\W*(?:\w+\W+)?(?:what|which)\b|\b(?:what|which)\b(?=[^,]*\?)"), "what"),
)
_GERMAN: tuple[tuple[re.Pattern[str], Intent], ...] = (
    (
        _any(
            r"\b(?:stimmt (?:es|das)|ist (?:es|das) (?:wirklich\s+)?(?:wahr|richtig"
            r"|falsch))\b(?:\s*,?\s*dass)?",
            r"\bstimmt (?:die|der|das) (?:meldung|behauptung|ger\u00fccht)\b(?:\s*,?\s*(?:dass"
            r"|\u00fcber|von))?",
            r"^\W*(?:gab|gibt) es\s+(?=\S+)",
            r"^\W*(?:ist|sind|war|waren|hat|haben|wurde|wurden|wird|werden|darf|d\u00fcrfen|kann|k\u00f6nnen|muss"
            r"|m\u00fcssen|soll|sollen)\s+(?=\S+\s+\S+)",
            r"^\W*(?=(?:f\u00e4llt|fallen|f\u00e4hrt|fahren|kommt|kommen|\u00f6ffnet|\u00f6ffnen|schlie\u00dft|steigt|sinkt|h\u00e4lt)\s+\S+\s+\S+)",
        ),
        "check",
    ),
    (_any(rf"\bwas (?:sagen|schreiben|melden) {_SCHRIFTEN}\b(?:\s+(?:zu[rm]?|\u00fcber|von|vom))?"), "topic"),
    (
        _any(
            rf"\bwas (?:sagen|denken|meinen|halten|schreiben|sagt|denkt|meint|h\u00e4lt"
            rf"|fordern)\s+{_LEUTE}\b"
            r"(?:\s+(?:zu[rm]?|\u00fcber|von|vom))?",
            rf"\bwie (?:reagieren|reagiert|denken|denkt)\s+{_LEUTE}\b(?:\s+(?:auf|\u00fcber))?",
            r"\b(?:meinung(?:en)?|reaktion(?:en)?|stimmung)\s+(?:zu[rm]?|\u00fcber|auf)\b",
        ),
        "opinion",
    ),
    (
        _any(
            r"^\W*was (?:sagt|sagte|sagen|fordert|fordern|schreibt|meint|verspricht|k\u00fcndigt)\b",
            r"^\W*was (?:hat|haben)\b(?=.*\b(?:gesagt|gefordert|geschrieben|versprochen|angek\u00fcndigt)\b)",
        ),
        "said",
    ),
    (
        _any(
            r"^\W*was (?:ist|wei\u00df man)\b(?=.*\bbekannt\W*$|\s+\u00fcber\b)(?:\s+\u00fcber)?",
            r"\bwas (?:passiert|passierte|geschieht|geschah)\b(?:\s+(?:gerade|da|dort|denn))?",
            r"\bwas ist(?:\s+(?:denn|gerade|da|hier))*\s+(?:los|passiert|geschehen|neu)\b",
            # the topic may stand in between: "was ist in Berlin passiert"
            r"^\W*was (?:ist|war)\b(?=.*\b(?:los|passiert|geschehen)\b)",
            r"^\W*was (?:ist|war)\b(?=\W*$)",
            r"\bwas gibt(?:'s|s| es)(?:\s+(?:an|denn|heute))*\s*(?:neues"
            r"|neuigkeiten)?\b(?:\s+(?:zu[rm]?|\u00fcber|von|aus))?",
            r"\b(?:aktuelle |neueste |die )*(?:nachrichten|neuigkeiten|lage|neuestes|neues)\b"
            r"(?:\s+(?:zu[rm]?|\u00fcber|von|aus|in))?",
        ),
        "news",
    ),
    (_any(r"^\W*was ist mit\b"), "topic"),
    (_any(r"^\W*(?:wer|wen|wem|wessen)\b"), "who"),
    (_any(r"^\W*(?:wann|um wie ?viel uhr|seit wann|ab wann)\b"), "when"),
    (
        _any(
            r"^\W*(?:wo|woher|wohin)\b",
            r"^\W*(?:in )?welche[nrs]? (?:stra\u00dfen?|orte?n?"
            r"|st\u00e4dten?)\b",
        ),
        "where",
    ),
    (_any(r"^\W*wie ?(?:viele?|hoch|lange|weit|gro\u00df|stark)\b"), "number"),
    (_any(r"^\W*(?:warum|wieso|weshalb|weswegen)\b"), "why"),
    (_any(r"^\W*(?:was|welche[rsnm]?|wie)\b"), "what"),
)
INTENTS = {"en": _ENGLISH, "de": _GERMAN}

# Words that open or dress a question and are no topic; folded.
OPENERS = {
    "en": frozenset(
        """what who when where why how is please tell know show find search anything something everything
    else really true right now currently happening happened going latest news hello hi hey thanks
    thank""".split()
    ),
    "de": frozenset(
        """was wer wann wo warum wie bitte sag zeig zeige such suche weiss weisst wissen eigentlich gerade
        aktuell bekannt
        passiert geschehen geschah passierte los neues gibt gibts stimmt wirklich hallo danke denn leute
        menschen""".split()
    ),
}

# Words of a question that many posts hold and that say little of its topic; folded.
COMMON = frozenset(
    """start starts started begin begins began end ends ended open opens opened close closes happen happens
    take takes taken place see sees saw seen get gets got make made come comes came go goes went find found
    know known say says said sieht sah gesehen
    many much people time times reason new first last next big use used need needs work works cost costs
    beginnt begann startet endet endete offnet schliesst gibt kommt kam geht ging findet statt leute menschen
    stand stands steht stehen sits hoch high zeit neu neue neuer neues erste letzte grosse
    braucht kostet macht needed tell tells told allowed
    morning afternoon evening night tonight today tomorrow morgen abend nachmittag heute""".split()
)

# They lend force to a question and no topic, wherever they stand; folded.
FILLERS = frozenset(
    "really actually currently right now still already again wirklich tatsachlich eigentlich".split()
)

# Verbs that show that a topic is half a sentence ("buses are running"), of which nobody can write; folded.
FINITE = frozenset(
    """is are was were am be been being has have had do does did will would can could shall should must
    may might
    say says said sing run running wrote write written spread broke broken
    ist sind war waren bin hat haben hatte wird werden wurde wurden kann konnen konnte muss mussen soll sollen
    sagt sagte sagen fordert fordern geht gab gibt fallt darf mitbringen""".split()
)

# What is measured goes by several names: who asks how high the water stands wants the gauge.
MEASURED = {
    name: tuple(names.split())
    for names in (
        "water river level gauge wasser wasserstand pegel fluss",
        "temperature degrees temperatur grad",
        "wind gusts gust windgeschwindigkeit boen",
        "rain rained rainfall regen geregnet regnet regenmenge niederschlag",
    )
    for name in names.split()
}

GREETINGS = frozenset(
    """hello,hi,hey,hello there,good morning,good evening,thanks,thank you,ok,test,help,hallo,moin,servus,\
guten tag,guten morgen,guten abend,danke,hilfe,gruss gott""".split(",")
)
