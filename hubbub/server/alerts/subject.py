"""One standing question with its level: new posts in, verified alerts out, by the house's clock."""

from __future__ import annotations

from collections import deque

import msgspec

from hubbub.assistant.answer import Sentence
from hubbub.assistant.draft import Draft
from hubbub.assistant.evidence import Evidence
from hubbub.assistant.storylines import Story
from hubbub.assistant.verify import as_sentence, failure
from hubbub.assistant.write import say, wording
from hubbub.posts import Post
from hubbub.server.alerts.novelty import Kind, Level, Memory
from hubbub.server.alerts.standing import Standing
from hubbub.server.surface import Searchable
from hubbub.units import US_PER_DAY

NUM_FIRST, NUM_FIRST_NEWEST = 150, 100
"""Posts of the first state of affairs: the best, and the newest."""
MAX_CITED = 3


class Alert(msgspec.Struct, frozen=True, kw_only=True, tag="alert"):
    """Something new, as it is told; its sentence falls with any post that it quotes."""

    sentence: Sentence
    kind: Kind
    novelty: float
    """From 0 to 1: how unlike all that was known it is."""
    made_us: int


class Subject:
    """What one standing question has told; its calls block, and are made by one thread at a time."""

    def __init__(self, index: Searchable, standing: Standing, level: Level) -> None:
        self._index = index
        self.standing = standing
        self.level = level
        if standing.is_by_author:  # whose voice is wanted was said
            self.level = msgspec.structs.replace(self.level, min_voices=1)
        self.memory = Memory(standing.question, index.embed, self.level)
        self._made_us: deque[int] = deque(maxlen=self.level.a_day)
        self._next_id = 0

    def learn(self) -> None:
        """Take what can be found now as known."""
        query = msgspec.structs.replace(self.standing.query, to_us=None)
        for sort, limit in (("relevance", NUM_FIRST), ("time", NUM_FIRST_NEWEST)):
            hits = self._index.search(msgspec.structs.replace(query, sort=sort, limit=limit))
            self.memory.learn([hit.post for hit in hits])

    def take(self, post: Post) -> None:
        """Let a new post that is about it wait for others that say the same."""
        self.memory.take(post)

    def look(self, now_us: int) -> Alert | None:
        """Return what is new now and may be told now; some 10 ms to 100 ms where posts wait, else nothing."""
        if not self.memory.is_ripe or now_us < self.next_us:
            return None
        self.forget(set(self.memory.posts()))
        found = self.memory.find(now_us)
        for place, news in enumerate(found):
            sentence = self._verified(news.story, now_us)
            if sentence:
                self.memory.note_told(news)
                self.memory.is_ripe = place + 1 < len(found)
                self._made_us.append(now_us)
                return Alert(sentence=sentence, kind=news.kind, novelty=news.novelty, made_us=now_us)
        return None

    def forget(self, asked: set[str]) -> None:
        """Let go of those of these posts that are gone."""
        self.memory.keep(self._index.fetch(asked) if asked else {}, asked)

    @property
    def next_us(self) -> int:
        """When the next alert may be told: its level's interval and daily maximum."""
        made = self._made_us
        if not made:
            return 0
        num_today = sum(made_us > made[-1] - US_PER_DAY for made_us in made)
        is_full = len(made) == self.level.a_day
        wait_us = self.level.interval_us * (3 + num_today) // 4
        return max(made[-1] + wait_us, made[0] + US_PER_DAY if is_full else 0)

    def _verified(self, story: Story, now_us: int) -> Sentence | None:
        """Word a story as an answer would and check it against the posts as they are now."""
        for head in (story.head, *story.alternates):
            draft = self._draft(story, head, now_us)
            living = self._index.fetch([item.post.id for item in draft.evidence])
            if failure(draft, living, self.standing.question.lang) is None:
                number, self._next_id = self._next_id, self._next_id + 1
                return as_sentence(draft, number, living)
        return None

    def _draft(self, story: Story, head: Evidence, now_us: int) -> Draft:
        question = msgspec.structs.replace(self.standing.question, clock_us=now_us)
        said = say(question, head, story.num_voices, story.first_us, story.last_us)
        cited = {head.post.author: head}
        for item in story.wordings:
            if item.voice is not head.voice:
                cited.setdefault(item.post.author, item)
        return Draft(
            text=wording(self.standing.question.lang).story(said),
            kind="story",
            evidence=tuple(cited.values())[:MAX_CITED],
            num_voices=story.num_voices,
            first_us=story.first_us,
            last_us=story.last_us,
            is_conflicting=story.conflict is not None,
        )
