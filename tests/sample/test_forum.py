from hubbub.posts import ConsentEvent, Deletion, Post
from hubbub.sample.forum import WEEK_US, forum_events


def _posts(**options):
    return [event for event in forum_events(2_000, **options) if isinstance(event, Post)]


def test_the_same_seed_gives_the_same_forum_and_another_seed_another():
    assert _posts(seed=3) == _posts(seed=3)
    assert [post.text for post in _posts(seed=3)] != [post.text for post in _posts(seed=4)]


def test_posts_come_in_order_with_consent_first_and_some_are_deleted():
    events = list(forum_events(2_000))
    posts = [event for event in events if isinstance(event, Post)]
    assert 2_000 <= len(posts) < 2_010
    assert [post.received_us for post in posts] == sorted(post.received_us for post in posts)
    asked = {event.author: event.allow for event in events if isinstance(event, ConsentEvent)}
    assert {post.author for post in posts} <= asked.keys() and set(asked.values()) == {True, False}
    assert {event.id for event in events if isinstance(event, Deletion)} <= {post.id for post in posts}
    assert any(isinstance(event, Deletion) for event in events)


def test_each_week_brings_words_that_no_earlier_one_had():
    posts = _posts()
    start_us = posts[0].received_us
    weeks: dict[int, set[str]] = {}
    for post in posts:
        weeks.setdefault((post.received_us - start_us) // WEEK_US, set()).update(post.text.split())
    for week in range(1, 13):
        assert weeks[week] - set().union(*(weeks[earlier] for earlier in range(week)))


def test_no_slot_is_left_open_and_threads_hang_together():
    known: set[str] = set()
    for post in _posts():
        assert "{" not in post.text and "}" not in post.text and post.text
        assert post.reply_to is None or {post.reply_to, post.root} <= known
        known.add(post.id)
