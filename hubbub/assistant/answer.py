"""What the assistant gives back: sentences, each with the quotes that back it; plain data, no logic."""

from __future__ import annotations

from typing import Literal

import msgspec

from hubbub.posts import AuthorId, PostId


class Citation(msgspec.Struct, frozen=True, kw_only=True):
    """A span of one living post; `quote == post.text[start:end]`, code points, to the letter."""

    post: PostId
    author: AuthorId
    handle: str | None
    name: str | None
    time_us: int
    """When we received the post."""
    claimed_us: int | None
    quote: str
    start: int
    end: int
    url: str | None
    """Taken from the stored post; None where the platform has no page for it."""


class Sentence(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence that was checked against its citations just before it was shown."""

    id: int
    """Rises from 0; a `Retraction` names it."""
    text: str
    kind: Literal["lead", "story", "detail", "conflict", "note"]
    """What it does in the answer; `note` carries no claim about the world ("nothing found")."""
    citations: tuple[Citation, ...]
    story: int | None = None
    """Sentences of one storyline share it."""
    num_voices: int = 0
    """Independent authors: reposts and near-duplicates count once."""
    first_us: int | None = None
    last_us: int | None = None
    is_conflicting: bool = False
    is_doubtful: bool = False
    """It need not answer what was asked; the first such sentence says so."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """How an answer came about."""

    num_posts_found: int = 0
    num_sentences_shown: int = 0
    dropped: dict[str, int] = {}
    """Sentences that failed verification, by reason."""
    writer: str = "quotes"
    """`quotes`, or the model's name."""
    first_evidence_ms: float | None = None
    first_sentence_ms: float | None = None
    total_ms: float | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer, every sentence of it verified when it was shown."""

    question: str
    lang: str
    """Language that the answer is written in, BCP 47."""
    asked_us: int
    """The clock that relative times were counted from."""
    sentences: tuple[Sentence, ...]
    report: Report
    outcome: Literal["answered", "unconfirmed", "nothing_found", "not_searchable"]


class Found(msgspec.Struct, frozen=True, kw_only=True, tag="found"):
    """Posts that were found, best first, before any sentence is written; each citation is a whole post."""

    posts: tuple[Citation, ...]


class Shown(msgspec.Struct, frozen=True, kw_only=True, tag="sentence"):
    """A sentence passed its check and is shown now."""

    sentence: Sentence
    is_composed: bool = False
    """A model wrote it, so that it falls also when an author refuses to be put in a prompt."""


class Retraction(msgspec.Struct, frozen=True, kw_only=True, tag="retraction"):
    """A sentence shown earlier lost its evidence and must be struck out."""

    sentence: int
    post: PostId


class Done(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """The answer is complete."""

    answer: Answer


AnswerEvent = Found | Shown | Retraction | Done
