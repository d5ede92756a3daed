from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.assistant.answer import Answer, Citation, Done, Found, Report, Retraction, Sentence, Shown
from hubbub.posts import AccountEvent, ConsentEvent, Deletion, Edit, Event, Post
from hubbub.server.feed import affects
from hubbub.server.watch import Gone, Watch
from tests.server.small_house import SmallHouse, make_post

NUM_POSTS = 4
numbers = count(1000)
places = st.integers(0, NUM_POSTS - 1)
spans = st.tuples(places, st.integers(0, 6), st.integers(0, 6))
happenings = st.one_of(
    st.tuples(st.just("say"), st.lists(spans, min_size=1, max_size=3)),
    st.tuples(st.just("delete"), places),
    st.tuples(st.just("edit"), st.tuples(places, st.text("ab\U0001f30a", min_size=1, max_size=8))),
    st.tuples(st.just("account"), st.tuples(places, st.sampled_from(["removed", "suspended", "restored"]))),
    st.tuples(st.just("lose"), st.none()),
)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallHouse]:
    house = SmallHouse(tmp_path_factory.mktemp("town"))
    yield house
    house.close()


def cite(post: Post, start: int, end: int) -> Citation:
    return Citation(
        post=post.id,
        author=post.author,
        handle=post.handle,
        name=post.name,
        time_us=post.received_us,
        claimed_us=None,
        quote=post.text[start:end],
        start=start,
        end=end,
        url=None,
    )


def say(number: int, *citations: Citation) -> Shown:
    return Shown(sentence=Sentence(id=number, text="Somebody wrote.", kind="story", citations=citations))


class World:
    """Some posts, the answer that quotes them, and by our own reckoning what of it must still stand."""

    def __init__(self, house: SmallHouse) -> None:
        self.house = house
        self.posts = [make_post(next(numbers), "ab\U0001f30aab \U0001f30aba") for _ in range(NUM_POSTS)]
        house.add(*self.posts)
        self.watch = Watch(house.index)
        self.standing: dict[int, Sentence] = {}
        self.num_said = 0

    def holds(self, sentence: Sentence) -> bool:
        living = self.house.index.fetch([c.post for c in sentence.citations])
        return all(
            c.post in living and living[c.post].text[c.start : c.end] == c.quote for c in sentence.citations
        )

    def say(self, quotes: list[tuple[int, int, int]]) -> None:
        citations = [cite(self.posts[n], min(a, b), max(a, b)) for n, a, b in quotes]
        shown = say(self.num_said, *citations)
        self.num_said += 1
        passed = self.watch.pass_sentence(shown)
        assert (passed is not None) == self.holds(shown.sentence)
        if passed is not None:
            self.standing[shown.sentence.id] = shown.sentence

    def event(self, kind: str, what: object) -> Event:
        now_us = self.house.clock_us
        if kind == "delete":
            return Deletion(id=self.posts[what].id, received_us=now_us)
        number, value = what
        post = self.posts[number]
        if kind == "edit":
            return Edit(post=msgspec.structs.replace(post, text=value), replaces=post.id)
        return AccountEvent(author=post.author, status=value, received_us=now_us)

    def tell(self, changes: list[Event], has_lost_some: bool) -> None:
        fallen = self.watch.change(changes, has_lost_some)
        taken_back = [event.sentence for event in fallen if isinstance(event, Retraction)]
        assert sorted(taken_back) == sorted(n for n, s in self.standing.items() if not self.holds(s))
        for number in taken_back:
            del self.standing[number]


@settings(max_examples=60)
@given(happened=st.lists(happenings, max_size=12))
def test_whatever_happens_what_stands_is_what_still_holds(
    town: SmallHouse, happened: list[tuple[str, object]]
) -> None:
    world = World(town)
    is_losing = False
    for kind, what in happened:
        if kind == "say":
            world.say(what)
        elif kind == "lose":  # the next event will not be told by name, as after an overflow
            is_losing = True
        else:
            event = world.event(kind, what)
            town.add(event)
            world.tell([] if is_losing else [event], has_lost_some=is_losing)
            is_losing = False
    world.tell([], has_lost_some=True)
    answer = Answer(question="?", lang="en", asked_us=0, sentences=(), report=Report(), outcome="answered")
    everything = tuple(s for n in range(world.num_said) for s in [say(n).sentence])
    done = world.watch.pass_done(Done(answer=msgspec.structs.replace(answer, sentences=everything)))
    assert [s.id for s in done.answer.sentences] == sorted(world.standing)


def test_found_posts_that_have_died_meanwhile_are_left_out(town: SmallHouse) -> None:
    world = World(town)
    town.delete(world.posts[0].id)
    found = Found(posts=tuple(cite(post, 0, len(post.text)) for post in world.posts))
    passed = world.watch.pass_found(found)
    assert [citation.post for citation in passed.posts] == [post.id for post in world.posts[1:]]
    deletion = Deletion(id=world.posts[1].id, received_us=town.clock_us)
    town.add(deletion)
    assert world.watch.change([deletion], False) == [Gone(post=world.posts[1].id)]
    assert world.watch.change([deletion], True) == []


@pytest.mark.parametrize("is_composed", [True, False])
def test_who_refuses_prompts_takes_what_a_model_wrote_and_nothing_else(town: SmallHouse, is_composed) -> None:
    post = make_post(next(numbers), "The bridge is closed.")
    town.add(post)
    watch, whole = Watch(town.index), cite(post, 0, len(post.text))
    watch.pass_found(Found(posts=(whole,)))
    shown = msgspec.structs.replace(say(1, whole), is_composed=is_composed)
    assert watch.pass_sentence(shown)
    refusal = ConsentEvent(author=post.author, scope="prompt", allow=False, received_us=1)
    town.add(refusal)  # the answer is not done yet
    assert watch.change([refusal], False) == [Retraction(sentence=1, post=post.id)] * is_composed
    assert (watch.pass_sentence(shown) is None) == is_composed


def test_a_sentence_number_may_be_used_again(town: SmallHouse) -> None:
    world = World(town)
    world.watch.pass_sentence(say(0, cite(world.posts[0], 0, 2)))
    world.watch.note_retraction(Retraction(sentence=0, post=world.posts[0].id))
    world.watch.pass_sentence(say(0, cite(world.posts[1], 0, 2)))
    town.delete(world.posts[0].id)
    assert world.watch.change([], True) == []


@pytest.mark.parametrize("author", [None, "did:plc:noor"])
def test_a_deletion_of_the_first_id_takes_what_quotes_a_later_one(author):
    """Platforms that give edits new ids may name only the first one when they delete."""
    assert affects(Deletion(id="x://status/1", author=author, received_us=5), "x://status/2", "did:plc:noor")


def test_a_deletion_may_take_a_post_of_whom_nobody_said_who_wrote_it() -> None:
    deletion = Deletion(id="x://status/1", author="x://user/7", received_us=5)
    assert affects(deletion, "x://status/2", "x://user/unknown/2")
    assert not affects(deletion, "x://status/2", "x://user/8")


def test_a_second_edit_may_name_the_first_id():
    post = Post(id="x://status/3", author="x://user/7", text="open again", received_us=5)
    assert affects(Edit(post=post, replaces="x://status/1"), "x://status/2", "x://user/7")
    assert not affects(Edit(post=post, replaces="x://status/1"), "x://status/2", "x://user/8")
