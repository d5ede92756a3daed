"""Threads become documents: answers behind what they answer, one pseudonym for each person."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from hubbub.corpus.run import Clean
from hubbub.corpus.threads import Pseudonyms, assemble, in_order_of_answers

NEVER = 1 << 60


def post(key, parent=0, *, text=None, handle=None, thread=1, is_short=False):
    who = handle or f"h{key}"
    words = text or f"text {key}"
    return Clean(0, key, f"at://{key}", f"did:{who}", who, key, "en", words, thread, parent, is_short)


def texts(posts, cut_us=NEVER, document_chars=1000):
    found = assemble(posts, cut_us, document_chars, Counter())
    return [([piece.text for piece in each.pieces], each.is_held_out) for each in found]


def test_a_lone_post_goes_without_its_authors_name():
    assert texts([post(1, text="hi @Omar@x.example, ask @noor or @omar")]) == [
        (["hi @a, ask @b or @a"], False)
    ]


def test_a_thread_with_branches():
    posts = [
        post(1, handle="noor"),
        post(2, 1, handle="omar@town.example", text="@noor why?"),
        post(3, 1, handle="lin"),
        post(4, 2, handle="noor", text="@Omar ask @lin"),
    ]
    assert texts(posts[::-1]) == [(["@a: text 1", "@b: @a why?", "@a: @b ask @c", "@c: text 3"], False)]


def test_a_thread_is_cut_at_its_length_and_keeps_its_names():
    posts = [post(n, n - 1, text="x" * 40, handle=f"h{n % 2}") for n in range(1, 6)]
    found = texts(posts, document_chars=100)
    assert [len(each) for each, _ in found] == [2, 2, 1]
    assert [each[0][:3] for each, _ in found] == ["@a:", "@a:", "@a:"]
    assert len(texts([post(1, text="x" * 5000), post(2, 1)])) == 2


def test_what_is_held_out_is_apart():
    found = texts([post(1), post(2, 1), post(3, 2)], cut_us=3)
    assert found == [(["@a: text 1", "@b: text 2"], False), (["text 3"], True)]


def test_short_posts_need_company():
    dropped = Counter()
    posts = [post(1, is_short=True), post(2, thread=2, is_short=True), post(3, 2, thread=2)]
    (document,) = assemble(posts, NEVER, 1000, dropped)
    assert [piece.post_id for piece in document.pieces] == ["at://2", "at://3"]
    assert dropped == {"too short": 1}


def test_many_people():
    names = Pseudonyms()
    found = [names.name(f"h{n}") for n in range(60)]
    assert found[:2] == ["@a", "@b"] and found[25:28] == ["@z", "@a1", "@b1"] and len(set(found)) == 60
    assert names.name("https://town.example/@noor") != names.name("https://town.example/@omar")


@given(st.lists(st.integers(0, 12), min_size=1, max_size=12), st.randoms())
def test_every_post_comes_once_and_behind_what_it_answers(parents, random):
    members = [post(key, parent) for key, parent in enumerate(parents, 1)]
    order = [each.key for each in in_order_of_answers(members)]
    assert sorted(order) == list(range(1, len(parents) + 1))
    answers = [(key, parent) for key, parent in enumerate(parents, 1) if 0 < parent < key]
    assert all(order.index(key) > order.index(parent) for key, parent in answers)
    shuffled = members[:]
    random.shuffle(shuffled)
    assert texts(shuffled) == texts(members)
