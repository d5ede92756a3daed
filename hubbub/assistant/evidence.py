"""Turns voices into rated spans that can be compared; which of them are told is not its matter."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from hubbub.assistant.aptness import holds
from hubbub.assistant.naming import Topic, frame, spoken, stems
from hubbub.assistant.polarity import DAMAGE, denied_parts, figures, is_denial, is_unhurt, without_adverbs
from hubbub.assistant.quality import MIN_CUT_CHARS, quality
from hubbub.assistant.question import Question
from hubbub.assistant.spans import Span, cut, is_last
from hubbub.assistant.voices import Voice
from hubbub.assistant.wordforms import content_words, fold
from hubbub.posts import Post, PostId

Embed: TypeAlias = Callable[[Sequence[str]], npt.NDArray[np.float32]]
Matrix: TypeAlias = npt.NDArray[np.float32]

MAX_EVIDENCE = 110
"""Spans that are compared with each other; the rest is too weak to be told anyway."""
MAX_VOICES, MAX_VOICES_FACT = 90, 60
"""Voices that are read sentence by sentence: cutting and rating them takes a third of a millisecond each. For
one fact fewer are needed than to weigh what many say."""
_PLENTY = 30
"""Voices from which on sentences are not even rated that name nothing of the topic."""
_NAMES_IT = 0.45
_MAX_JOINED = 280
_BY_TAG = 0.3
_BACKGROUND = 20.0
"""Spans of other topics that rarity imagines beside those compared, so that it means something for three."""
_TOPIC_WEIGHT = 0.4
"""Weight of the question's own word where it has just one."""
_MAX_DENIED = 6
"""Content words that a denial reaches over; a mere negation reaches the next."""
_OPENING, _LATE = 5, 0.7
"""What a statement is about stands among its first words; named later it is mentioned in passing."""
_MAX_QUOTED_POSTS = 2
"""Posts of one voice whose wording is considered."""
_MAX_LOOKED_AT = 12
"""The same, of which it is seen how much of the topic they name."""

_POINTS = re.compile(r"\b(?:this|that|these|it|das|dies\w*|damit|es)\b", re.IGNORECASE)
_MAX_POINTING = 30
_LATIN = re.compile("[A-Za-z\u00c0-\u024f]")


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
    pairs: frozenset[tuple[str, str]] = frozenset()
    """Neighbouring stems: two words are rarely shared by chance."""
    is_foreign: bool = False
    """In another language than the answer's."""
    is_negative: bool = False
    """It says that something is not so."""
    denied: frozenset[str] = frozenset()
    """Stems that a negation or a denial of the span turns round."""
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


def gather(
    question: Question, voices: Sequence[Voice], embed: Embed, corrections: frozenset[PostId] = frozenset()
) -> Pool:
    """Cut the voices' posts into spans, rate them, and compare the best with one another.

    Of `corrections`, posts that name another topic, only what they deny is kept.
    """
    used = Counter(word for voice in voices for word in set(voice.words))
    longer = {word[:size] for word in used for size in range(2, len(word))}
    torn = frozenset(word for word, count in used.items() if count == 1 and word in longer)
    num_read = MAX_VOICES
    if question.intent not in ("news", "topic", "opinion"):
        num_read = MAX_VOICES_FACT
        voices = sorted(voices, key=lambda voice: not holds(question.intent, voice.posts[0].text))
    read = [
        voice for place, voice in enumerate(voices) if place < num_read or voice.posts[0].id in corrections
    ]
    rating = _Rating(question, torn, is_plenty=len(voices) >= _PLENTY, corrections=corrections)
    rated = [item for voice in read for item in rating.of_voice(voice)]
    rated.sort(key=lambda item: -item.quality * (0.3 + item.relevance))
    best = rated[:MAX_EVIDENCE] + [item for item in rated[MAX_EVIDENCE:] if item.post.id in corrections]
    known = [_with_polarity(item, question.lang) for item in best]
    kept = tuple(item for item in known if item.denied or item.is_denial or item.post.id not in corrections)
    return Pool(evidence=kept, likeness=compare(question, kept, embed))


class _Rating:
    """Rates the spans of one question."""

    def __init__(
        self, question: Question, torn: frozenset[str], *, is_plenty: bool, corrections: frozenset[PostId]
    ) -> None:
        self.corrections = corrections
        self.is_plenty = is_plenty and bool(question.terms)
        self.question = question
        self.topic = Topic(question)
        self.torn = torn

    def of_voice(self, voice: Voice) -> list[Evidence]:
        """Rate the spans of a voice: of the posts that name most of the topic the oldest and the shortest.

        One text may go round about many places, and then only the post about this one is to the point.
        """
        found: dict[str, Evidence] = {}
        for post, whole in self._chosen(voice):
            around = frame(post, self.question.lang)
            for span in self._spans(post):
                item = self._rate(voice, post, span, whole, around)
                if item and item.quality > found.get(item.quote, item).quality - 1e-9:
                    found[item.quote] = item
        return list(found.values())

    def _chosen(self, voice: Voice) -> list[tuple[Post, float]]:
        posts = {post.text: post for post in reversed(voice.posts)}
        shortest = sorted(posts.values(), key=lambda post: (len(post.text), post.received_us))
        shares = {
            post.id: self.topic.share(stems(post, self.question.lang))
            for post in (*shortest[:_MAX_LOOKED_AT], voice.posts[0])
        }
        most = max(shares.values())
        fitting = [post for post in shortest if shares.get(post.id, -1.0) >= most - 1e-9]
        if shares[voice.posts[0].id] >= most - 1e-9:
            fitting = [*fitting[: _MAX_QUOTED_POSTS - 1], voice.posts[0]]
        chosen = {post.id: post for post in fitting[:_MAX_QUOTED_POSTS]}
        return [(post, shares[post.id]) for post in chosen.values()]

    def _spans(self, post: Post) -> list[Span]:
        """Cut a post; join one sentence that names the topic and one beside it that holds what is asked."""
        spans = cut(post.text)
        if self.question.intent not in ("when", "where", "number", "why", "said"):
            return spans
        whole = [span for span in spans if not span.is_part]
        for first, second in zip(whole, whole[1:], strict=False):
            texts = [post.text[span.start : span.end] for span in (first, second)]
            named = [self.topic.share(content_words(text, self.question.lang)) for text in texts]
            holding = [holds(self.question.intent, text) for text in texts]
            is_short = second.end - first.start <= _MAX_JOINED
            may_explain = holding[1] or self.question.intent == "why"  # "It is shut. A tree lies on it."
            ahead = named[0] >= _NAMES_IT > named[1] and may_explain and not holding[0]
            behind = named[1] >= _NAMES_IT > named[0] and holding == [True, False]
            if is_short and (ahead or (behind and _POINTS.search(texts[1][:_MAX_POINTING]))):
                spans.append(Span(start=first.start, end=second.end, first_end=first.end))
        return spans

    def _rate(
        self, voice: Voice, post: Post, span: Span, whole: float, around: frozenset[str]
    ) -> Evidence | None:
        quote = post.text[span.start : span.end]
        said = content_words(quote, self.question.lang, spoken(post))
        if self.is_plenty and post.id not in self.corrections and not self.topic.named(around.union(said)):
            return None
        judged = span if span.first_end is None else Span(start=span.start, end=span.first_end)
        value = quality(
            post.text,
            judged,
            for_opinion=self.question.intent == "opinion",
            for_one=self.question.is_for_one,
        )
        if value == 0.0:
            return None
        if len(post.text) >= MIN_CUT_CHARS and is_last(post.text, span) and _is_torn(quote, self.torn):
            value *= 0.4
        terms = frozenset(said)
        if self.question.terms and self.topic.named(said) and not self.topic.named(said[:_OPENING]):
            value *= _LATE
        return Evidence(
            post=post,
            voice=voice,
            start=span.start,
            end=span.end,
            quality=min(value, 1.0),
            relevance=self._relevance(terms, around, whole),
            terms=terms,
            pairs=frozenset(zip(said, said[1:], strict=False)),
            is_foreign=_is_foreign(post, quote, self.question.lang),
        )

    def _relevance(self, terms: frozenset[str], around: frozenset[str], whole: float) -> float:
        """Weigh whether the topic is named by the span, by the tags and the author around it, or by the post.

        What is told as news need not name its topic in every sentence, an answer to a question should; a
        topic that was widened by tags is hardly ever named.
        """
        direct = self.topic.share(terms)
        framed = self.topic.share(terms | around)
        if self.question.related:
            direct = max(direct, _BY_TAG * framed)
        if self.question.intent in ("news", "opinion", "said"):
            return 0.35 * direct + 0.3 * framed + 0.35 * whole
        return 0.65 * direct + 0.1 * framed + 0.25 * whole


def _is_foreign(post: Post, quote: str, lang: str) -> bool:
    """Tell by the declared language, or by the script: both languages that we write use Latin letters."""
    if post.langs:
        return not any(declared.startswith(lang) for declared in post.langs)
    return not quote.isascii() and len(_LATIN.findall(quote)) < 0.5 * sum(map(str.isalpha, quote))


def _with_polarity(item: Evidence, lang: str) -> Evidence:
    says_false = is_denial(item.quote)
    reach = _MAX_DENIED if says_false else 1
    denied = frozenset(
        stem
        for part in denied_parts(item.quote)
        for stem in content_words(without_adverbs(part), lang, spoken(item.post))[:reach]
    )
    if is_unhurt(item.quote):
        denied = denied.union(content_words(DAMAGE, lang))
    return msgspec.structs.replace(
        item, is_negative=bool(denied), denied=denied, is_denial=says_false, figures=figures(item.quote)
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
    floor = statistics.median(near.ravel().tolist())  # numpy's own imports .1 s of masked arrays
    near = np.clip((near - floor) / max(1.0 - floor, 1e-6), 0.0, 1.0)
    return np.asarray(0.6 * lexical + 0.4 * near, np.float32)


def _cosine(rows: Matrix) -> Matrix:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = rows / np.where(length > 0, length, 1.0)
    return np.asarray(unit @ unit.T, np.float32)
