"""Evaluation texts stay out, also parts of eight words of them."""

from hubbub.corpus.decontaminate import Evaluation
from hubbub.corpus.words import read_words

QUESTION = "Which village lost its bridge when the Lorn rose on Tuesday night?"


def found(posts, texts=(QUESTION, "who won the cup")):
    return Evaluation(texts).is_in(read_words(posts)).tolist()


def test_eight_words_in_a_row():
    assert found(
        [f"quiz time: {QUESTION.upper()} tell me", "village lost its bridge when the Lorn rose"]
    ) == [True, True]
    assert found(
        ["village lost its bridge when the Lorn fell", "the Lorn rose when its bridge lost village which"]
    ) == [
        False,
        False,
    ]


def test_short_texts_count_as_a_whole():
    assert found(["Who won the cup?!", "who won the cup today"]) == [True, False]


def test_nothing_to_keep_out():
    assert found(["anything"], ()) == [False]
    assert found([], (QUESTION,)) == []
