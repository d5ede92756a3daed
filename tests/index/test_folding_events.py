"""Random lives of posts and accounts end in the same place as a plain dictionary, in every backend."""

import itertools
import random
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from benchmarks.oracle import Oracle
from hubbub.index import Index, Query
from hubbub.index.edge import EdgeBackend
from hubbub.index.edge.sealing import rebuild
from hubbub.index.embedding import open_embedder
from hubbub.index.qdrant_server import open_server
from hubbub.index.sqlite import SqliteBackend
from hubbub.index.state import State
from hubbub.posts import AccountEvent, ConsentEvent, Deletion, Edit, Post
from tests.index.invented import START_US, invented_post

IDS = st.integers(0, 11)
AUTHORS = st.integers(0, 2)
VERSIONS = st.integers(0, 5)
EVENT_KINDS = st.one_of(
    st.tuples(st.just("post"), IDS, AUTHORS),
    st.tuples(st.just("post"), IDS, AUTHORS),
    st.tuples(st.just("post"), IDS, AUTHORS),
    st.tuples(st.just("repost"), IDS, AUTHORS),
    st.tuples(st.just("edit"), IDS, VERSIONS),
    st.tuples(st.just("new id"), IDS, VERSIONS),
    st.tuples(st.just("withdraw"), IDS, VERSIONS),
    st.tuples(st.just("delete"), IDS, st.just(0)),
    st.tuples(
        st.just("account"), AUTHORS, st.sampled_from(["removed", "suspended", "protected", "restored"])
    ),
    st.tuples(
        st.just("consent"),
        AUTHORS,
        st.tuples(
            st.sampled_from(["index", "show", "prompt", "corpus"]), st.sampled_from([True, False, None])
        ),
    ),
)
STEPS = st.one_of(
    EVENT_KINDS,
    EVENT_KINDS,
    EVENT_KINDS,
    st.tuples(st.just("replay"), st.integers(0, 30), st.integers(1, 8)),
    st.tuples(st.just("reopen"), st.just(0), st.just(0)),
    st.tuples(st.just("copy"), st.just(0), st.just(0)),
    st.tuples(st.just("swap"), st.just(0), st.just(0)),
)


class World:
    """One index beside its oracle, driven by the same steps."""

    def __init__(self, backend_name, directory):
        self.name, self.directory = backend_name, Path(directory)
        self.embedder = open_embedder("none")
        self.memory = open_server(":memory:", 0) if backend_name == "memory" else None
        self.state = State(None) if self.memory else None
        self.oracle, self.events, self.job = Oracle(), [], None
        self.open()

    def open(self):
        if self.name == "edge":
            self.backend = EdgeBackend(
                self.directory, 0, slice_posts=4, erase_s=0, calm_s=0, is_sealing=False
            )
        elif self.name == "sqlite":
            self.backend = SqliteBackend(self.directory / "posts.db", 0)
        else:
            self.backend = self.memory
        self.index = Index(self.backend, self.state or State(self.directory / "state.db"), self.embedder)

    def step(self, kind, one, two):
        if kind == "replay":
            past = self.events[one : one + two]
            if past:
                self.index.fold(past)
        elif kind == "reopen" and self.name != "memory":
            self.end_job()
            self.index.close()
            self.open()
        elif kind == "copy" and self.name == "edge" and self.job is None:
            self.job = self.backend.next_job()
            if self.job:
                rebuild(self.job.task, self.job.sources, self.job.target, 0, self._copied)
        elif kind == "swap":
            self.end_job()
        elif kind not in ("reopen", "copy"):
            event = make_event(kind, one, two, len(self.events) + 1)
            self.events.append((len(self.events) + 1, event))
            self.index.fold(self.events[-1:])
            self.oracle.take(event)

    def end_job(self):
        if self.job:
            self.backend.finish_job(self.job)
            self.job = None

    def _copied(self, word):
        for one in self.job.slices:
            one.is_copying = False

    def check(self):
        visible = self.oracle.visible()
        everything = {event.id for _, event in self.events if isinstance(event, Post)}
        everything |= {event.post.id for _, event in self.events if isinstance(event, Edit)}
        assert self.index.fetch(everything) == visible
        assert self.index.stats().num_posts == len(self.oracle.posts)
        assert self.index.fetch(everything, for_prompt=True) == self.oracle.visible(for_prompt=True)
        assert self.index.fetch(everything, for_corpus=True) == self.oracle.visible(for_corpus=True)
        found = {hit.post.id: hit.post for hit in self.index.search(Query(limit=100))}
        assert found == visible
        for post in list(visible.values())[:3]:
            word = next(word for word in post.text.split() if word.startswith("only"))
            assert post in [hit.post for hit in self.index.search(Query(text=word))]

    def close(self):
        self.end_job()
        if self.memory is None:
            self.index.close()


def make_event(kind, one, two, seq):
    time_us = START_US + seq
    if kind == "delete":
        return Deletion(id=post_id(one, 0), received_us=time_us)
    if kind == "account":
        return AccountEvent(author=f"did:plc:{one}", status=two, received_us=time_us)
    if kind == "consent":
        return ConsentEvent(author=f"did:plc:{one}", scope=two[0], allow=two[1], received_us=time_us)
    author = two if kind in ("post", "repost") else one % 3
    base = invented_post(one, random.Random(seq))
    fields = {"author": f"did:plc:{author}", "received_us": time_us, "reply_to": None}
    version = two if kind == "new id" else 0
    post = Post(
        **{
            **{field: getattr(base, field) for field in ("handle", "langs", "hashtags")},
            **fields,
            "id": post_id(one, version),
            "text": f"{base.text} version{seq}",
            "repost_of": "x://status/9999" if kind == "repost" else None,
            "visibility": "followers" if kind == "withdraw" else "public",
        }
    )
    return post if kind in ("post", "repost") else Edit(post=post, replaces=post_id(one, 0))


def post_id(number, version):
    return f"x://status/{number}" + (f"v{version}" if version else "")


@pytest.mark.parametrize("backend", ["edge", "sqlite", "memory"])
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(STEPS, min_size=5, max_size=40))
def test_any_history_ends_where_a_dictionary_ends(backend, steps):
    directory = tempfile.mkdtemp()
    try:
        world = World(backend, directory)
        for step in steps:
            world.step(*step)
        world.check()
        world.index.fold(world.events)
        world.check()
        world.close()
    finally:
        shutil.rmtree(directory)


def test_what_happens_during_a_rebuilding_holds_after_the_swap(tmp_path):
    world = World("edge", tmp_path)
    for number in range(6):
        world.step("post", number, number % 3)
    world.step("copy", 0, 0)
    assert world.job
    world.step("delete", 1, 0)
    world.step("edit", 2, 0)
    world.step("consent", 0, ("prompt", False))
    world.check()
    world.step("swap", 0, 0)
    world.check()
    world.close()


@pytest.mark.parametrize("kind", ["post", "edit"])
def test_what_came_while_an_author_was_removed_stays_away_when_told_again(kind, tmp_path):
    world = World("sqlite", tmp_path)
    for step in (("account", 0, "removed"), (kind, 0, 0), ("account", 0, "restored"), ("post", 3, 0)):
        world.step(*step)
    world.index.fold(world.events)
    assert len(world.oracle.visible()) == 1
    world.check()
    world.close()


@example(
    kinds=[("post", 0, 1), ("account", 2, "removed"), ("post", 0, 0), ("account", 0, "removed")], cuts=[]
)
@example(kinds=[("post", 0, 1), ("edit", 0, 0), ("account", 1, "removed"), ("edit", 0, 0)], cuts=[1, 3])
@example(kinds=[("account", 0, "removed"), ("post", 0, 1), ("edit", 0, 0), ("post", 0, 2)], cuts=[])
@settings(max_examples=60)
@given(kinds=st.lists(EVENT_KINDS, min_size=3, max_size=40), cuts=st.lists(st.integers(1, 39)))
def test_it_does_not_matter_which_events_are_folded_together(kinds, cuts):
    oracle, events = Oracle(), []
    for seq, kind in enumerate(kinds, 1):
        events.append((seq, make_event(*kind, seq)))
        oracle.take(events[-1][1])
    index = Index(SqliteBackend(None, 0), State(None), open_embedder("none"))
    edges = [0, *sorted({cut for cut in cuts if cut < len(events)}), len(events)]
    for start, end in itertools.pairwise(edges):
        index.fold(events[start:end])
    everything = {identity for _, event in events if (identity := stored_id(event))}
    assert index.fetch(everything) == oracle.visible()
    assert index.stats().num_posts == len(oracle.posts)
    index.close()


def stored_id(event):
    return event.id if isinstance(event, Post) else event.post.id if isinstance(event, Edit) else None
