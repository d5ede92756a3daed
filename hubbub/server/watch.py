"""Keeps an answer true after it was shown: which quotes still stand, by the living posts."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from hubbub.assistant.answer import Citation, Done, Found, Retraction, Sentence, Shown
from hubbub.posts import AuthorId, Post, PostId
from hubbub.server.feed import Change, affects
from hubbub.server.surface import Searchable


class Gone(msgspec.Struct, frozen=True, kw_only=True, tag="gone"):
    """A post that was shown as found may be shown no longer, or no longer with that text."""

    post: PostId


class Watch:
    """What one answer shows now; its calls block, and are made by one thread at a time.

    Whatever is about to be shown is noted first and checked then: a deletion that the check is too early for
    is heard by a later `change`.
    """

    def __init__(self, index: Searchable) -> None:
        self._index = index
        self._sentences: dict[int, Sentence] = {}
        self._found: dict[PostId, Citation] = {}
        self._composed: set[int] = set()
        """Sentences that a model wrote: their authors must go on to allow that."""

    def pass_found(self, event: Found) -> Found:
        """Note the posts that are about to be shown, and leave out those that died since they were found."""
        self._found = {citation.post: citation for citation in event.posts}
        self._take_fallen(self._found)
        return Found(posts=tuple(self._found.values()))

    def pass_sentence(self, event: Shown) -> Shown | None:
        """Note a sentence that is about to be shown; None if a quote of it died since it was verified."""
        sentence = event.sentence
        self._sentences[sentence.id] = sentence
        if event.is_composed:
            self._composed.add(sentence.id)
        living = self._fetch({citation.post for citation in sentence.citations}, event.is_composed)
        if all(_holds(citation, living) for citation in sentence.citations):
            return event
        del self._sentences[sentence.id]
        return None

    def pass_done(self, event: Done) -> Done:
        """Leave out of the whole answer what was withdrawn meanwhile."""
        standing = tuple(s for s in event.answer.sentences if s.id in self._sentences)
        return Done(answer=msgspec.structs.replace(event.answer, sentences=standing))

    def note_retraction(self, event: Retraction) -> None:
        """Forget a sentence that the assistant itself took back."""
        self._sentences.pop(event.sentence, None)

    def change(self, changes: Collection[Change], has_lost_some: bool) -> list[Retraction | Gone]:
        """Look at the posts that changes may touch (all, if some were lost) and say what falls."""
        touched = {
            post
            for post, author in self.authors().items()
            if has_lost_some or any(affects(change, post, author) for change in changes)
        }
        return self._take_fallen(touched)

    def _take_fallen(self, posts: Collection[PostId]) -> list[Retraction | Gone]:
        """Remove what rests on any of these posts and holds no longer, and say what it was."""
        living = self._fetch(posts)
        promptable = self._fetch(posts, for_prompt=True) if self._composed else living
        fallen: list[Retraction | Gone] = []
        for sentence in list(self._sentences.values()):
            cited = [citation for citation in sentence.citations if citation.post in posts]
            allowed = promptable if sentence.id in self._composed else living
            broken = [citation.post for citation in cited if not _holds(citation, allowed)]
            if broken:
                del self._sentences[sentence.id]
                fallen.append(Retraction(sentence=sentence.id, post=broken[0]))
        for post, found in list(self._found.items()):
            if post in posts and (post not in living or living[post].text != found.quote):
                del self._found[post]
                fallen.append(Gone(post=post))
        return fallen

    def _fetch(self, posts: Collection[PostId], for_prompt: bool = False) -> dict[PostId, Post]:
        return self._index.fetch(posts, for_prompt=for_prompt) if posts else {}

    def authors(self) -> dict[PostId, AuthorId]:
        """Return the posts that are shown now, with their authors."""
        quotes = [citation for sentence in self._sentences.values() for citation in sentence.citations]
        return {citation.post: citation.author for citation in (*self._found.values(), *quotes)}


def _holds(citation: Citation, living: Mapping[PostId, Post]) -> bool:
    post = living.get(citation.post)
    return post is not None and post.text[citation.start : citation.end] == citation.quote
