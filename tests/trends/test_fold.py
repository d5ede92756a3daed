"""The fold: replays change nothing, and what is deleted was never there."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hubbub.posts import AccountEvent, ConsentEvent, Deletion, Edit, Post
from hubbub.server.topics import topic_terms
from hubbub.trends import Trends
from tests.trends.town import CHATTER, MINUTE_US, NOW_US, START_US

AUTHORS = [f"a{n}" for n in range(5)]
IDS = [f"x:{n}" for n in range(12)]
texts = st.lists(st.sampled_from([*CHATTER[:5], "#mill", "\u5730\u9707", "\U0001f525"]), max_size=5).map(
    " ".join
)
times = st.integers(0, 600).map(lambda minute: START_US + minute * MINUTE_US)


@st.composite
def posts(draw, ids=IDS):
    name = draw(st.sampled_from(ids))
    return Post(
        id=name, author=AUTHORS[int(name[2:]) % 5], text=draw(texts), received_us=draw(times),
        is_bot=draw(st.integers(0, 9)) == 0,
    )  # fmt: skip


deletions = st.builds(Deletion, id=st.sampled_from(IDS), received_us=times)
edits = st.builds(lambda post, old: Edit(post=post, replaces=old), posts(), st.sampled_from(IDS))
accounts = st.builds(
    AccountEvent, author=st.sampled_from(AUTHORS), received_us=times,
    status=st.sampled_from(["removed", "suspended", "protected", "restored"]),
)  # fmt: skip
consents = st.builds(
    ConsentEvent, author=st.sampled_from(AUTHORS), received_us=times,
    scope=st.sampled_from(["index", "show", "prompt", "corpus"]), allow=st.sampled_from([True, False, None]),
)  # fmt: skip
events = st.lists(st.one_of(posts(), posts(), posts(), deletions, edits, accounts, consents), max_size=30)
fast = settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])


def folded(numbered):
    trends = Trends(topic_terms, min_score=0.1, min_voices=1)
    trends.fold(numbered)
    return trends


def state(trends):
    """All that a question could see."""
    held = trends._held
    windows = {w: counts for w, counts in held.past.windows.items() if counts}
    return (
        held.times,
        [held.posts[post] for _, post in held.times],
        windows,
        {k: v for k, v in held.past.volumes.items() if v},
    )


@fast
@given(events, st.integers(0, 30), st.integers(0, 30))
def test_any_part_may_come_again(events, start, cut):
    numbered = list(enumerate(events, 1))
    once, again = folded(numbered), folded(numbered[:cut])
    again.fold(numbered[start if start <= cut else 0 :])
    again.fold(numbered)
    assert state(once) == state(again)
    assert once.rising(NOW_US) == again.rising(NOW_US)


@fast
@given(st.lists(posts(), max_size=25), st.sets(st.sampled_from(IDS)))
def test_what_is_deleted_was_never_there(said, gone):
    trends = folded(enumerate(said, 1))
    trends.fold(enumerate([Deletion(id=i, received_us=START_US) for i in sorted(gone)], len(said) + 1))
    never = folded(enumerate([post for post in said if post.id not in gone], 1))
    assert state(trends) == state(never)
    assert trends.rising(NOW_US) == never.rising(NOW_US)


@fast
@given(events, st.sets(st.sampled_from(IDS)))
def test_a_deletion_wins_whatever_comes_after(events, gone):
    said = [Deletion(id=i, received_us=START_US) for i in sorted(gone)]
    trends = folded(enumerate([*said, *events], 1))
    assert not gone & {post for _, post in trends._held.times}


@fast
@given(events, st.sampled_from(AUTHORS))
def test_nothing_of_a_removed_author_counts(events, author):
    trends = folded(enumerate(events, 1))
    trends.fold([(len(events) + 1, AccountEvent(author=author, status="removed", received_us=NOW_US))])
    assert author not in {held.author for held in trends._held.posts.values()}


@fast
@given(events)
def test_the_parts_agree_with_each_other(events):
    held = folded(enumerate(events, 1))._held
    counted = [held.posts[post] for _, post in held.times]
    assert held.times == sorted(held.times)
    assert sum(held.past.volumes.values()) == len(counted)
    said = sum(len(post.terms) for post in counted)
    assert sum(sum(counts.values()) for counts in held.past.windows.values()) == said
