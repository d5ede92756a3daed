"""How a quote stands to what a question puts forward: it says so, denies it, or only comes near."""

from __future__ import annotations

import re

from hubbub.assistant.evidence import Evidence
from hubbub.assistant.naming import Topic, frame, spoken, stems
from hubbub.assistant.polarity import is_negative, is_unhurt
from hubbub.assistant.question import Question
from hubbub.assistant.timenames import DAYS
from hubbub.assistant.wordforms import content_words
from hubbub.assistant.wording import Stance

_SAYS_IT = 0.85
"""Share of the question's words that a quote must hold, names of places and people perhaps around it."""

# What stands in these scopes is not said to be so: averted, feared, supposed, hearsay.
_NOT_ASSERTED = re.compile(
    r"\b(?:protect|prevent|guard|secur|sav|keep|stop|shield|avoid|avert|rescu|sch\u00fctz|verhinder|bewahr|rett)\w*\b"
    r"[^.;:!?]*?\b(?:from|against|being|vor|gegen|dass)\b[^.;:!?]*"
    r"|\b(?:if|unless|whether|as long as|in case|lest|might|may|could|would|should|fears?|feared|risk of"
    r"|threat\w*|warn\w*"
    r"|wenn|falls|ob|solange|sobald|k\u00f6nnten?|sollten?|w\u00fcrden?|droht|drohen|gefahr|angst)\b[^.;:!?]*"
    r"|\b(?:people|they|everyone|some|rumou?rs?|leute|ger\u00fccht\w*)\s+(?:\w+\s+){0,2}?"
    r"(?:say|saying|says|claim\w*|that|behaupt\w*|sagen|dass)\b[^.;:!?]*",
    re.IGNORECASE,
)
# States that a particle names, which is no content word: what else says the same.
_STATES = {
    "down": r"down|cuts?|cutting|shut\w*|off|offline|out|outages?|block\w*|disrupt\w*|fail\w*|lost",
    "out": r"out|outages?|cuts?|off|down|fail\w*|lost",
    "off": r"off|cuts?|out|cancel\w*|down",
    "up": r"up|on|back|running|restored|works?|working|rising|rises|rose",
    "on": r"on|back|running|restored|goes ahead",
    "over": r"over|ends?|ended|finished|lifted|past",
    "da": r"da|zur\u00fcck|wieder|versorgt",
    "weg": r"weg|aus|dunkel|\w*ausfall\w*|ausgefallen|unterbrochen",
}
_STATES["aus"] = _STATES["weg"]
_IS_BACK = re.compile(
    r"\b(?:back|restored|running again|works again|working again|zur\u00fcck|wieder|versorgt)\b",
    re.IGNORECASE,
)
_IS_GONE = re.compile(
    r"\b(?:out|off|down|cut|outages?|weg|\w*ausfall|ausgefallen|unterbrochen)\b", re.IGNORECASE
)
_OPPOSITES = dict.fromkeys(("down", "out", "off", "weg", "aus"), _IS_BACK)
_OPPOSITES["da"] = _IS_GONE
_OPEN = r"\b(?:(?:re)?open(?:s|ed|ing)?|offen|ge\u00f6ffnet|\u00f6ffne[nt])\b"
_SHUT = r"\b(?:closed?|closes|shut|geschlossen|gesperrt|schlie\u00dfen|schlie\u00dft)\b"
_BACK = r"\b(?:back|zur\u00fcck)\b"
_PAIRS = tuple(
    (re.compile(one, re.IGNORECASE), re.compile(other, re.IGNORECASE))
    for one, other in ((_OPEN, _SHUT), (_SHUT, _OPEN), (_BACK, _IS_GONE.pattern))
)
_ASKS_IF_ANY = re.compile(r"^\W*(?:(?:is|are) there|gibt es|ist (?:am|heute|morgen))\b", re.IGNORECASE)
_IS_OFF = re.compile(
    rf"{_SHUT}|\b(?:cancell?ed|entf\u00e4llt|entfallen|abgesagt|f\u00e4llt\b.*\baus)\b", re.IGNORECASE
)
_NAMED_ONE = re.compile(r"\b(?!The|Our|A)[A-Z][\w'\u2019-]*\s+[A-Z][a-z]")
_ALL = re.compile(
    r"\b(?:all|every\w*|whole|entire|entirely|completely|total|totally|alle[nrs]?|ganze?[nrms]?|komplett|v\u00f6llig"
    r"|s\u00e4mtliche)\b",
    re.IGNORECASE,
)
_STATE = re.compile(
    r"\b(down|out|off|up|on|over|da|weg|aus)\b(?=\W*$|\s+(?:in|at|on|near|for|again|now|im)\b)",
    re.IGNORECASE,
)


class Claim:
    """What a question for a check puts forward; built once an answer."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._topic = Topic(question)
        self._is_negative = is_negative(question.topic)
        state = _STATE.search(question.text.rstrip("?! "))
        self._state = re.compile(rf"\b(?:{_STATES[state[1].lower()]})\b", re.IGNORECASE) if state else None
        self._opposite = _OPPOSITES.get(state[1].lower()) if state else None
        self._is_of_all = _ALL.search(question.text) is not None
        self._turns = next((pair for pair in _PAIRS if pair[0].search(question.text)), None)
        self._is_german = question.lang == "de"
        self._asks_if_any = _ASKS_IF_ANY.search(question.text) is not None
        names = _name_stems(question)
        self._names = {place for place, forms in enumerate(question.terms) if names.intersection(forms)}

    def stance(self, evidence: Evidence) -> Stance:
        """Tell how a quote stands to the claim: near unless it asserts, or denies, every word of it itself.

        Who asks does neither. Only a name may stand around it: in its post, its tags, its author's name.
        """
        lang, post = self._question.lang, evidence.post
        if evidence.quote.rstrip("\"'\u201d\u201c)").endswith("?"):
            return "near"
        around = self._topic.named(stems(post, lang)) if self._names else {}
        turned = frozenset() if self._is_of_another(evidence) else self._turned(evidence.quote)
        denied, around = evidence.denied | turned, {} if turned else around
        if not self._holds_all(evidence.terms | denied | frame(post, lang), around):
            return "near"
        asserted = _NOT_ASSERTED.sub(" ", evidence.quote)
        said = frozenset(content_words(asserted, lang, spoken(post)))
        if not self._topic.named(said) or not self._holds_all(said | denied | frame(post, lang), around):
            return "near"
        if self._state and not self._state.search(asserted):
            return "denies" if self._opposite and self._opposite.search(asserted) else "near"
        if self._is_of_all and not _ALL.search(asserted):
            return "near"
        if self._asks_if_any and not self._turns and _IS_OFF.search(asserted):
            return "denies"
        is_denied = any(self._topic.named([stem]) for stem in denied)
        is_same_praise = is_unhurt(self._question.topic) and is_unhurt(asserted)
        if evidence.is_denial and not is_denied and not is_same_praise:
            return "near"  # "FALSE: the dam has broken": whose words are these?
        return "says" if is_denied == self._is_negative else "denies"

    def _is_of_another(self, evidence: Evidence) -> bool:
        """Tell whether a quote names one of several: that Stone Bridge is open closes or opens no other."""
        sure = self._topic.named(evidence.terms).values()
        return min(sure, default=0.0) < 1.0 or not (
            self._names or self._is_german or not _NAMED_ONE.search(evidence.quote)
        )

    def _turned(self, quote: str) -> frozenset[str]:
        """Return the stems of "open" where a quote says closed, and the reverse: it denies them."""
        if not self._turns or not self._turns[1].search(quote) or self._turns[0].search(quote):
            return frozenset()
        said = " ".join(self._turns[0].findall(self._question.topic))
        return frozenset(content_words(said, self._question.lang))

    def _holds_all(self, terms: frozenset[str], around: dict[int, float]) -> bool:
        sure = self._topic.named(terms) | {place: around[place] for place in self._names if place in around}
        return (
            min((sure.get(place, 0.0) for place in range(len(self._question.terms))), default=0.0) >= _SAYS_IT
        )


def _name_stems(question: Question) -> set[str]:
    if question.lang == "de":
        return set()  # every noun has a capital there
    return {
        stem for name in question.names if name not in DAYS for stem in content_words(name, question.lang)
    }
