"""Turns voices into rated spans that can be compared; which of them are told is not its matter."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from hubbub.assistant.polarity import count_negations, figures, is_denial
from hubbub.assistant.quality import MIN_CUT_CHARS, quality
from hubbub.assistant.question import Question
from hubbub.assistant.spans import Span, cut, is_last
from hubbub.assistant.voices import Voice
from hubbub.assistant.wordforms import content_words, fold
from hubbub.posts import Post

Embed: TypeAlias = Callable[[Sequence[str]], npt.NDArray[np.float32]]
Matrix: TypeAlias = npt.NDArray[np.float32]

MAX_EVIDENCE = 140
"""Spans that are compared with each other; the rest is too weak to be told anyway."""
MAX_VOICES = 100
"""Voices that are read sentence by sentence: cutting and rating them takes a third of a millisecond each."""
_ONE_OF_SEVERAL = 0.9
_BY_TAG = 0.5
_BACKGROUND = 20.0
"""Spans of other topics that rarity imagines beside those compared, so that it means something for three."""
_TOPIC_WEIGHT = 0.4
"""Weight of the question's own word where it has just one."""
_MAX_QUOTED_POSTS = 2
"""Posts of one voice whose wording is considered."""


_CLOSING_TAGS = re.compile(r"(?:\s*(?:#\w+|https?://\S+))+\s*$")
_LATIN = re.compile("[A-Za-z\u00c0-\u024f]")
_MAX_CLOSING = 400
_TAG = re.compile(r"#(\w+)")


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One span of one post that could be quoted."""

    post: Post
    voice: Voice
    start: int
    end: int
    quality: float
    relevance: float
    """Share of the question's topic that the span (mostly) and its post name, 0 to 1."""
    terms: frozenset[str]
    is_foreign: bool = False
    """In another language than the answer's."""
    is_negative: bool = False
    """It says that something is not so."""
    is_denial: bool = False
    """It calls something false."""
    figures: dict[str, str] = {}

    @property
    def quote(self) -> str:
        """The text of the span, to the letter."""
        return self.post.text[self.start : self.end]


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """All evidence of an answer with its likeness to one another."""

    evidence: tuple[Evidence, ...]
    likeness: Matrix
    """(n, n): 1 = says the same, 0 = nothing in common."""


def gather(question: Question, voices: Sequence[Voice], embed: Embed) -> Pool:
    """Cut the voices' posts into spans, rate them, and compare the best with one another."""
    known = Counter(word for voice in voices for word in set(voice.words))
    longer = {word[:size] for word in known for size in range(2, len(word))}
    torn = frozenset(word for word, count in known.items() if count == 1 and word in longer)
    rated = [item for voice in voices[:MAX_VOICES] for item in _of_voice(question, voice, torn)]
    rated.sort(key=lambda item: -item.quality * (0.3 + item.relevance))
    kept = tuple(_with_polarity(item) for item in rated[:MAX_EVIDENCE])
    return Pool(evidence=kept, likeness=compare(question, kept, embed))


def coverage(question: Question, terms: frozenset[str] | set[str]) -> float:
    """Return the share of the question's topic words that are among the stems; by their weights.

    Of a question that joins topics by `and`, one of them is nearly enough.
    """
    if not question.terms:
        return 1.0
    weights = question.weights or tuple(1.0 for _ in question.terms)
    whole = _share(question.terms, weights, terms)
    alone = [_share(part, tuple(1.0 for _ in part), terms) for part in question.part_terms]
    return max(whole, _ONE_OF_SEVERAL * max(alone, default=0.0))


def _share(
    topic: tuple[tuple[str, ...], ...],
    weights: tuple[float, ...],
    terms: frozenset[str] | set[str],
) -> float:
    total = found = 0.0
    for forms, weight in zip(topic, weights, strict=True):
        total += weight
        found += weight * _holds(forms, terms)
    return found / total if total else 0.0


def _holds(forms: tuple[str, ...], terms: frozenset[str] | set[str]) -> float:
    """Tell how surely one of a word's stems is among a text's: 1, or a little less for a derivation."""
    if any(form in terms for form in forms):
        return 1.0
    return 0.9 if any(_is_kin(form, term) for form in forms for term in terms) else 0.0


def _is_kin(form: str, term: str) -> bool:
    """Tell whether one stem continues the other: egypt, egyptian; in compounds bruck, mullerbruck."""
    short, long = sorted((form, term), key=len)
    if len(short) >= 5 and long.endswith(short):
        return True
    return len(short) >= 4 and len(long) - len(short) <= 4 and long.startswith(short)


def stems(post: Post, lang: str) -> frozenset[str]:
    """Return the stems of a post, its tags and its author: City Hall of Marrowick speaks of Marrowick."""
    found = content_words(" ".join((post.text, post.name or "", post.handle or "")), lang)
    return frozenset(found) | {fold(tag) for tag in post.hashtags}


def _frame(post: Post, lang: str) -> frozenset[str]:
    """Return what holds for every sentence of a post: the tags that close it, and who speaks."""
    closing = _CLOSING_TAGS.search(post.text[-_MAX_CLOSING:])
    said = " ".join((closing[0] if closing else "", post.name or "", post.handle or ""))
    return frozenset(content_words(said, lang)) | {fold(tag) for tag in _TAG.findall(said)}


def _of_voice(question: Question, voice: Voice, torn: frozenset[str]) -> list[Evidence]:
    """Rate the spans of a voice: the oldest posts and the shortest, which add the least of their own."""
    posts = {post.text: post for post in reversed(voice.posts)}
    shortest = sorted(posts.values(), key=lambda post: (len(post.text), post.received_us))
    chosen = {post.id: post for post in (*shortest[: _MAX_QUOTED_POSTS - 1], voice.posts[0])}
    found: dict[str, Evidence] = {}
    for post in chosen.values():
        whole, around = stems(post, question.lang), _frame(post, question.lang)
        for span in cut(post.text):
            item = _rate(question, voice, post, span, whole, around, torn)
            if item and item.quality > found.get(item.quote, item).quality - 1e-9:
                found[item.quote] = item
    return list(found.values())


def _rate(
    question: Question,
    voice: Voice,
    post: Post,
    span: Span,
    whole: frozenset[str],
    around: frozenset[str],
    torn: frozenset[str],
) -> Evidence | None:
    value = quality(post.text, span, for_opinion=question.intent == "opinion")
    if value == 0.0:
        return None
    quote = post.text[span.start : span.end]
    if len(post.text) >= MIN_CUT_CHARS and is_last(post.text, span) and _is_torn(quote, torn):
        value *= 0.4
    terms = frozenset(content_words(quote, question.lang))
    relevance = _relevance(question, terms, around, whole)
    return Evidence(
        post=post,
        voice=voice,
        start=span.start,
        end=span.end,
        quality=min(value, 1.0),
        relevance=relevance,
        terms=terms,
        is_foreign=_is_foreign(post, quote, question.lang),
    )


def _relevance(
    question: Question, terms: frozenset[str], around: frozenset[str], whole: frozenset[str]
) -> float:
    """Weigh whether the topic is named by the span, by the tags and the author around it, or by the post.

    What is told as news need not name its topic in every sentence, an answer to a question should; a topic
    that was widened by tags is hardly ever named.
    """
    framed = coverage(question, terms | around)
    direct = coverage(question, terms)
    if question.related:
        direct = max(direct, _BY_TAG * framed)
    if question.intent in ("news", "opinion"):
        return 0.35 * direct + 0.3 * framed + 0.35 * coverage(question, whole)
    return 0.65 * direct + 0.1 * framed + 0.25 * coverage(question, whole)


def _is_foreign(post: Post, quote: str, lang: str) -> bool:
    """Tell by the declared language, or by the script: both languages that we write use Latin letters."""
    if post.langs:
        return not any(declared.startswith(lang) for declared in post.langs)
    return len(_LATIN.findall(quote)) < 0.5 * sum(map(str.isalpha, quote))


def _with_polarity(item: Evidence) -> Evidence:
    quote = item.quote
    says_false = is_denial(quote)
    return msgspec.structs.replace(
        item,
        is_negative=says_false or count_negations(quote) % 2 == 1,
        is_denial=says_false,
        figures=figures(quote),
    )


def _is_torn(quote: str, torn: frozenset[str]) -> bool:
    """Tell whether the last word was cut by a length limit: nobody else uses it, but a longer one is used."""
    last = re.search(r"([^\W\d_]+)$", quote)
    return last is not None and fold(last[1]) in torn


def compare(question: Question, evidence: Sequence[Evidence], embed: Embed) -> Matrix:
    """Return the likeness of spans, one row each: shared words by rarity, and nearness in meaning."""
    count = len(evidence)
    if not count:
        return np.zeros((0, 0), np.float32)
    vocabulary: dict[str, int] = {}
    rows = [[vocabulary.setdefault(term, len(vocabulary)) for term in item.terms] for item in evidence]
    matrix = np.zeros((count, max(len(vocabulary), 1)), np.float32)
    for place, row in enumerate(rows):
        matrix[place, row] = 1.0
    rarity = np.log((count + _BACKGROUND) / (matrix.sum(axis=0) + 0.5)).astype(np.float32)
    for form in (form for forms in question.terms for form in forms if form in vocabulary):
        # one word is what all that was found has in common, several make a statement
        rarity[vocabulary[form]] *= min(_TOPIC_WEIGHT * len(question.terms), 1.0)
    lexical = _cosine(matrix * np.maximum(rarity, 0.05))
    meaning = np.asarray(embed([item.quote for item in evidence]), np.float32)
    if meaning.shape[0] != count or not meaning.any():
        return lexical
    # Static embeddings find everything of one topic alike: only what stands out of the average counts.
    near = meaning @ meaning.T
    floor = float(np.median(near))
    near = np.clip((near - floor) / max(1.0 - floor, 1e-6), 0.0, 1.0)
    return np.asarray(0.6 * lexical + 0.4 * near, np.float32)


def _cosine(rows: Matrix) -> Matrix:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = rows / np.where(length > 0, length, 1.0)
    return np.asarray(unit @ unit.T, np.float32)
