"""Checks each sentence against the posts as they are now, before and after it is shown; deterministic."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from hubbub.assistant.answer import Answer, Citation, Retraction, Sentence
from hubbub.assistant.display import safe_handle, safe_name, safe_url
from hubbub.assistant.draft import Draft
from hubbub.assistant.polarity import count_negations
from hubbub.assistant.quality import quality
from hubbub.assistant.spans import Span
from hubbub.assistant.stopwords import STOPWORDS
from hubbub.assistant.wordforms import content_words, fold, numbers, words
from hubbub.posts import Post, PostId

Failure: TypeAlias = Literal[
    "no_evidence", "gone", "changed", "denied", "rambling", "no_statement", "markup", "number", "name",
    "negation", "quoted", "unsupported",
]  # fmt: skip

SAYS_IT = 0.85
"""Share of the topic words of a model's sentence that a quote must hold to count as saying it; all of its
quotes together must hold every one, since a single word put in may turn everything."""

# Nothing that a reader's program could turn into a link, a picture, markup or a mark of ours.
_MARKUP = re.compile(
    r"https?:|www\.|\w\.(?:com|org|net|io|ly|gl|me|info|biz|xyz|ru|cn|de|uk|tv|app|dev|gov|edu)\b|://"
    r"|\b(?:javascript|data|mailto):"
    r"|[<>`{}|\\\x00-\x08\x0e-\x1f]|\]\s*\(|!?\[|\]|\bat://|\bx://|\bdid:\w+|\*\*|__|^\s*#{1,6}\s|&[#\w]+;",
    re.IGNORECASE,
)
_QUOTED = re.compile('["\u201c\u201e\u00ab\u201a\u2018](.{3,}?)["\u201d\u201c\u00bb\u2019](?!\\w)')
_STOP = re.compile("[.!?\u2026]+(?=\\s|$)")
_MAX_STOPS = 3
"""Full stops of one sentence: two may be abbreviations."""
_NAME = re.compile(r"(?<![\w'\u2019])[^\W\d_a-z][\w'\u2019-]*")


def failure(draft: Draft, living: Mapping[PostId, Post], lang: str) -> Failure | None:
    """Return why a sentence must not be shown, None if it may.

    `living` are the cited posts as `Index.fetch` returns them now; what it does not return is gone.
    """
    if draft.kind == "note":
        return None
    if not draft.evidence:
        return "no_evidence"
    for evidence in draft.evidence:
        post = living.get(evidence.post.id)
        if post is None:
            return "gone"
        if post.text[evidence.start : evidence.end] != evidence.quote or not evidence.quote:
            return "changed"
    if not draft.claim:
        return None
    if draft.is_overtaken:
        return "denied"
    return wording_failure(draft.claim, [item.quote for item in draft.evidence], lang)


def cite(post: Post, start: int, end: int) -> Citation:
    """Make the citation of a span; all but the span comes from the stored post."""
    return Citation(
        post=post.id,
        author=post.author,
        handle=safe_handle(post.handle),
        name=safe_name(post.name),
        time_us=post.received_us,
        claimed_us=post.claimed_us,
        quote=post.text[start:end],
        start=start,
        end=end,
        url=safe_url(post.url),
    )


def as_sentence(draft: Draft, number: int, living: Mapping[PostId, Post]) -> Sentence:
    """Make the sentence of a draft that `failure` has passed."""
    return Sentence(
        id=number,
        text=draft.text,
        kind=draft.kind,
        citations=tuple(cite(living[item.post.id], item.start, item.end) for item in draft.evidence),
        story=draft.story,
        num_voices=draft.num_voices,
        first_us=draft.first_us,
        last_us=draft.last_us,
        is_conflicting=draft.is_conflicting,
        is_doubtful=draft.is_doubtful,
    )


def broken(sentences: Iterable[Sentence], living: Mapping[PostId, Post]) -> list[Retraction]:
    """Return the retractions due: sentences with a citation whose post is gone or reads otherwise now."""
    due: list[Retraction] = []
    for sentence in sentences:
        for citation in sentence.citations:
            post = living.get(citation.post)
            if post is None or post.text[citation.start : citation.end] != citation.quote:
                due.append(Retraction(sentence=sentence.id, post=citation.post))
                break
    return due


def still_alive(answer: Answer, lost: Collection[PostId]) -> list[Retraction]:
    """Return the retractions that an open answer owes once posts are lost: deleted, hidden or edited."""
    due: list[Retraction] = []
    for sentence in answer.sentences:
        gone = [citation.post for citation in sentence.citations if citation.post in lost]
        due += [Retraction(sentence=sentence.id, post=post) for post in gone[:1]]
    return due


def wording_failure(claim: str, quotes: Sequence[str], lang: str) -> Failure | None:
    """Check a model's own words against its quotes; every test may only remove."""
    joined = " \n ".join(quotes)
    if _MARKUP.search(claim):
        return "markup"
    if len(_STOP.findall(claim)) > _MAX_STOPS:
        return "rambling"
    if not quality(claim, Span(start=0, end=len(claim)), for_opinion=True):
        return "no_statement"
    held = set(words(joined))
    if not _numbers_hold(claim, quotes):
        return "number"
    if any(not _holds(held, name) for name in _names(claim)):
        return "name"
    if bool(count_negations(claim)) != bool(count_negations(joined)):
        return "negation"
    plain = " ".join(words(joined))
    if any(" ".join(words(match[1])) not in plain for match in _QUOTED.finditer(claim)):
        return "quoted"
    return None if support(claim, quotes, lang) >= 1.0 else "unsupported"


def support(claim: str, quotes: Sequence[str], lang: str) -> float:
    """Return the share of a claim's topic words that its quotes hold, endings aside; 0 where it has none."""
    stems = set(content_words(claim, lang))
    held = set(content_words(" \n ".join(quotes), lang))
    found = [stem for stem in stems if stem in held or any(_is_kin(word, stem) for word in held)]
    return len(found) / max(len(stems), 1)


def _numbers_hold(claim: str, quotes: Sequence[str]) -> bool:
    """Each number must stand in the evidence, and beside one of the same words there."""
    held = {number for quote in quotes for number in numbers(quote)}
    if not set(numbers(claim)) <= held:
        return False
    around = _beside(" \n ".join(quotes))
    return all(not near or near & around.get(number, set()) for number, near in _beside(claim).items())


def _beside(text: str) -> dict[str, set[str]]:
    """For each number the stems of the three content words on either side."""
    found: dict[str, set[str]] = {}
    stems = content_words(text, "en")
    for place, stem in enumerate(stems):
        if stem[0].isdigit():
            near = {word for word in stems[max(place - 3, 0) : place + 4] if not word[0].isdigit()}
            found.setdefault(stem, set()).update(near)
    return found


def _names(claim: str) -> list[str]:
    """Capitalised words; in German these are all nouns, which must be held as well.

    A word that opens a sentence may be any word, so function words are let through there.
    """
    found = [fold(match[0]).removesuffix("'s") for match in _NAME.finditer(claim)]
    return [name for name in found if name not in STOPWORDS]


def _holds(held: set[str], name: str) -> bool:
    parts = [part for part in re.split(r"['\u2019-]", name) if part]
    return all(
        part in held or any(min(len(word), len(part)) > 3 and _is_kin(word, part) for word in held)
        for part in parts
    )


def _is_kin(word: str, other: str) -> bool:
    """Tell whether one word is the other with another ending: protest, protesters."""
    short, long = sorted((word, other), key=len)
    return len(short) > 3 and long.startswith(short) and len(long) - len(short) <= 4
