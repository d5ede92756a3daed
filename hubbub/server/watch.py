"""Keeps an answer true after it was shown: which quotes still stand, by the living posts."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from hubbub.assistant.answer import Citation, Done, Found, Retraction, Sentence, Shown
from hubbub.posts import AuthorId, PostId
from hubbub.server.feed import Change, affects
from hubbub.server.surface import Searchable


class Gone(msgspec.Struct, frozen=True, kw_only=True, tag="gone"):
    """A post that was shown as found may be shown no longer, or no longer with that text."""

    post: PostId


class Watch:
    """The posts that one answer shows; blocking calls, made by one thread at a time."""

    def __init__(self, index: Searchable) -> None:
        self._index = index
        self._citations: dict[PostId, list[tuple[int, Citation]]] = {}
        self._found: dict[PostId, Citation] = {}
        self._withdrawn: set[int] = set()
        self._is_for_prompt = False

    def pass_found(self, event: Found) -> Found:
        """Note what is about to be shown and leave out what has died since it was found."""
        for citation in event.posts:
            self._found[citation.post] = citation
        dead = self._find_dead(citation.post for citation in event.posts)
        for post in dead:
            del self._found[post]
        return Found(posts=tuple(citation for citation in event.posts if citation.post not in dead))

    def pass_sentence(self, event: Shown) -> Shown | None:
        """Note a sentence that is about to be shown; None if a quote of it died since it was verified.

        It is noted before it is checked, so that a deletion is seen by this check or by a later `change`.
        """
        sentence = event.sentence
        for citation in sentence.citations:
            self._citations.setdefault(citation.post, []).append((sentence.id, citation))
        if self._find_dead(citation.post for citation in sentence.citations):
            self._forget(sentence)
            return None
        return event

    def pass_done(self, event: Done) -> Done:
        """Note who wrote, and leave out of the whole answer what was withdrawn meanwhile."""
        answer = event.answer
        self._is_for_prompt = answer.report.writer != "quotes"
        sentences = tuple(s for s in answer.sentences if self._is_standing(s))
        return Done(answer=msgspec.structs.replace(answer, sentences=sentences))

    def note_retraction(self, event: Retraction) -> None:
        """The assistant itself took a sentence back."""
        self._withdrawn.add(event.sentence)

    def change(self, changes: Iterable[Change], has_lost_some: bool) -> list[Retraction | Gone]:
        """Look at the posts that changes may touch (all, if some were lost) and say what falls."""
        shown = self._authors()
        if has_lost_some:
            touched = set(shown)
        else:
            changes = list(changes)
            touched = {
                post for post, author in shown.items() if any(affects(c, post, author) for c in changes)
            }
        fallen: list[Retraction | Gone] = []
        for post in sorted(self._find_dead(touched)):
            fallen += self._withdraw(post)
        return fallen

    def _withdraw(self, post: PostId) -> list[Retraction | Gone]:
        fallen: list[Retraction | Gone] = []
        for sentence, _ in self._citations.pop(post, []):
            if sentence not in self._withdrawn:
                self._withdrawn.add(sentence)
                fallen.append(Retraction(sentence=sentence, post=post))
        if self._found.pop(post, None) is not None:
            fallen.append(Gone(post=post))
        return fallen

    def _find_dead(self, posts: Iterable[PostId]) -> set[PostId]:
        ids = list(dict.fromkeys(posts))
        if not ids:
            return set()
        living = self._index.fetch(ids, for_prompt=self._is_for_prompt)
        dead = set()
        for post in ids:
            now = living.get(post)
            quotes = [c for _, c in self._citations.get(post, [])]
            quotes += [self._found[post]] if post in self._found else []
            if now is None or any(now.text[c.start : c.end] != c.quote for c in quotes):
                dead.add(post)
        return dead

    def _authors(self) -> dict[PostId, AuthorId]:
        authors = {post: citations[0][1].author for post, citations in self._citations.items()}
        return authors | {post: citation.author for post, citation in self._found.items()}

    def _is_standing(self, sentence: Sentence) -> bool:
        return sentence.id not in self._withdrawn and all(
            c.post in self._citations for c in sentence.citations
        )

    def _forget(self, sentence: Sentence) -> None:
        for citation in sentence.citations:
            kept = [pair for pair in self._citations.get(citation.post, []) if pair[0] != sentence.id]
            if kept:
                self._citations[citation.post] = kept
            else:
                self._citations.pop(citation.post, None)
