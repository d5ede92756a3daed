"""What to ask about one post, and which answers make its context card; it neither searches nor verifies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from hubbub.assistant.answer import Answer, Sentence
from hubbub.assistant.intents import FINITE
from hubbub.assistant.quality import quality
from hubbub.assistant.spans import cut
from hubbub.assistant.wordforms import content_words, words
from hubbub.posts import Post

MAX_CHARS = 550
"""Of a context card's text: what a reader takes in beside a post."""
_MAX_CLAIMS = 3
_MAX_CLAIM_CHARS = 240
_MAX_TOPIC_WORDS = 6
_LABEL = re.compile(r"^[^\W\d_]+(?: [^\W\d_]+){0,4}: (?=\S)")
_CHECK = {"en": "Is it true that {claim}?", "de": "Stimmt es, dass {claim}?"}
_NOBODY = {
    "en": "Nobody else among the posts found here writes about this.",
    "de": "Sonst schreibt hier niemand dar\u00fcber.",
}
_TOPIC = {"en": "What about {topic}?", "de": "Was ist mit {topic}?"}


def say(post: Post, sentences: Sequence[Sentence]) -> str:
    """Return the text of a card; without sentences it says that there is nothing to say."""
    return " ".join(sentence.text for sentence in sentences) or _NOBODY[_lang(post)]


def _lang(post: Post) -> str:
    return "de" if post.langs[:1] == ("de",) else "en"


def questions(post: Post) -> list[str]:
    """Return what to ask the others about a post: is each of its claims true, and what of its matter.

    German posts are asked about in German, all others in English.
    """
    lang = _lang(post)
    claims = find_claims(post)
    asked = [_CHECK[lang].format(claim=claim) for claim in claims]
    matter = list(
        dict.fromkeys(_content(" ".join(claims) or post.text, post.langs[0] if post.langs else lang))
    )
    if matter:
        asked.append(_TOPIC[lang].format(topic=" ".join(matter[:_MAX_TOPIC_WORDS])))
    return asked


def find_claims(post: Post) -> list[str]:
    """Return the sentences of a post that assert something, those that say most first."""
    spoken = post.langs[0] if post.langs else ""
    found: dict[str, float] = {}
    end = 0
    for span in cut(post.text):
        said = post.text[span.start : span.end]
        if span.start < end or len(said) > _MAX_CLAIM_CHARS or not FINITE & set(words(said)):
            continue
        worth = quality(post.text, span) * len(set(content_words(said, spoken or "en", spoken)))
        if worth > 0:
            end = span.end
            found[_LABEL.sub("", said).rstrip(" .!")] = worth
    return sorted(found, key=lambda claim: -found[claim])[:_MAX_CLAIMS]


def choose(answers: Sequence[Answer]) -> Sequence[Sentence]:
    """Return the sentences of the card: one that contradicts before any other; none where all is note.

    A rumour is often told with details that nobody troubles to deny; what is denied of it counts. Where
    nothing is, the last answer speaks, which is on the post's matter and claims neither yes nor no; where it
    found nothing, what came nearest to a claim does.
    """
    for answer in answers:
        if any(sentence.is_conflicting for sentence in answer.sentences):
            return _fitting(answer.sentences)
    fitting = (_fitting(answer.sentences) for answer in reversed(answers))
    return next(filter(None, fitting), ())


def _fitting(sentences: Sequence[Sentence]) -> Sequence[Sentence]:
    """Return as many of the first sentences as a card has room for, joined by spaces."""
    kept: list[Sentence] = []
    room = MAX_CHARS
    for sentence in sentences if any(sentence.kind != "note" for sentence in sentences) else ():
        room -= len(sentence.text) + bool(kept)
        if room < 0:
            break
        kept.append(sentence)
    return kept


def _content(text: str, spoken: str) -> Iterator[str]:
    for word in re.findall(r"[\w'-]{3,}", re.sub(r"https?://\S+", " ", text)):
        if content_words(word, spoken or "en", spoken):
            yield word
