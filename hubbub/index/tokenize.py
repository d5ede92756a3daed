"""Cut posts and queries into lexical terms and plain words; it weighs and stores nothing.

A word is folded first and stemmed afterwards, so that people who leave accents out still meet those who
write them. A post is stemmed in its own language only; a query carries the stems of all languages that it may
be written in (`query_terms`), because three words are too few to tell. Each word of a post yields only one of
those stems, so nothing counts twice.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import TypeAlias, cast

import Stemmer

from hubbub.index.folding import fold
from hubbub.index.stopwords import ASKING_WORDS, STOP_WORDS

MAX_TEXT = 20_000
"""Code points of a post that are read; what follows is not searchable (X's longest posts: 25,000)."""
MAX_QUERY_TEXT = 2_000
MAX_WORD = 40
"""Longer words are noise (keys, base64) and are left out."""
MAX_QUERY_TERMS = 96
OTHER_LANGUAGE = 0.4
"""Weight of a query term that only posts in another language can hold."""
JOINED = 0.5
"""Weight of two neighbouring words of a query written as one."""
_MAX_CACHED = 100_000  # entries a generation; two are kept, at most 50 MB a busy language

_STEMMERS = {
    "ar": "arabic", "ca": "catalan", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "es": "spanish", "et": "estonian", "eu": "basque", "fi": "finnish", "fr": "french", "ga": "irish",
    "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian", "it": "italian",
    "lt": "lithuanian", "nb": "norwegian", "ne": "nepali", "nl": "dutch", "nn": "norwegian",
    "no": "norwegian", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian",
    "sv": "swedish", "ta": "tamil", "tr": "turkish",
}  # fmt: skip
# Languages whose Latin-script words are mostly English names and loans.
_BORROWING = frozenset(("bn", "fa", "he", "ja", "ko", "ml", "mr", "te", "th", "und", "ur", "zh"))

# Scripts without spaces between words (Hangul: with spaces, but glued to particles): cut into bigrams.
_UNSPACED = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17d3\u3041-\u3096\u3099-\u309f"
    "\u30a1-\u30fa\u30fc-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
# What \w leaves out inside words: accents, Hebrew and Arabic points, Indic vowel signs, joiners.
_INNER = (
    "\u00ad\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963\u0980-\u0dff"
    "\u200c\u200d"
)
_LETTER = rf"(?:[^\W_{_UNSPACED}]|[{_INNER}])"
_TOKEN = re.compile(
    r"(?P<url>(?:[a-z]{2,9}://|www\.)\S+)"
    rf"|(?<![\w&])[#\uff03](?P<tag>[\w{_INNER}]+)"
    r"|(?<!\w)@(?P<mention>\w[\w.-]*(?:@\w[\w.-]*)?)"
    r"|(?P<number>\d+(?:[.,]\d+)+)"
    r"|(?P<initials>(?<!\w)(?:[^\W\d_]\.){2,})"
    rf"|(?P<run>[{_UNSPACED}]+)"
    rf"|(?P<word>{_LETTER}+(?:['\u2019\u02bc]{_LETTER}+)*)"
    "|(?P<emoji>[\u2600-\u27bf\U0001f1e6-\U0001faff])",
    re.IGNORECASE,
)
_RUN = re.compile(rf"[{_UNSPACED}]+")
_APOSTROPHE = re.compile("['\u2019\u02bc]")
_ENGLISH_TAILS = frozenset(("d", "ll", "m", "re", "t", "ve"))
# Parts of a hashtag: capitals, capital and small, small, digits, any other letters.
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]+|[a-z]+|\d+|[^\W\d_A-Za-z]+")

_Cache: TypeAlias = dict[str, tuple[str, ...]]
_caches: dict[str, tuple[_Cache, _Cache]] = {}  # by language: the young and the old generation
_stemmers: dict[str, Callable[[str], str]] = {}


def terms(text: str, lang: str | None = None, hashtags: Iterable[str] = ()) -> list[str]:
    """Return the lexical terms of a post in order; unknown languages are stemmed as English.

    `lang` is BCP 47; `hashtags` (without #) are added where the text does not carry them. Takes about
    10 microseconds for a post of 14 words whose words are cached, 25 on a stream.
    """
    lang = _language(lang)
    found = [*chain.from_iterable(terms_by_chunk(text, lang))]
    for tag in hashtags:
        if "#" + fold(tag) not in found:
            found += chunk_terms("#" + tag[:MAX_WORD], lang)
    return found


def terms_by_chunk(text: str, lang: str | None) -> list[tuple[str, ...]]:
    """Return the lexical terms of each run of text between white space."""
    lang = _language(lang)
    young, old = _caches.setdefault(lang, ({}, {}))
    chunks = text[:MAX_TEXT].split()
    found = [*map(young.get, chunks)]
    for place, chunk in enumerate(chunks) if None in found else ():
        if found[place] is None:
            found[place] = young[chunk] = (
                young.get(chunk) or old.get(chunk) or tuple(chunk_terms(chunk, lang))
            )
    if len(young) > _MAX_CACHED:
        _caches[lang] = ({}, young)
    return cast("list[tuple[str, ...]]", found)


def query_terms(text: str, langs: Iterable[str] = ()) -> dict[str, float]:
    """Return the terms of a query with their weights: stems in `langs` and in English, then other forms.

    A form that only posts in another language hold (unstemmed; or any stem, if no language is known) weighs
    `OTHER_LANGUAGE`: such terms are rare, so BM25 takes them for precious. `langs` may be a guess. Neighbours
    are also joined (`super bowl` finds #superbowl). Question words are left out. At most
    `MAX_QUERY_TERMS` terms.
    """
    text = text[:MAX_QUERY_TEXT]
    known = [lang for lang in map(_language, langs) if lang != "und"]
    stop = _stopped(text, [*known, "en"])
    weights: dict[str, float] = {}
    full = [*known, "en"]
    guesses = () if known else STOP_WORDS if text.isascii() else (*STOP_WORDS, *_STEMMERS)
    for lang in dict.fromkeys([*full, "", *guesses]):
        share = 1.0 if lang in full else OTHER_LANGUAGE
        counts: dict[str, float] = {}
        for term in (t for chunk in text.split() for t in chunk_terms(chunk, lang, stop)):
            counts[term] = counts.get(term, 0.0) + share
        for term, weight in counts.items():
            weights[term] = max(weights.get(term, 0.0), weight)
    for joined in _joined(words(text)):
        weights.setdefault(joined, JOINED)
    return dict(list(weights.items())[:MAX_QUERY_TERMS])


def is_question(text: str) -> bool:
    """Tell whether a query asks for one thing in a sentence, rather than naming a topic in a few words."""
    asking = set().union(*ASKING_WORDS.values())
    return text.rstrip().endswith("?") or any(word in asking for word in words(text[:MAX_QUERY_TEXT])[:2])


def words(text: str) -> list[str]:
    """Return the folded words in order, for phrases: no stems, no stop words; unspaced scripts by letter."""
    found: list[str] = []
    for match in _TOKEN.finditer(text[:MAX_TEXT]):
        kind, token = str(match.lastgroup), fold(match[str(match.lastgroup)])
        if kind == "url" or not token:
            continue
        if kind == "run":
            found += token
        elif kind == "word":
            found += filter(None, _APOSTROPHE.split(token))
        else:
            found.append(token.replace(".", "") if kind == "initials" else token)
    return found


def hashtag_parts(tag: str) -> str:
    """Return the parts of a hashtag (without #) with spaces between: `FloodNight24` as `Flood Night 24`."""
    return " ".join(_PARTS.findall(tag)) or tag


def term_id(term: str) -> int:
    """Return the 32-bit id of a term, the same in every process and version (CRC-32 of its UTF-8 form)."""
    return zlib.crc32(term.encode("utf-8", "surrogatepass"))


def _stopped(text: str, langs: Iterable[str]) -> frozenset[str]:
    """Return what a query leaves out: stop words (English ones always) and question words, if any remain."""
    stop = STOP_WORDS["en"].union(*(STOP_WORDS.get(lang, ()) for lang in langs))
    asking = stop.union(*(ASKING_WORDS.get(lang, ()) for lang in langs))
    spoken = set(words(text))
    return next((some for some in (asking, stop) if not spoken <= some), frozenset())


def _language(lang: str | None) -> str:
    return (lang or "und").partition("-")[0].lower()


def chunk_terms(chunk: str, lang: str, stopping: Iterable[str] | None = None) -> list[str]:
    """Return the terms of a text without spaces; `stopping` stands for the language's own stop words."""
    stop = STOP_WORDS.get("en" if lang == "und" else lang, frozenset()) if stopping is None else stopping
    stop = frozenset(stop)
    if chunk.isascii() and chunk.isalpha():
        return _read_word(chunk, lang, stop)
    if chunk[:1] == "@" and chunk[1:].isascii() and chunk[1:].isalnum():
        return _read_mention(chunk[1:], lang, stop)
    found: list[str] = []
    for match in _TOKEN.finditer(chunk):
        kind = str(match.lastgroup)
        found += _READERS[kind](match[kind], lang, stop)
    return found


def _read_word(word: str, lang: str, stop: frozenset[str]) -> list[str]:
    if word.isalpha():
        part = fold(word)
        return [_stem(part, lang)] if part and len(part) <= MAX_WORD and part not in stop else []
    head, *tails = _APOSTROPHE.split(fold(word))
    if tails and tails[-1] == "s":
        tails.pop()
    if tails and tails[-1] in _ENGLISH_TAILS:
        head, tails = "".join([head, *tails]), []
    return [
        _stem(part, lang) for part in (head, *tails) if part and len(part) <= MAX_WORD and part not in stop
    ]


def _read_tag(tag: str, lang: str, stop: frozenset[str]) -> Iterable[str]:
    whole = fold(tag)
    if not whole or len(whole) > 2 * MAX_WORD:
        return []
    found = ["#" + whole, *_read_mixed(tag, lang, stop)]
    parts = _PARTS.findall(tag)
    if len(parts) > 1:
        for part in parts:
            found += _read_mixed(part, lang, stop)
    return found


def _read_mixed(text: str, lang: str, stop: frozenset[str]) -> list[str]:
    found = [term for run in _RUN.findall(text) for term in _read_run(run, lang, stop)]
    return found or _read_word(text, lang, stop)


def _read_mention(mention: str, lang: str, stop: frozenset[str]) -> list[str]:
    handle = fold(mention.rstrip(".-"))[: 2 * MAX_WORD]
    return ["@" + handle, re.split(r"[.@]", handle)[0]]


def _read_number(number: str, lang: str, stop: frozenset[str]) -> Iterable[str]:
    return [fold(number).replace(",", "")[:MAX_WORD]]


def _read_initials(initials: str, lang: str, stop: frozenset[str]) -> Iterable[str]:
    return [fold(initials).replace(".", "")[:MAX_WORD]]


def _read_run(run: str, lang: str, stop: frozenset[str]) -> Iterable[str]:
    run = fold(run)
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]


def _read_url(url: str, lang: str, stop: frozenset[str]) -> Iterable[str]:
    return ()


_READERS: dict[str, Callable[[str, str, frozenset[str]], Iterable[str]]] = {
    "url": _read_url,
    "tag": _read_tag,
    "mention": _read_mention,
    "number": _read_number,
    "initials": _read_initials,
    "run": _read_run,
    "word": _read_word,
    "emoji": lambda emoji, lang, stop: (emoji,),
}


def stems(folded: Sequence[str], lang: str) -> list[str]:
    """Return the stems of plain folded words."""
    return [_stem(word, lang) for word in folded]


def _stem(word: str, lang: str) -> str:
    stemmer = _stemmers.get(lang)
    if stemmer is None:
        name = _STEMMERS.get("en" if lang in _BORROWING else lang)
        # Our own cache sits above, so the stemmer's is switched off.
        stemmer = _stemmers[lang] = Stemmer.Stemmer(name, 0).stemWord if name else str
    return stemmer(word)


def _joined(plain: Sequence[str]) -> Iterable[str]:
    for left, right in zip(plain, plain[1:], strict=False):
        if 4 <= len(left) + len(right) <= MAX_WORD and left.isalnum() and right.isalnum():
            yield left + right
