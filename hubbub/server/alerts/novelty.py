"""What one standing question knows already, and what of the posts that wait is new to it; no clock, no HTTP.

New is what enough independent voices say that nothing known says in substance: by the same measures with
which an answer tells whether two statements agree, contradict or would bore.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from hubbub.assistant.conflict import contradiction
from hubbub.assistant.evidence import Embed, Evidence, Pool, gather
from hubbub.assistant.question import Question
from hubbub.assistant.storylines import AGREES, RELATED, REPEATS, Story, tell
from hubbub.assistant.voices import collapse
from hubbub.posts import Post, PostId
from hubbub.server.alerts.statements import Row, Statements
from hubbub.units import US_PER_HOUR, US_PER_MINUTE

Novelty: TypeAlias = Literal["low", "medium", "high"]
Kind: TypeAlias = Literal["new", "figures", "denial"]
"""Nothing known says it; it gives other figures for what is known; it denies what is known."""

WAITING_US = 2 * US_PER_HOUR
"""What found too few voices in so long is let go."""
MAX_WAITING, MAX_KNOWN, MAX_TOLD = 120, 240, 80
"""Posts that wait; statements that are known, and that were told."""
_SLACK = 1.25
"""So much more is held before the oldest go: letting go costs a new count."""
MAX_STORIES = 5
FRESH = 0.4
"""Share of a statement's words, the topic's own aside, that nothing near may hold."""


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """How new a thing must be, and how often one may disturb."""

    min_voices: int
    same: float
    """Likeness to anything known from which on it is not new."""
    fresh_words: int
    """Words of its own that nothing near may hold."""
    interval_us: int
    """Between two alerts; each of the last day makes the next wait a quarter of it longer."""
    a_day: int


LEVELS: dict[Novelty, Level] = {
    "low": Level(min_voices=2, same=REPEATS, fresh_words=1, interval_us=US_PER_MINUTE, a_day=96),
    "medium": Level(min_voices=3, same=AGREES, fresh_words=2, interval_us=5 * US_PER_MINUTE, a_day=24),
    "high": Level(
        min_voices=5, same=(AGREES + RELATED) / 2, fresh_words=3, interval_us=30 * US_PER_MINUTE, a_day=8
    ),
}


class News(msgspec.Struct, frozen=True, kw_only=True):
    """A statement that is new, not yet verified."""

    story: Story
    kind: Kind
    novelty: float
    """1 less the likeness of what is known and nearest."""


class Memory:
    """What is known, and what waits for more voices."""

    def __init__(self, question: Question, embed: Embed, level: Level) -> None:
        self._question = question
        self._embed = embed
        self._level = level
        self._topic = frozenset(form for forms in question.terms for form in forms)
        self._statements = Statements(question, embed)
        self._waiting: dict[PostId, Post] = {}
        self.is_ripe = False
        """Whether something that waits has found voices enough, at a first look."""

    @property
    def num_known(self) -> int:
        """Statements that nothing new may repeat."""
        return len(self._statements.places("known", "told"))

    def posts(self) -> dict[PostId, Post]:
        """Return all posts that something here rests on."""
        return {held.item.post.id: held.item.post for held in self._statements.held} | self._waiting

    def learn(self, posts: Sequence[Post]) -> None:
        """Take what these posts say as known."""
        self._statements.add(self._cut(posts), "known")
        self._let_go("known", MAX_KNOWN)

    def take(self, post: Post) -> None:
        """Let a new post wait, if it says anything new; a millisecond."""
        items = self._cut([post])
        known = self._statements.places("known", "told")
        rows = [self._statements.likeness(item) for item in items]
        new = [n for n, item in enumerate(items) if self._kind(item, rows[n], known)]
        if not new or post.id in self._waiting:
            return
        waiting = self._statements.places("waiting")
        for n in new:
            alike = [place for place in waiting if rows[n][place] >= AGREES]
            authors = {self._statements.held[place].item.post.author for place in alike} | {post.author}
            self.is_ripe |= len(authors) >= self._level.min_voices
        self._waiting[post.id] = post
        self._statements.add([items[n] for n in new], "waiting")
        if len(self._waiting) > _SLACK * MAX_WAITING:
            self._drop(list(self._waiting)[:-MAX_WAITING])

    def keep(self, living: Mapping[PostId, Post], asked: Collection[PostId]) -> None:
        """Forget those of the posts asked for that are gone or read otherwise now."""
        held = self.posts()
        dead = {post for post in held.keys() & set(asked) if not _same(living.get(post), held[post])}
        if dead:
            self._drop(dead)

    def find(self, now_us: int) -> list[News]:
        """Return what is new and has voices enough, the weightiest first; some 50 ms."""
        self.is_ripe = False
        self._drop([p.id for p in self._waiting.values() if p.received_us <= now_us - WAITING_US])
        question = msgspec.structs.replace(self._question, clock_us=now_us)
        found: list[News] = []
        for story in tell(question, self._pool(), max_stories=MAX_STORIES, max_details=0):
            if story.num_voices < self._level.min_voices:
                continue
            row, known = self._statements.likeness(story.head), self._statements.places("known", "told")
            if kind := self._kind(story.head, row, known):
                nearest = float(row[known].max(initial=0.0))
                found.append(News(story=story, kind=kind, novelty=round(1.0 - nearest, 3)))
        return found

    def note_told(self, news: News) -> None:
        """Take a statement as told: what only repeats it waits no longer."""
        said = {item.post.id for item in news.story.wordings}
        self._drop(said & self._waiting.keys())
        self._statements.add(news.story.wordings, "told")
        self._let_go("told", MAX_TOLD)
        known = self._statements.places("known", "told")
        waiting = [self._statements.held[place] for place in self._statements.places("waiting")]
        new = {
            held.item.post.id
            for held in waiting
            if self._kind(held.item, self._statements.likeness(held.item), known)
        }
        self._drop(self._waiting.keys() - new)

    def _pool(self) -> Pool:
        """Return what waits, copies of one text as one voice."""
        posts = list(self._waiting.values())
        voices = {post.id: voice for voice in collapse(posts, [1.0] * len(posts)) for post in voice.posts}
        held = self._statements.held
        places = [place for place in self._statements.places("waiting") if held[place].item.post.id in voices]
        return Pool(
            evidence=tuple(
                msgspec.structs.replace(held[place].item, voice=voices[held[place].item.post.id])
                for place in places
            ),
            likeness=self._statements.square(places),
        )

    def _cut(self, posts: Sequence[Post]) -> tuple[Evidence, ...]:
        return gather(self._question, collapse(posts, [1.0] * len(posts)), self._embed).evidence

    def _drop(self, posts: Collection[PostId]) -> None:
        gone = set(posts)
        if gone:
            self._statements.forget(gone)
            for post in gone & self._waiting.keys():
                del self._waiting[post]

    def _let_go(self, role: Literal["known", "told"], most: int) -> None:
        places = self._statements.places(role)
        if len(places) > most:
            oldest = {id(self._statements.held[place]) for place in places[:-most]}
            self._statements.keep(lambda held: id(held) not in oldest)

    def _kind(self, item: Evidence, row: Row, known: Sequence[int]) -> Kind | None:
        """Tell in what way a statement is new to what is known, if it is."""
        near = [self._statements.held[place].item for place in known if row[place] >= RELATED]
        if any(gives_other_figures(item, other) for other in near):
            counted = {pair for other in near for pair in other.figures.items()}
            return None if counted.issuperset(item.figures.items()) else "figures"
        if item.is_denial and not any(other.is_denial for other in near):
            if any(contradiction(item, other, RELATED) == "denial" for other in near):
                return "denial"
        if float(row[known].max(initial=0.0)) >= self._level.same:
            return None
        return "new" if self._adds(item, near) else None

    def _adds(self, item: Evidence, near: Sequence[Evidence]) -> bool:
        """Tell whether of what a statement says about the topic enough is in nothing near."""
        said = item.terms - self._topic
        return len(said.difference(*(known.terms for known in near))) >= max(
            min(self._level.fresh_words, len(said)), FRESH * len(said), 1
        )


def gives_other_figures(item: Evidence, known: Evidence) -> bool:
    """Tell whether a statement counts what a known one counts, and comes to another figure."""
    if len(item.terms & known.terms) < 2:
        return False
    return any(known.figures.get(unit, value) != value for unit, value in item.figures.items())


def _same(now: Post | None, was: Post) -> bool:
    return now is not None and now.text == was.text
