"""What a misspelt word may mean: a word one letter apart that living posts hold, on every backend."""

import msgspec
import pytest

from hubbub.assistant import answer
from hubbub.index import Query
from hubbub.index.spelling import near_words, respell
from hubbub.index.tokenize import chunk_terms, term_id
from hubbub.posts import Deletion, Post
from tests.index.test_contract import BACKENDS, open_backend

NOW_US = 1_795_300_000_000_000


def town(*texts):
    return [
        Post(id=f"x://{n}", author=f"a{n}", text=text, received_us=NOW_US - 1_000_000 * (99 - n))
        for n, text in enumerate(texts)
    ]


FLOOD = town(
    "The water in Marrowick is rising",
    "Marrowick: the school is closed",
    "Flooding in #Marrowick tonight",
    "marrowick mill bridge is shut",
    "Sandbags are at the depot",
    "More sandbags are needed",
    "Bring your sandbags",
    "These rhese rhese",
    "rhese are mine",
    "rhese are yours",
)


@pytest.fixture(params=BACKENDS)
def index(request, tmp_path_factory):
    opened = open_backend(request.param, tmp_path_factory)
    opened.fold(enumerate(FLOOD, 1))
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("What is happening in Marowick?", "What is happening in Marrowick?"),  # one left out
        ("marrowwick", "Marrowick"),  # one too many
        ("Marriwick school", "Marrowick school"),  # another
        ("sandbgas", "sandbags"),  # two swapped
        ("SANDBGS in Marrowic", "sandbags in Marrowick"),
        ("Marrowick", ""),  # somebody says it
        ("unicorns", ""),  # nothing is near
        ("Marwick", ""),  # two letters apart
        ("brige", ""),  # one post alone says bridge
        ("mil", ""),
        ("would these", ""),  # said by everybody, and counted nowhere
        ("\u6771\u4eac \U0001f525 \u0645\u0631\u062d\u0628\u0627", ""),
        ("", ""),
    ],
)
def test_an_unknown_word_is_respelt_as_most_posts_write_it(index, asked, meant):
    assert respell(index, asked, Query()) == meant


def test_only_what_may_be_seen_is_offered(index):
    early = Query(to_us=FLOOD[1].received_us)
    assert respell(index, "Marowick", early) == ""
    index.fold((n, Deletion(id=post.id, received_us=NOW_US)) for n, post in enumerate(FLOOD[:3], 90))
    assert respell(index, "Marowick", Query()) == ""  # one living post is left
    index.fold([(99, msgspec.structs.replace(FLOOD[0], id="x://99", author=FLOOD[3].author))])
    assert respell(index, "Marowick", Query()) == ""  # two, of one author


def test_an_answer_that_finds_nothing_offers_it(index):
    told = answer(index, "What is happening in Marowick?", clock_us=NOW_US)
    assert told.outcome == "nothing_found" and [s.citations for s in told.sentences] == [()]
    assert told.sentences[0].text.endswith("Did you mean “What is happening in Marrowick?”")
    told = answer(index, "Was passiert in Marowick?", clock_us=NOW_US)
    assert told.sentences[0].text.endswith("War „Was passiert in Marrowick?“ gemeint?")
    told = answer(index, "What about unicorns?", clock_us=NOW_US)
    assert "Did you mean" not in told.sentences[0].text


def test_the_most_used_comes_first():
    known = {"bridge": 9, "brine": 4, "bride": 400, "bridle": 2, "bribe": 9}

    def count(ids):
        table = {
            term_id(t): n
            for word, n in known.items()
            for lang in ("en", "de", "")
            for t in chunk_terms(word, lang)
        }
        return [table.get(each, 0) for each in ids]

    assert near_words("brike", count) == ["bride", "bribe", "brine"]
    assert near_words("bridne", count)[0] == "bride"  # then words of the same stems
    assert near_words("birdge", count)[0] == "bridge"
    assert near_words("bridge", count) == []  # it is no slip
    assert near_words("bridle", count)[0] == "bride"  # in 200 times as many
