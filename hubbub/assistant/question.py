"""What a question asks: language, intent, time, topic words; it knows neither index nor system clock."""

from __future__ import annotations

import re
from datetime import UTC, tzinfo
from typing import Literal

import msgspec

from hubbub.assistant.display import inert
from hubbub.assistant.emoji import spell_out
from hubbub.assistant.exonyms import other_name
from hubbub.assistant.intents import COMMON, FILLERS, FINITE, GREETINGS, INTENTS, MEASURED, OPENERS, Intent
from hubbub.assistant.stopwords import ENGLISH, GERMAN, STOPWORDS
from hubbub.assistant.timenames import DAYS
from hubbub.assistant.timewords import find_window
from hubbub.assistant.wordforms import content_words, fold, words
from hubbub.errors import InvalidQuery

MAX_QUESTION_CHARS = 2_000
"""More than any person types; beyond it somebody pasted a document."""
_MAX_TERMS = 24
_MAX_PARTS = 3
_NAME, _GENERIC = 1.6, 0.5

Lang = Literal["en", "de"]
_BOTH = (ENGLISH & GERMAN) | {"die", "war", "man", "hat", "den", "bin"}
"""Words of both languages, which tell nothing about either."""
# letters of its own, an article before a noun, or an opening that English does not know
_GERMAN_LOOK = re.compile(
    "(?i:[\u00e4\u00f6\u00fc\u00df]|^\\W*was (?:war|hat)\\b)|\\b(?:[Dd]ie|[Dd]en) [A-Z]"
)


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
    wanted: str = ""
    """What to search for: the topic without words as `start` or `people`, with its words' other names."""
    is_for_one: bool = False
    """One post can answer it, and what was found is enough to tell which stands out; `retrieve` sets it."""
    subject: str = ""
    """The topic as a sentence can speak of it, with its English article; empty where it cannot."""


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
    clean = " ".join(spell_out(clean, _lang(clean)).split())
    window = find_window(clean, clock_us, zone)
    heard = _lang(clean)
    spoken = lang or heard
    intent, rest = _intent(window.rest, heard)
    topic = _topic(rest, heard)
    others = _other_names(topic, spoken, intent)
    terms = _forms(topic, spoken, others)
    if (not terms and window.words) or (intent == "topic" and re.fullmatch(r"#\w+", topic)):
        intent = "news"
    is_of_nothing = intent in ("check", "when", "where") and set(terms.values()) == {_GENERIC}
    if is_of_nothing or (not terms and (intent != "news" or not words(clean))):
        intent = "unsearchable"
    parts = _parts(topic, spoken)
    return Question(
        text=clean,
        lang=spoken,
        intent=intent,
        clock_us=clock_us,
        topic=topic,
        terms=tuple(terms)[:_MAX_TERMS],
        weights=tuple(terms.values())[:_MAX_TERMS],
        names=_names(topic),
        hashtags=tuple(dict.fromkeys(re.findall(r"#(\w+)", topic))),
        parts=parts,
        wanted=_wanted(topic, intent, others),
        part_terms=tuple(tuple(_forms(part, spoken, others)) for part in parts),
        from_us=window.from_us,
        to_us=window.to_us,
        window=window.words,
        subject=_subject(rest, topic, spoken),
    )


def of_search(question: Question, text: str) -> Question:
    """Return what a search for `text` asks: its words name no time, its finds are not only of today."""
    is_topic = question.intent in ("news", "unsearchable")
    return msgspec.structs.replace(
        question,
        intent="topic" if is_topic else question.intent,
        wanted=text,
        window="",
        from_us=None,
        to_us=None,
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
    """Vote by function words that only one language has; German wins ties where it has letters of its own."""
    found = words(text)
    german = sum((word in GERMAN or word in OPENERS["de"]) and word not in _BOTH for word in found)
    english = sum((word in ENGLISH or word in OPENERS["en"]) and word not in _BOTH for word in found)
    if german == english:
        return "de" if _GERMAN_LOOK.search(text) else "en"
    return "de" if german > english else "en"


def _topic(text: str, lang: Lang) -> str:
    """Cut function words and marks at both ends; what stands between stays as it was typed."""
    tokens = [token for token in re.findall(r"#?[\w'\u2019][\w'\u2019.:/@-]*|@\w\S*", text)]
    kept = [token.rstrip(".:'\u2019-") for token in tokens]
    while kept and _is_empty(kept[0], lang):
        kept.pop(0)
    while kept and _is_empty(kept[-1], lang):
        kept.pop()
    return " ".join(kept)


def _subject(text: str, topic: str, lang: str) -> str:
    """Return the topic as "wrote about ..." can go on; empty where it holds a verb and would not read."""
    if not topic or any(fold(word) in FINITE for word in topic.split()):
        return ""
    article = r"\b(?:the|our|their|his|her)\s+"
    match = re.search(article + re.escape(topic), text, re.IGNORECASE) if lang == "en" else None
    return match[0] if match else topic


def _forms(topic: str, lang: str, others: dict[str, tuple[str, ...]]) -> dict[tuple[str, ...], float]:
    """Return for each word of a topic the stems that count for it, and its weight."""
    names = set(_names(topic))
    found: dict[tuple[str, ...], float] = {}
    for word in topic.split():
        forms = _stems(word, lang)
        if fold(word) in FILLERS and word.islower():
            continue
        forms += tuple(stem for other in others.get(word, ()) for stem in _stems(other, lang))
        if not forms:
            continue
        plain = fold(word)
        # German capitalises every noun
        is_name = lang == "en" and plain in names
        weight = _GENERIC if plain in COMMON or plain in DAYS else _NAME if is_name else 1.0
        found.setdefault(tuple(dict.fromkeys(forms)), weight)
    return found


def _stems(word: str, lang: str) -> tuple[str, ...]:
    """Return the stems that count for a word; of a hashtag it is the whole one, not any of its parts."""
    found = tuple(dict.fromkeys(content_words(word, lang)))
    return found[:1] if word.startswith("#") else found


def _other_names(topic: str, lang: str, intent: Intent) -> dict[str, tuple[str, ...]]:
    """Return other words for words of a topic: a country's other name, what else a measure is called."""
    found: dict[str, tuple[str, ...]] = {}
    for word in topic.split():
        country = other_name(word, lang) if word[:1].isupper() else None
        if country:
            found[word] = (country,)
        elif intent == "number" and fold(word) in MEASURED:
            found[word] = tuple(other for other in MEASURED[fold(word)] if other != fold(word))
    return found


def _wanted(topic: str, intent: Intent, others: dict[str, tuple[str, ...]]) -> str:
    kept = [
        word for word in topic.split() if intent in ("check", "number") or fold(word) not in COMMON
    ] or topic.split()
    return " ".join([*kept, *(other for names in others.values() for other in names)])


def _is_empty(token: str, lang: Lang) -> bool:
    word = fold(token)
    stop = ENGLISH if lang == "en" else GERMAN
    return (word in stop or word in OPENERS[lang]) and not (token.isupper() and len(token) > 1)


def _names(topic: str) -> tuple[str, ...]:
    found = re.findall(r"(?<![#\w])[^\W\d_a-z][\w'\u2019-]+", topic)
    return tuple(
        dict.fromkeys(fold(name) for name in found if name[0].isupper() and fold(name) not in STOPWORDS)
    )


def _parts(topic: str, lang: str) -> tuple[str, ...]:
    pieces = [
        _topic(piece, "de" if lang == "de" else "en")
        for piece in re.split(r"\s+(?:and|or|und|oder|sowie|vs|versus)\s+", topic, flags=re.IGNORECASE)
    ]
    pieces = [piece for piece in pieces if content_words(piece, lang)]
    return tuple(pieces[:_MAX_PARTS]) if len(pieces) > 1 else ()
