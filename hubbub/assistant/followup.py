"""Complete a question by what was asked before it ("and in Cairo?"), and part one that asks two things."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hubbub.assistant.intents import COMMON, FINITE, GREETINGS
from hubbub.assistant.question import MAX_QUESTION_CHARS, Question, understand
from hubbub.assistant.wordforms import fold, words

MAX_EARLIER = 8
"""Questions of a thread that are read; what was asked before them is another matter."""

_LINK = re.compile(
    r"^\W*(?:(?:and|und|but|aber|also|auch|ok(?:ay)?|then|dann)\b[\s,:]*)+"
    r"(?:(?:what |how )?about\b\s*|was ist mit\b\s*|wie (?:ist|sieht) es\b\s*)?"
    r"|^\W*(?:what|how) about\b\s*",
    re.IGNORECASE,
)
_PREPOSITIONS = "in|at|near|on|from|for|with|about|of|over|im|an|am|bei|beim|auf|aus|von|vom|mit|zu|zum|zur"
_PLACE = re.compile(rf"^(?:{_PREPOSITIONS})\s+\S", re.IGNORECASE)
_POINTING = frozenset(
    "there they them their theirs he him his she her hers those these "
    "dort dorthin ihn ihm ihnen deren dessen".split()
)
"""Words that stand for something said before, also where the question has a topic of its own."""
_ECHO = re.compile(
    r"\b(?:says?|said|claims?|sagt|behauptet|meint)\s+(?:so|that|this|it|das|dies)\W*$", re.IGNORECASE
)
_ARTICLE = re.compile(r"^(?:the|die|der|das|den|dem)\s", re.IGNORECASE)


_MAX_PARTS = 3
_NEXT = re.compile(
    r"(?<=\?)\s+(?=\w)|,?\s+(?:and|und)\s+(?=(?:who|what|when|where|why|how|which|wer|was|wann|wo|warum|wie|welche\w*)\b"
    r"|(?:is|are|was|were|did|does|has|have)\s+(?:the|there|my|our)\b|(?:ist|sind|hat|gibt)\s+(?:der|die|das|es)\b)",
    re.IGNORECASE,
)
_ONE_CLAIM = re.compile(r"^\W*(?:is it (?:really )?true|stimmt es|ist es wahr)\b", re.IGNORECASE)


def part(question: str) -> list[str]:
    """Return the questions that one text asks, each so that it stands alone; mostly just one."""
    pieces = [] if _ONE_CLAIM.search(question) and question.count("?") < 2 else _NEXT.split(question)
    if not 1 < len(pieces) <= _MAX_PARTS or any(understand(piece, 0).intent == "topic" for piece in pieces):
        return [question]
    alone = [f"{resolve(piece, pieces[:place]).rstrip(' ?')}?" for place, piece in enumerate(pieces)]
    return alone if all(understand(piece, 0).intent != "unsearchable" for piece in alone) else [question]


def resolve(question: str, earlier: Sequence[str]) -> str:
    """Return the question so that it stands alone; unchanged if it does, or if nothing before it helps."""
    base: Question | None = None
    for asked in (*earlier[-MAX_EARLIER:], question):
        question = asked
        if len(asked) > MAX_QUESTION_CHARS:
            continue
        text = _complete(asked, base) if base else asked
        if len(text) > MAX_QUESTION_CHARS:
            continue
        read = understand(text, 0)
        question = text
        if read.intent != "unsearchable" and read.topic:
            base = read
    return question


def _complete(text: str, base: Question) -> str:
    own = understand(text, 0)
    link = _LINK.match(own.text)
    rest = own.text[link.end() :].strip(" ?!.") if link else ""
    if rest:
        return _changed(rest, base)
    is_pointing = _POINTING & set(words(own.text)) or _ECHO.search(own.text)
    if (own.topic and not is_pointing) or own.intent == "news" or fold(own.text.strip(" ?!.")) in GREETINGS:
        return text
    window = f" {base.window}" if base.window and not own.window else ""
    matter = base.topic.split()
    while len(matter) > 1 and fold(matter[0]) in COMMON | FINITE:
        matter.pop(0)
    return f"{own.text.rstrip(' ?!.')} {' '.join(matter)}{window}?"


def _changed(rest: str, base: Question) -> str:
    """Ask the earlier question once more, with one part of it changed."""
    asked = base.text.rstrip(" ?!.")
    own = understand(rest, 0, lang=base.lang)
    if own.window and not own.topic:
        return f"{asked.replace(base.window, '').strip() if base.window else asked} {rest}?"
    name = _name(base)
    if own.intent not in ("topic", "news") or len(own.terms) > 4:
        # "and who has closed the bridge?" asks for itself, but perhaps of the same place
        where = re.search(rf"\b(?:{_PREPOSITIONS})\s+(?:\w+\s+)?{re.escape(name)}", asked) if name else None
        return f"{rest} {where[0]}?" if where and not own.names else f"{rest}?"
    if base.intent not in ("news", "topic", "opinion"):
        return _of_another(rest, asked, base, name)
    slot = name or base.topic
    spot = re.search(rf"(?:\b(?:{_PREPOSITIONS})\s+)?(?:the\s+)?{re.escape(slot)}", asked, re.IGNORECASE)
    if not spot:
        return f"{rest} {base.topic}?"
    if _name(base) and not _PLACE.match(rest) and (_ARTICLE.match(rest) or not own.names):
        return f"{rest} {spot[0]}?"  # another matter at the same place
    new = rest if _PLACE.match(rest) else spot[0].replace(slot, own.topic)
    return f"{asked[: spot.start()]}{new}{asked[spot.end() :]}?"


def _of_another(rest: str, asked: str, base: Question, name: str) -> str:
    """Ask for the same fact of another place or thing: "Is the ferry closed?"."""
    article = _ARTICLE.match(rest)
    place = re.search(
        rf"\b(?:{_PREPOSITIONS})\s+(?:(?:the|der|dem)\s+)?[^\W\d_a-z]\S*(?:\s+[^\W\d_a-z]\S*)*$", asked
    )
    if _PLACE.match(rest):
        return f"{asked[: place.start()] if place else asked + ' '}{rest}?"
    words = base.topic.split()
    verbs = [spot for spot, word in enumerate(words) if spot and fold(word) in FINITE]
    if base.intent == "check" and len(words) > 1:
        words = words[: verbs[0]] if verbs else words[:-1]
    names = re.findall(r"[^\W\d_a-z]\S*(?: [^\W\d_a-z]\S*)*", base.topic) if base.lang == "en" else []
    if base.intent != "check" or len(words) == len(base.topic.split()):
        name = name or (names[-1] if names else "")
    like = f"{article[0] if article else ''}[^\\W\\d_a-z]\\S*" if base.lang == "de" else ""
    alike = list(re.finditer(rf"\b{like}", asked[1:])) if like else []
    slot = alike[-1][0] if alike else name or " ".join(words)
    if not alike and not name and len(words) > 3:
        return f"{rest}?"
    return re.sub(rf"(?:\bthe\s+)?{re.escape(slot)}", lambda match: rest, asked) + "?"


def _name(base: Question) -> str:
    """Return the run of names that ends the topic, as typed; empty if it ends in another word."""
    kept: list[str] = []
    for word in reversed(base.topic.split()):
        if fold(word) not in base.names:
            break
        kept.insert(0, word)
    return " ".join(kept)
