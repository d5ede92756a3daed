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
