"""What rises and what must not: storms of reposts, loud accounts, rings of copies, programs, the refused."""

import pytest

from hubbub.posts import AccountEvent, ConsentEvent, Deletion, Edit
from hubbub.server.topics import topic_terms
from hubbub.trends import Trends, quote
from tests.trends.town import FIRE, MINUTE_US, NOW_US, chatter, fire, fold, rising, say


def test_many_people_in_their_own_words_make_a_trend():
    (trend,) = fold(*chatter(), *fire()).rising(NOW_US)
    assert trend.terms[0] == "paper mill"
    assert (trend.num_voices, trend.num_posts) == (8, 8)
    assert trend.first_seen_us == NOW_US - 20 * MINUTE_US
    assert set(trend.posts) == {f"x:fire{n}" for n in range(8)}


def test_nothing_rises_from_nothing():
    assert Trends(topic_terms).rising(NOW_US) == []
    assert fold(*fire()).rising(NOW_US) == []  # no past to stand out from
    assert fold(*chatter()).rising(NOW_US) == []


def test_what_is_said_every_day_does_not_rise():
    usual = [
        say(f"usual{hour}-{n}", f"good morning {n} {text}", NOW_US - (hour * 60 + 20 - n) * MINUTE_US)
        for hour in range(10)
        for n, text in enumerate(FIRE)
    ]
    trends = fold(*sorted([*chatter(), *usual], key=lambda post: post.received_us))
    assert not [t for t in trends.rising(NOW_US, hours=0.5) if {"good", "morning"} & {*t.terms}]


@pytest.mark.parametrize(
    "events",
    [
        [say(f"r{n}", "RT @mill: the paper mill is burning, black smoke everywhere") for n in range(40)],
        [say(f"r{n}", FIRE[0], repost_of="x:first") for n in range(40)],
        [say(f"loud{n}", text, author="loud") for n, text in enumerate(FIRE * 5)],
        [say(f"ring{n}", f"{FIRE[0]} please share this now friends {n}") for n in range(40)],
        [say(f"bot{n}", text, is_bot=True) for n, text in enumerate(FIRE)],
        [say(f"quiet{n}", text, visibility="followers") for n, text in enumerate(FIRE)],
        [say(f"few{n}", text) for n, text in enumerate(FIRE[:4])],
    ],
    ids=["old reposts", "reposts", "one loud account", "ring of copies", "bots", "not public", "too few"],
)
def test_no_trend_without_independent_voices(events):
    assert rising(*events) == []


def test_two_loud_accounts_are_two_voices():
    events = [say(f"loud{n}", text, author=f"loud {n % 2}") for n, text in enumerate(FIRE * 5)]
    assert rising(*events) == []


@pytest.mark.parametrize(
    "hide",
    [
        lambda author: AccountEvent(author=author, status="removed", received_us=NOW_US),
        lambda author: AccountEvent(author=author, status="suspended", received_us=NOW_US),
        lambda author: ConsentEvent(author=author, scope="show", allow=False, received_us=NOW_US),
        lambda author: ConsentEvent(author=author, scope="index", allow=False, received_us=NOW_US),
    ],
    ids=["removed", "suspended", "not shown", "not indexed"],
)
def test_who_is_hidden_or_erased_is_no_voice(hide):
    trends = fold(*chatter(), *fire(), *(hide(f"author of fire{n}") for n in range(4)))
    assert trends.rising(NOW_US) == []


def test_who_comes_back_counts_again_unless_erased():
    def back(status):
        events = [
            AccountEvent(author="author of fire0", status=s, received_us=NOW_US) for s in (status, "restored")
        ]
        (trend,) = fold(*chatter(), *fire(), *events).rising(NOW_US)
        return trend.num_voices

    assert (back("suspended"), back("removed")) == (8, 7)


def test_refusing_prompts_or_corpora_leaves_a_voice():
    events = [
        ConsentEvent(author=f"author of fire{n}", scope=scope, allow=False, received_us=NOW_US)
        for n in range(8)
        for scope in ("prompt", "corpus")
    ]
    (trend,) = fold(*chatter(), *fire(), *events).rising(NOW_US)
    assert trend.num_voices == 8


def test_a_trend_is_gone_with_its_support_at_once():
    trends = fold(*chatter(), *fire())
    fold(*(Deletion(id=f"x:fire{n}", received_us=NOW_US) for n in range(4)), trends=trends)
    assert trends.rising(NOW_US) == []


def test_a_curve_counts_the_last_day_and_forgets_the_deleted():
    trends = fold(*chatter(), *fire())
    (before,) = trends.rising(NOW_US)
    assert len(before.curve) == 48 and sum(before.curve) == 8 == sum(before.curve[-2:])
    fold(Deletion(id="x:fire0", received_us=NOW_US), trends=trends)
    (after,) = trends.rising(NOW_US)
    assert sum(after.curve) == 7


def test_an_edit_takes_its_words_along():
    edits = [Edit(post=say(f"fire{n}", "never mind", NOW_US), replaces=f"x:fire{n}") for n in range(4)]
    assert rising(*fire(), *edits) == []
    renamed = [Edit(post=say(f"new{n}", FIRE[n], NOW_US), replaces=f"x:fire{n}") for n in range(8)]
    (trend,) = fold(*chatter(), *fire(), *renamed).rising(NOW_US)
    assert set(trend.posts) == {f"x:new{n}" for n in range(8)}


@pytest.mark.parametrize(
    ("word", "term"),
    [
        ("\u0632\u0644\u0632\u0627\u0644", "\u0632\u0644\u0632\u0627\u0644"),
        ("\u05e8\u05e2\u05d9\u05d3\u05ea", "\u05e8\u05e2\u05d9\u05d3\u05ea"),
        ("\u5730\u9707", "\u5730\u9707"),
        ("#Stra\u00dfenfest", "strassenfest"),
        ("#\u0417\u0435\u043c\u043b\u0435\u0442\u0440\u044f\u0441\u0435\u043d\u0438\u0435", None),
    ],
    ids=["Arabic", "Hebrew", "Japanese", "German", "Russian"],
)
def test_terms_of_all_scripts_rise(word, term):
    fillers = "one two three four five six seven eight".split()
    events = [say(f"w{n}", f"{word} {n}{f}{n} {f}{n}{f} \U0001f525") for n, f in enumerate(fillers)]
    assert (term or word[1:].casefold()) in rising(*events)


def test_terms_of_one_story_come_together_and_two_stories_apart():
    flood = [
        "water in the cellar of dock road seven", "dock road under water again", "who closed dock road",
        "dock road cellar pumps needed", "boats on dock road, no joke", "my car floats along dock road",
        "dock road school sends children home", "never seen dock road like this",
    ]  # fmt: skip
    trends = fold(*chatter(), *fire(), *(say(f"flood{n}", text) for n, text in enumerate(flood)))
    leading = [trend.terms[0] for trend in trends.rising(NOW_US)]
    assert sorted(leading) == ["dock road", "paper mill"]


def test_our_time_ranks_and_the_claimed_one_does_not():
    events = [
        say(f"old{n}", text, NOW_US - 300 * MINUTE_US, claimed_us=NOW_US) for n, text in enumerate(FIRE)
    ]
    trends = fold(*sorted([*chatter(), *events], key=lambda post: post.received_us))
    assert trends.rising(NOW_US, hours=0.5) == []


def test_the_question_of_an_earlier_moment_sees_nothing_later():
    trends = fold(*chatter(), *fire())
    assert trends.rising(NOW_US - 21 * MINUTE_US) == []


def test_memory_is_bounded():
    trends = Trends(topic_terms, max_posts=100)
    fold(*chatter(), *fire(), trends=trends)
    assert trends.num_held()["posts"] <= 100
    far = say("far", "quiet evening", NOW_US + 20 * 24 * 60 * MINUTE_US)
    fold(far, trends=trends)
    assert trends.num_held() == {"posts": 1, "past": 3}


def test_hidden_posts_age_as_well():
    events = [ConsentEvent(author="author of fire0", scope="show", allow=False, received_us=NOW_US)]
    far = say("far", "quiet evening", NOW_US + 20 * 24 * 60 * MINUTE_US)
    assert fold(*chatter(), *fire(), *events, far).num_held()["posts"] == 1


def test_a_headline_is_a_span_of_a_living_post():
    events = [*fire()]
    (trend,) = fold(*chatter(), *events).rising(NOW_US)
    living = {post.id: post for post in events}
    story = quote(trend, living)
    head = story.headline
    assert living[head.post].text[head.start : head.end] == head.quote
    assert head.post not in story.more and set(story.more) <= set(living)
    assert story.num_voices == 8
    assert quote(trend, {}) is None
    assert quote(trend, dict(list(living.items())[:4])) is None


@pytest.mark.parametrize("text", ["  word " * 200, "\u5730" * 900, "One. Two! " * 60, "\n\n short \n"])
def test_a_long_post_is_cut_to_the_letter(text):
    posts = [say(f"fire{n}", text) for n in range(8)]
    (trend,) = fold(*chatter(), *fire()).rising(NOW_US)
    head = quote(trend, {post.id: post for post in posts}).headline
    assert head.quote == text[head.start : head.end] == head.quote.strip()
    assert 0 < len(head.quote) <= 240


def test_terms_that_are_each_too_rare_rise_together():
    said = [
        "a boom near the harbour just now",
        "the harbour shook, such a boom",
        "loud boom, windows trembling",
        "did you hear this boom as well",
        "harbour crane has fallen over",
        "stay away from our harbour tonight",
    ]
    events = [say(f"boom{n}", text) for n, text in enumerate(said)]
    assert rising(*events[:4]) == []
    (trend,) = fold(*chatter(), *events).rising(NOW_US)
    assert {"boom", "harbour"} <= {*trend.terms}
    assert trend.num_voices == 6
