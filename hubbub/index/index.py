"""The index: events in, hits out; it ties fold, backend and embedder together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice

import msgspec

from hubbub.authors import AuthorState
from hubbub.consent import may_be_collected
from hubbub.index.aiming import aim
from hubbub.index.backend import Backend, Legs
from hubbub.index.document import Document, Key, author_token, post_key
from hubbub.index.embedding import Embedder, Vectors
from hubbub.index.feedback import best, choose, first_plan, is_widened, widen
from hubbub.index.fold import Changes, Pending, cut_at_erasures, erases, fold
from hubbub.index.late_vectors import LateVectors
from hubbub.index.newest import newest_matches, relevant_recent
from hubbub.index.payload import clamp_us
from hubbub.index.plan import MAX_TIME_US, Plan, plan_filters
from hubbub.index.precedence import PoliteLock, give_way
from hubbub.index.preparing import BATCH, Batch, Preparation, finite, prepare
from hubbub.index.query import Hit, Query
from hubbub.index.ranking import Ranking, contenders, fuse, order, plausible
from hubbub.index.reading import Reader
from hubbub.index.rerank import Reranker
from hubbub.index.spelling import near_words
from hubbub.index.state import Burial, State
from hubbub.index.term_counts import TermCounts
from hubbub.index.upkeep import Upkeep
from hubbub.posts import AuthorId, Event, Post, PostId, Visibility

PUBLIC: tuple[Visibility, ...] = ("public",)
"""What is indexed unless the caller says otherwise."""

FLUSH_S = 30.0
"""Between flushes of new posts, which stall everybody for 50 to 200 ms (decision 093)."""
_RETRY_S = 0.05


class IndexStats(msgspec.Struct, frozen=True, kw_only=True):
    """What an index holds."""

    num_posts: int
    num_shards: int
    num_sealed: int
    num_loading: int
    """Parts that a search does not see yet, right after opening."""
    oldest_covered_us: int | None
    """While parts are loading: posts received before this may be missing from results."""
    rebuild_error: str
    """Why the last sealing or erasing failed, if it did; it is tried again every minute."""
    num_unembedded: int
    """Posts that words find but likeness does not yet."""
    num_refused: int
    """Posts since opening that may not be indexed: bare reposts, not public, deleted before they came, or of
    authors who are removed or refuse."""
    num_known: int
    """Posts and edits since opening that had been folded before: replays, and what a source sent again."""
    position: int
    newest_us: int | None
    replies_since_us: int | None
    """Replies received up to then are not found by what they answer: an older hubbub indexed them and
    `hubbub index rebuild` mends it. None: all are found."""
    embedder: str
    dim: int


class Index:
    """Living posts, searchable as soon as `fold` returns; safe to call from several threads."""

    def __init__(
        self,
        backend: Backend,
        state: State,
        embedder: Embedder,
        visibilities: Collection[Visibility] = PUBLIC,
        on_close: Callable[[], object] = lambda: None,
        embedder_name: str | None = None,
    ) -> None:
        """Tie the parts; `embedder_name` opens the same embedder in a second process, under load."""
        self._backend = backend
        self._state = state
        self._embedder = embedder
        self._indexed = tuple(visibilities)
        self._on_close = on_close
        self.ranking = Ranking()
        self.reranker: Reranker | None = None
        self._reader = Reader(backend, state)
        self._counts = TermCounts(state.kept("term_counts"))
        self._lock = PoliteLock()
        self._fold_lock = threading.Lock()
        self._preparation = Preparation(embedder, embedder_name)
        self._applied = self._position = int(state.get("position") or 0)
        newest = state.get("newest_us")
        self._newest_us = int(newest) if newest else None
        self._has_news, self._flushed_s = backend.owes_erasure, time.monotonic()
        self._num_refused = self._num_known = 0
        backend.applied_seq = self._applied
        self._recover()
        self.replies_since_us = self._find_replies_since()
        self._late_vectors = LateVectors(backend, state, embedder, self._lock)
        self._late_vectors.start()
        self._upkeep = Upkeep(self._flush_news)
        self._upkeep.start()

    @property
    def position(self) -> int:
        """Resume reading the archive after this number: everything up to it survives power loss."""
        return self._position

    @property
    def erased_seq(self) -> int | None:
        """Up to which event, at least, what it took has left the disk too; None if only a server knows."""
        with self._lock:
            return self._backend.erased_seq

    def fold(self, events: Iterable[tuple[int, Event]]) -> int:
        """Apply events in order and return the last sequence number applied; replays change nothing."""
        self._backend.wait_ready()
        self._upkeep.check()
        with self._fold_lock:
            try:
                self._fold(iter(events))
            except BaseException:
                self._preparation.stop()  # what it has in the making belongs to batches that never come
                raise
        return self._applied

    def _fold(self, events: Iterator[tuple[int, Event]]) -> None:
        batches = iter(lambda: list(islice(events, BATCH)), [])
        for batch, prepared in self._preparation.ahead(batches):
            self._backend.wait_ready()
            with self._lock:
                for part in cut_at_erasures(batch):
                    self._apply(part, prepared)
                self._applied = max(self._applied, batch[-1][0])
                self._backend.applied_seq = self._applied
                self._has_news = True

    def flush(self) -> None:
        """Write everything folded so far so that it survives power loss, then advance `position`."""
        while not self._try_flush():
            time.sleep(_RETRY_S)

    def _try_flush(self) -> bool:
        with self._lock:
            if not self._backend.flush():
                return False
            notes = {"position": str(self._applied)}
            if self._newest_us is not None:
                notes["newest_us"] = str(self._newest_us)
            if self._counts.is_due:
                self._state.keep("term_counts", self._counts.dump())
            self._state.set(**notes)
            self._state.sync()
            self._position, self._flushed_s = self._applied, time.monotonic()
            self._has_news = self._backend.owes_erasure
            return True

    def _flush_news(self) -> None:
        with self._lock:
            is_due = self._backend.owes_erasure or time.monotonic() - self._flushed_s >= FLUSH_S
            if self._has_news and is_due:
                self._try_flush()

    def search(self, query: Query) -> list[Hit]:
        """Return the best or newest matches, best first; every filter acts before anything is ranked."""
        if not self.reranker or query.sort == "time" or query.limit <= 0:
            return self._search(query)
        deep = msgspec.structs.replace(query, limit=max(query.limit, self.reranker.depth))
        return self.reranker.order(query.text, self._search(deep))[: query.limit]

    def _search(self, query: Query) -> list[Hit]:
        plan = plan_filters(self.resolve(query), self._indexed)
        if plan.is_void or query.limit <= 0:
            return []
        now_us = clamp_us(query.now_us if query.now_us is not None else self._newest_us or 0)
        plan = aim(plan, query, self.embed, now_us)
        if not plan.term_ids and plan.vector is None:
            with self._lock:
                return self._hits(newest_matches(self._backend, plan, query.limit))
        if query.sort == "time":
            with self._lock:
                found = relevant_recent(self._backend, self._counts.weigh(plan), query.limit, now_us)
                return self._newest_hits(found)[: query.limit]
        legs = self._widened(query, plan)  # each step by itself: others may be in a hurry
        with self._lock:
            legs = legs or self._backend.search(self._counts.weigh(plan))
        with self._lock:
            return self._ranked(query, legs, now_us)

    def resolve(self, query: Query) -> Query:
        """Return the query with the account behind each handle that posts do not carry themselves."""
        with self._lock:
            return msgspec.structs.replace(
                query,
                authors=(*query.authors, *self._state.holders(query.authors)),
                excluded_authors=(*query.excluded_authors, *self._state.holders(query.excluded_authors)),
            )

    def near_words(self, word: str) -> list[str]:
        """Return what a word that hardly a post holds may be a slip for, the most used first (`spelling`)."""
        return near_words(word, self._counts.read)

    def fetch(
        self, ids: Iterable[PostId], for_prompt: bool = False, *, for_corpus: bool = False
    ) -> dict[PostId, Post]:
        """Return those posts that live and may be shown (and put in a prompt or in a corpus, if asked)."""
        keys = {post_key(post_id): post_id for post_id in ids}
        with self._lock:
            found = {keys[key]: post for key, post in self._reader.read(keys).items()}
            if for_corpus:
                known = self._state.authors({post.author for post in found.values()})
                willing = {author for author, state in known.items() if state.is_collectable}
                found = {
                    p: post for p, post in found.items() if post.author in willing and may_be_collected(p)
                }
        return {
            p: post for p, post in found.items() if not for_prompt or self._reader.may_prompt(post.author)
        }

    def ban(self, authors: Collection[AuthorId]) -> None:
        """Never show nor prompt posts of these authors, whatever they allow; replaces the list before."""
        wanted = set(authors)
        with self._lock:
            before = self._state.restricted
            changed = wanted ^ {author for author, known in before.items() if known.is_banned}
            known = self._state.authors(changed)
            # The number of the next event: until that one is flushed, `_recover` sets the flags again.
            states = {
                author: msgspec.structs.replace(
                    known.get(author, AuthorState()), is_banned=author in wanted, changed=self._applied + 1
                )
                for author in changed
            }
            self._state.remember({}, states)
            self._flag(states)
            self._has_news |= bool(states)

    @property
    def embedder_id(self) -> str:
        """Name and version of the model that makes the vectors."""
        return self._embedder.id

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one row a text, shape (n, dim): of unit length, or zero where nothing is known."""
        give_way()
        return finite(self._embedder.embed(list(texts)))

    def stats(self) -> IndexStats:
        """Count what the index holds."""
        with self._lock:
            held = self._backend.stats()
            return IndexStats(
                num_posts=held.num_posts,
                num_shards=held.num_shards,
                num_sealed=held.num_sealed,
                num_loading=held.num_loading,
                oldest_covered_us=held.oldest_covered_us,
                rebuild_error=held.rebuild_error,
                num_unembedded=self._state.count_owed(),
                num_refused=self._num_refused,
                num_known=self._num_known,
                position=self._position,
                newest_us=self._newest_us,
                replies_since_us=self.replies_since_us,
                embedder=self._embedder.id,
                dim=self._embedder.dim,
            )

    def close(self) -> None:
        """Flush and release everything, also where the flush fails."""
        self._late_vectors.stop()
        self._upkeep.stop()
        self._preparation.stop()
        with self._lock, ExitStack() as closing:
            for release in (self._on_close, self._state.close, self._backend.close):
                closing.callback(release)
            self.flush()

    def _apply(self, batch: Batch, prepared: Mapping[Key, Document]) -> None:
        changes = fold(batch, self._state, self._indexed, self._stored(batch))
        self._num_refused += changes.num_refused
        self._num_known += changes.num_known
        for author, before in changes.erased.items():
            changes.burials |= self._erase(author, before, changes)
        # Burials first: after kill -9 they are applied again before anything is read.
        self._state.remember(changes.burials, changes.authors, changes.names)
        self._reader.forget(changes.removed.union(changes.pending))
        if changes.removed:
            self._backend.delete(changes.removed)
        self._flag({author: changes.authors[author] for author in changes.flagged})
        self._put(self._new(changes.pending), prepared)

    def _stored(self, batch: Batch) -> Collection[Key]:
        """Return which posts of an erasing batch are stored: an id told again by another is not theirs."""
        if not erases(batch[-1][1]):
            return ()
        return self._backend.versions([post_key(e.id) for _, e in batch if isinstance(e, Post)])

    def _flag(self, authors: Mapping[AuthorId, AuthorState]) -> None:
        for author, known in authors.items():
            self._backend.flag(author_token(author), known.is_hidden, known.is_unpromptable)

    def _erase(self, author: str, before: int, changes: Changes) -> dict[Key, Burial]:
        owned = self._backend.owned(author_token(author))
        for key, item in changes.pending.items():  # another's edit is about to take its place
            if item.is_edit and item.seq > owned.get(key, item.seq):
                del owned[key]
        gone = {
            key: Burial(before) for key, seq in owned.items() if seq < before and key not in changes.burials
        }
        changes.removed.update(gone)
        return gone

    def _new(self, pending: dict[Key, Pending]) -> list[tuple[Key, Pending]]:
        known = self._backend.versions(list(pending))
        new = [
            (key, item)
            for key, item in pending.items()
            if key not in known or (item.is_edit and item.seq > known[key])
        ]
        self._num_known += len(pending) - len(new)
        return new

    def _put(self, new: Sequence[tuple[Key, Pending]], prepared: Mapping[Key, Document]) -> None:
        if not new:
            return
        documents = [made for key, item in new if (made := prepared.get(key)) and made.seq == item.seq]
        if len(documents) < len(new):
            made_ahead = {document.key for document in documents}
            missing = [(item.seq, item.post) for key, item in new if key not in made_ahead]
            documents += prepare(missing, self._embedder)
        authors = {key: item.post.author for key, item in new}
        for document in documents:
            if held := self._state.restricted.get(authors[document.key]):
                document.is_hidden, document.is_unpromptable = held.is_hidden, held.is_unpromptable
        if not self._embedder.is_instant:
            self._state.owe_vectors(document.key for document in documents)
        self._backend.put(documents)
        self._counts.add([document.term_ids for document in documents])
        newest = max(document.received_us for document in documents)
        self._newest_us = newest if self._newest_us is None else max(self._newest_us, newest)

    def _recover(self) -> None:
        """Apply again what was remembered after the last flush, so that no deleted post is back."""
        gone = list(self._state.buried_since(self._position))
        if gone:
            self._backend.delete(gone)
        changed = self._state.authors_since(self._position)
        for author, known in changed.items():
            owned = self._backend.owned(author_token(author))
            self._backend.delete([key for key, seq in owned.items() if seq < known.erased_before])
        self._flag(changed)

    def _find_replies_since(self) -> int | None:
        """Return up to when an older hubbub, which noted no replies, has filled this index."""
        noted = self._state.get("replies_since_us")
        if noted is None:
            held = self._backend.stats()
            is_new = not (self._applied or held.num_posts or held.num_loading)
            noted = "" if is_new else str(MAX_TIME_US if self._newest_us is None else self._newest_us)
            self._state.set(replies_since_us=noted)
        return int(noted) if noted else None

    def _widened(self, query: Query, plan: Plan) -> Legs | None:
        """Search with what the best posts of a first search say; None where that does not help."""
        if not is_widened(query, self.ranking):
            return None
        with self._lock:
            legs = self._backend.search(self._counts.weigh(first_plan(plan)))
        if not legs.lexical:
            return None
        weights = best(fuse(legs, self.ranking), self.ranking)
        with self._lock:
            chosen = choose(weights, self._reader.read(weights), self.ranking)
            vectors = self._backend.vectors(list(chosen)) if self._embedder.dim else {}
        wide = widen(plan, chosen, weights, vectors, self.ranking)
        with self._lock:
            return self._backend.search(self._counts.weigh(wide, True))

    def _ranked(self, query: Query, legs: Legs, now_us: int) -> list[Hit]:
        recency = self.ranking.recency if query.recency is None else query.recency
        scores = fuse(plausible(legs), self.ranking)
        num_hidden, keys, found = -1, list[Key](), dict[Key, Post]()
        while len(keys) - len(found) > num_hidden:  # more are read only where some may not be shown
            num_hidden = len(keys) - len(found)
            keys = contenders(scores, query.limit + num_hidden, recency)
            found = self._reader.read(keys)
        ranked = order(found, scores, now_us, recency, self.ranking.half_life_us)
        return [Hit(post=found[key], score=score) for key, score in ranked[: query.limit]]

    def _hits(self, matches: Sequence[tuple[Key, float]]) -> list[Hit]:
        found = self._reader.read([key for key, _ in matches])
        return [Hit(post=found[key], score=score) for key, score in matches if key in found]

    def _newest_hits(self, matches: dict[Key, float]) -> list[Hit]:
        found = self._reader.read(matches)
        newest_first = sorted(found, key=lambda key: (-found[key].received_us, key))
        return [Hit(post=found[key], score=matches[key]) for key in newest_first]
