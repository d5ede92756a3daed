"""How a quote stands to what a question puts forward: it says so, denies it, or only comes near."""

from __future__ import annotations

import re

from hubbub.assistant.evidence import Evidence
from hubbub.assistant.naming import Topic, frame, spoken, stems
from hubbub.assistant.polarity import is_negative, is_unhurt
from hubbub.assistant.question import Question
from hubbub.assistant.wordforms import content_words
from hubbub.assistant.wording import Stance

_SAYS_IT = 0.85
"""Share of the question's words that a quote must hold, names of places and people perhaps around it."""

# What stands in these scopes is not said to be so: averted, feared, supposed, hearsay.
_NOT_ASSERTED = re.compile(
    r"\b(?:protect|prevent|guard|secur|sav|keep|stop|shield|avoid|avert|rescu|sch\u00fctz|verhinder|bewahr|rett)\w*\b"
    r"[^.;:!?]*?\b(?:from|against|being|vor|gegen|dass)\b[^.;:!?]*"
    r"|\b(?:if|unless|whether|in case|lest|might|may|could|would|should|fears?|feared|risk of|threat\w*"
    r"|warn\w*"
    r"|wenn|falls|ob|k\u00f6nnten?|sollten?|w\u00fcrden?|droht|drohen|gefahr|angst)\b[^.;:!?]*"
    r"|\b(?:people|they|everyone|some|rumou?rs?|leute|ger\u00fccht\w*)\s+(?:\w+\s+){0,2}?"
    r"(?:say|saying|says|claim\w*|that|behaupt\w*|sagen|dass)\b[^.;:!?]*",
    re.IGNORECASE,
)
# States that English names by a particle, which is no content word: what else says the same.
_STATES = {
    "down": r"down|cuts?|cutting|shut\w*|off|offline|out|outages?|block\w*|disrupt\w*|fail\w*|lost",
    "out": r"out|outages?|cuts?|off|down|fail\w*|lost",
    "off": r"off|cuts?|out|cancel\w*|down",
    "up": r"up|on|back|running|restored|works?|working|rising|rises|rose",
    "on": r"on|back|running|restored|goes ahead",
    "over": r"over|ends?|ended|finished|lifted|past",
}
_IS_BACK = re.compile(r"\b(?:back|restored|running again|works again|working again)\b", re.IGNORECASE)
_OPPOSITES = {"down": _IS_BACK, "out": _IS_BACK, "off": _IS_BACK}
_ALL = re.compile(
    r"\b(?:all|every\w*|whole|entire|entirely|completely|total|totally|alle[nrs]?|ganze?[nrms]?|komplett|v\u00f6llig"
    r"|s\u00e4mtliche)\b",
    re.IGNORECASE,
)
_STATE = re.compile(
    r"\b(down|out|off|up|on|over)\b(?=\W*$|\s+(?:in|at|on|near|for|again|now)\b)", re.IGNORECASE
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
        names = _name_stems(question)
        self._names = {place for place, forms in enumerate(question.terms) if names.intersection(forms)}

    def stance(self, evidence: Evidence) -> Stance:
        """Tell how a quote stands to the claim: near unless it asserts, or denies, every word of it itself.

        Only a name may stand around the quote: in its post, its tags, its author's name.
        """
        lang, post = self._question.lang, evidence.post
        around = self._topic.named(stems(post, lang)) if self._names else {}
        if not self._holds_all(evidence.terms | evidence.denied | frame(post, lang), around):
            return "near"
        asserted = _NOT_ASSERTED.sub(" ", evidence.quote)
        said = frozenset(content_words(asserted, lang, spoken(post)))
        if not self._topic.named(said) or not self._holds_all(
            said | evidence.denied | frame(post, lang), around
        ):
            return "near"
        if self._state and not self._state.search(asserted):
            return "denies" if self._opposite and self._opposite.search(asserted) else "near"
        if self._is_of_all and not _ALL.search(asserted):
            return "near"
        is_denied = any(self._topic.named([stem]) for stem in evidence.denied)
        is_same_praise = is_unhurt(self._question.topic) and is_unhurt(asserted)
        if evidence.is_denial and not is_denied and not is_same_praise:
            return "near"  # "FALSE: the dam has broken": whose words are these?
        return "says" if is_denied == self._is_negative else "denies"

    def _holds_all(self, terms: frozenset[str], around: dict[int, float]) -> bool:
        sure = self._topic.named(terms) | {place: around[place] for place in self._names if place in around}
        return (
            min((sure.get(place, 0.0) for place in range(len(self._question.terms))), default=0.0) >= _SAYS_IT
        )


def _name_stems(question: Question) -> set[str]:
    if question.lang == "de":
        return set()  # every noun has a capital there
    return {stem for name in question.names for stem in content_words(name, question.lang)}
