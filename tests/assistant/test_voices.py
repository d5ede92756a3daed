from hubbub.assistant.voices import collapse, count_voices
from tests.assistant.world import post

BRIDGE = "The old bridge over the river is closed since noon because of driftwood"


def collapsed(*posts):
    return collapse(posts, [1.0] * len(posts))


def test_copies_and_marked_reposts_are_one_voice():
    voices = collapsed(
        post(BRIDGE, "ann", minute=2),
        post(f"RT @ann: {BRIDGE} https://a.example/1", "bob", minute=1),
        post(BRIDGE.upper() + "!!!", "cem", minute=3),
        post(BRIDGE[:55], "dan", minute=4),
    )
    assert [len(voice.posts) for voice in voices] == [4]
    assert voices[0].posts[0].handle == "bob"  # the oldest first


def test_other_words_are_other_voices():
    assert (
        len(collapsed(post(BRIDGE, "ann"), post("Nobody may cross the river at the mill today", "bob"))) == 2
    )


def test_one_author_counts_once_however_much_is_said():
    voices = collapsed(post(BRIDGE, "ann"), post("Nobody may cross the river at the mill today", "ann"))
    assert (len(voices), count_voices(voices)) == (2, 1)


def test_five_accounts_with_one_text_are_one_voice():
    assert count_voices(collapsed(*(post(BRIDGE, f"sock{n}", minute=n) for n in range(5)))) == 1


def test_texts_without_words_do_not_fail():
    assert len(collapsed(post("\U0001f30a", "ann"), post("", "bob"))) >= 1


def test_of_one_authors_updates_only_the_newest_stands():
    first = post(f"{BRIDGE} at 290 cm", "ann", minute=1)
    last = post(f"{BRIDGE} at 407 cm", "ann", minute=9)
    assert [voice.posts for voice in collapsed(first, last)] == [(last,)]


def test_other_figures_by_other_authors_are_other_voices():
    assert len(collapsed(post(f"{BRIDGE} 80", "ann"), post(f"{BRIDGE} 120", "bob"))) == 2


def test_a_copy_that_is_turned_round_is_another_voice():
    assert len(collapsed(post(BRIDGE, "ann"), post(BRIDGE.replace("is closed", "is not closed"), "bob"))) == 2


def test_a_program_is_no_voice():
    gauge = collapsed(post("River gauge: 448 cm", "gauge", is_bot=True))
    assert gauge[0].is_automatic and count_voices(gauge) == 0
