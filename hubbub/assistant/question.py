"""What a question asks: language, intent, time, topic words; it knows neither index nor system clock."""

from __future__ import annotations

import re
from datetime import UTC, tzinfo
from typing import Literal

import msgspec

from hubbub.assistant.display import inert
from hubbub.assistant.intents import COMMON, GREETINGS, INTENTS, OPENERS, Intent
from hubbub.assistant.stopwords import ENGLISH, GERMAN, STOPWORDS
from hubbub.assistant.timewords import find_window
from hubbub.assistant.wordforms import content_words, fold, words
from hubbub.errors import InvalidQuery

MAX_QUESTION_CHARS = 2_000
"""More than any person types; beyond it somebody pasted a document."""
_MAX_TERMS = 24
_MAX_PARTS = 3
_NAME, _GENERIC = 1.6, 0.5

Lang = Literal["en", "de"]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A question, understood."""

    text: str
    """As it was asked, made inert."""
    lang: str
    """`en` or `de`: the language to answer in."""
    intent: Intent
    clock_us: int
    topic: str = ""
    """The words that say what it is about, as typed; empty asks about everything."""
    terms: tuple[tuple[str, ...], ...] = ()
    """The topic's words in order, each as the stems that count for it (a hashtag: itself and its parts)."""
    weights: tuple[float, ...] = ()
    """Of `terms`: names stand for the topic most, words as `start` or `people` least; empty = alike."""
    names: tuple[str, ...] = ()
    """Capitalised words of the topic, folded: places, people, organisations."""
    hashtags: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    """Tags that stand for the topic as well; `retrieve` finds them."""
    parts: tuple[str, ...] = ()
    """The topics of a question that joins several by `and`; empty where there is one."""
    part_terms: tuple[tuple[tuple[str, ...], ...], ...] = ()
    """`terms` of each part."""
    from_us: int | None = None
    to_us: int | None = None
    window: str = ""
    """The time words as typed; empty where the question named no time."""
    core: str = ""
    """The topic without such words as `start` or `people`; equal to the topic where it has none."""
    subject: str = ""
    """The topic as a sentence can speak of it: with its English article."""


def understand(text: str, clock_us: int, *, zone: tzinfo = UTC, lang: str | None = None) -> Question:
    """Read a question; relative times count from the clock, days begin in `zone`.

    Raises:
        InvalidQuery: the question is longer than 2,000 characters, the clock is no integer, or the
            language is not one we write.
    """
    if len(text) > MAX_QUESTION_CHARS:
        raise InvalidQuery(
            f"the question has {len(text):,} characters ({text[:40]!r}...), "
            f"at most {MAX_QUESTION_CHARS:,} are read; ask a shorter one"
        )
    if not isinstance(clock_us, int):
        raise InvalidQuery(f"the clock {clock_us!r} is no time; give whole microseconds since 1970")
    if lang not in (None, "en", "de"):
        raise InvalidQuery(
            f"answers are written in 'en' or 'de', not in {lang!r}; leave it out to follow the question"
        )
    clean = " ".join(inert(text).split())
    window = find_window(clean, clock_us, zone)
    spoken = lang or _lang(clean)
    intent, rest = _intent(window.rest, _lang(clean))
    topic = _topic(rest)
    terms = _forms(topic, spoken)[:_MAX_TERMS]
    parts = _parts(topic, spoken)
    if not terms and (intent != "news" or not words(clean)):
        intent = "unsearchable"
    return Question(
        text=clean,
        lang=spoken,
        intent=intent,
        clock_us=clock_us,
        topic=topic,
        terms=terms,
        weights=_weights(topic, spoken)[:_MAX_TERMS],
        names=_names(topic),
        hashtags=tuple(dict.fromkeys(re.findall(r"#(\w+)", topic))),
        parts=parts,
        core=" ".join(word for word in topic.split() if fold(word) not in COMMON) or topic,
        part_terms=tuple(_forms(part, spoken) for part in parts),
        from_us=window.from_us,
        to_us=window.to_us,
        window=window.words,
        subject=_subject(rest, topic) if spoken == "en" else topic,
    )


def _intent(text: str, lang: Lang) -> tuple[Intent, str]:
    """Name what is wanted, and cut the words that said so."""
    if fold(re.sub(r"[^\w\s]", "", text)).strip() in GREETINGS:
        return "unsearchable", ""
    for pattern, intent in INTENTS[lang]:
        match = pattern.search(text)
        if match:
            return intent, f"{text[: match.start()]} {text[match.end() :]}"
    return "topic", text


def _lang(text: str) -> Lang:
    """Vote by function words; German wins ties where it has letters of its own."""
    found = words(text)
    german = sum(word in GERMAN for word in found) + sum(word in OPENERS["de"] for word in found)
    english = sum(word in ENGLISH for word in found) + sum(word in OPENERS["en"] for word in found)
    if german == english and re.search("[\u00e4\u00f6\u00fc\u00df]", text.lower()):
        return "de"
    return "de" if german > english else "en"


def _topic(text: str) -> str:
    """Cut function words and marks at both ends; what stands between stays as it was typed."""
    tokens = [token for token in re.findall(r"#?[\w'\u2019][\w'\u2019.:/@-]*|@\w\S*", text)]
    kept = [token.rstrip(".:'\u2019-") for token in tokens]
    while kept and _is_empty(kept[0]):
        kept.pop(0)
    while kept and _is_empty(kept[-1]):
        kept.pop()
    return " ".join(kept)


def _subject(text: str, topic: str) -> str:
    match = (
        re.search(r"\b(?:the|our|their|his|her)\s+" + re.escape(topic), text, re.IGNORECASE)
        if topic
        else None
    )
    return match[0] if match else topic


def _forms(topic: str, lang: str) -> tuple[tuple[str, ...], ...]:
    """Return the stems that count for each word of a topic."""
    return tuple(dict.fromkeys(forms for forms in (_stems(word, lang) for word in topic.split()) if forms))


def _stems(word: str, lang: str) -> tuple[str, ...]:
    """Return the stems that count for a word; of a hashtag it is the whole one, not any of its parts."""
    found = tuple(dict.fromkeys(content_words(word, lang)))
    return found[:1] if word.startswith("#") else found


def _weights(topic: str, lang: str) -> tuple[float, ...]:
    """Return the weight of each of `_forms(topic)`."""
    names = set(_names(topic))
    weights: dict[tuple[str, ...], float] = {}
    for word in topic.split():
        forms = _stems(word, lang)
        if forms:
            # German capitalises every noun
            is_name = lang == "en" and fold(word) in names
            weights.setdefault(forms, _NAME if is_name else _GENERIC if fold(word) in COMMON else 1.0)
    return tuple(weights.values())


def _is_empty(token: str) -> bool:
    word = fold(token)
    return (word in STOPWORDS or word in OPENERS["en"] or word in OPENERS["de"]) and not (
        token.isupper() and len(token) > 1
    )


def _names(topic: str) -> tuple[str, ...]:
    found = re.findall(r"(?<![#\w])[^\W\d_a-z][\w'\u2019-]+", topic)
    return tuple(
        dict.fromkeys(fold(name) for name in found if name[0].isupper() and fold(name) not in STOPWORDS)
    )


def _parts(topic: str, lang: str) -> tuple[str, ...]:
    pieces = [
        _topic(piece)
        for piece in re.split(r"\s+(?:and|or|und|oder|sowie|vs|versus)\s+", topic, flags=re.IGNORECASE)
    ]
    pieces = [piece for piece in pieces if content_words(piece, lang)]
    return tuple(pieces[:_MAX_PARTS]) if len(pieces) > 1 else ()
