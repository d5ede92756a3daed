"""Only living posts whose authors expressly allow it: the table of consent, edits, deletions, any order."""

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.consent import SIGNALS
from hubbub.corpus.fold import living, read_scattered, scatter
from hubbub.corpus.shards import key_of
from hubbub.corpus.spill import BUCKETS
from hubbub.index import Index
from hubbub.index.embedding import open_embedder
from hubbub.index.sqlite import SqliteBackend
from hubbub.index.state import State
from hubbub.posts import AccountEvent, ConsentEvent, Deletion, Edit, Post
from tests.test_consent import DID, SCENES

AUTHORS = ["did:a", "did:b"]


def collect(events, blocked=()):
    """Fold events; return the collected versions by id, and the counts."""
    with TemporaryDirectory() as name:
        work = Path(name)
        seen = scatter(enumerate(events, 1), work)
        counts, kept, scattered = Counter(seen.dropped), {}, read_scattered(work)
        for bucket in range(BUCKETS):
            if scattered.counts[bucket]:
                dead = np.load(work / "dead.npy")
                found, dropped = living(scattered.read(bucket), dead, frozenset(blocked))
                counts += dropped
                kept |= {version.id: version for version in found}
    assert seen.num_posts == len(kept) + counts.total()
    return kept, counts


def post(name="1", author="did:a", text="the dam holds", **fields):
    return Post(id=f"at://{name}", author=author, text=text, received_us=int(fields.pop("at", 7)), **fields)


def allow(author="did:a", scope="corpus", allow=True):
    return ConsentEvent(author=author, scope=scope, allow=allow, received_us=1)


def account(status, author="did:a"):
    return AccountEvent(author=author, status=status, received_us=1)


@pytest.mark.parametrize("name", SCENES)
def test_the_table_of_consent_holds(name):
    posts, signal = SCENES[name]
    for events in ([*posts, *signal], [*signal, *posts], [*posts[::-1], *signal]):
        assert bool(collect(events)[0]) == SIGNALS[name].collected


def test_the_operator_has_the_last_word():
    (name,) = [name for name in SCENES if SIGNALS[name].collected and "refused" not in name]
    posts, signal = SCENES[name]
    kept, counts = collect([*posts, *signal], blocked={DID})
    assert not kept and counts == {"author blocked": 1}


def test_each_reason_is_counted():
    events = [
        allow(),
        post("1"),
        post("1", text="sent again"),
        post("2"),
        Deletion(id="at://2", received_us=9),
        post("3", author="did:b"),
        post("4", is_bot=True),
        post("5", visibility="unlisted"),
        post("6", text=""),
        post("7", text="", repost_of="at://1"),
        Post(id="x://status/1", author="did:a", text="hi", received_us=1),
        Deletion(id="at://never-seen", received_us=9),
    ]
    kept, counts = collect(events)
    assert {v.text for v in kept.values()} == {"the dam holds"}
    assert counts == {
        "sent again or edited": 1,
        "deleted": 1,
        "author has not allowed it": 1,
        "bot": 1,
        "not public": 1,
        "no words": 1,
        "repost": 1,
        "platform forbids it": 1,
    }


def test_the_newest_version_is_collected():
    edit = Edit(post=post(text="the dam broke", at=9), replaces="at://1")
    for events in ([allow(), post(), edit], [allow(), edit, post()]):
        assert [v.text for v in collect(events)[0].values()] == ["the dam broke"]
    hidden = Edit(post=post(text="for friends", visibility="followers"), replaces="at://1")
    kept, counts = collect([allow(), post(), hidden])
    assert not kept and counts == {"sent again or edited": 1, "not public": 1}


def test_an_edit_with_a_new_id_takes_the_old_ones_away():
    second = Edit(post=post("2", text="two"), replaces="at://1")
    for last in (Edit(post=post("3", text="three"), replaces=old) for old in ("at://1", "at://2")):
        kept, _ = collect([allow(), post(), second, last])
        assert {v.id: set(v.former_ids) for v in kept.values()} == {"at://3": {"at://1", "at://2"}}
        for dead in ("at://1", "at://2", "at://3"):
            assert not collect([allow(), post(), second, last, Deletion(id=dead, received_us=9)])[0]
            assert not collect([Deletion(id=dead, received_us=9), allow(), post(), second, last])[0]


def test_edits_in_a_circle_end():
    events = [allow(), Edit(post=post("2"), replaces="at://1"), Edit(post=post("1"), replaces="at://2")]
    assert len(collect(events)[0]) <= 1


def test_removed_posts_do_not_come_back():
    erased = [allow(), post("1"), account("removed"), account("restored"), post("1"), post("2")]
    assert set(collect(erased)[0]) == {"at://2"}


def test_names_that_posts_do_not_carry():
    named = AccountEvent(author="did:a", status="named", received_us=1, handle="noor.example")
    assert collect([named, allow(), post()])[0]["at://1"].handle == "noor.example"


def test_roots_of_answers_whose_platform_names_none():
    answers = [post("2", reply_to="at://1"), post("3", reply_to="at://2"), post("4", reply_to="at://3")]
    circle = [post("7", reply_to="at://8"), post("8", reply_to="at://9"), post("9", reply_to="at://7")]
    sent_again = post("3", reply_to="at://5")
    with TemporaryDirectory() as name:
        scatter(enumerate([*answers[::-1], *circle, sent_again], 1), Path(name))
        replies, roots = np.load(Path(name) / "parents.npy")
    found = [roots[np.searchsorted(replies, np.uint64(key_of(f"at://{n}")))] for n in (2, 3, 4)]
    assert found == [key_of("at://1")] * 3
    assert (replies[1:] >= replies[:-1]).all() and len(replies) == 7


EVENTS = st.lists(
    st.one_of(
        st.builds(
            post,
            name=st.sampled_from("123"),
            author=st.sampled_from(AUTHORS[:1]),
            text=st.sampled_from(["dam one", "dam two"]),
            visibility=st.sampled_from(["public", "followers"]),
        ),
        st.builds(
            lambda new, old, text: Edit(post=post(new, text=text), replaces=f"at://{old}"),
            st.sampled_from("123"),
            st.sampled_from("123"),
            st.sampled_from(["dam three", "dam four"]),
        ),
        st.builds(lambda n: Deletion(id=f"at://{n}", received_us=9), st.sampled_from("123")),
        st.builds(account, st.sampled_from(["removed", "suspended", "protected", "restored"])),
        st.builds(
            allow,
            scope=st.sampled_from(["corpus", "index", "show"]),
            allow=st.sampled_from([True, False, None]),
        ),
    ),
    max_size=14,
)


@settings(max_examples=40)
@given(EVENTS)
def test_nothing_is_collected_that_the_index_would_not_hand_out(events):
    """The index is the model; the fold may be stricter (see its docstring), never laxer."""
    events = [allow(), *events]
    kept, _ = collect(events)
    index = Index(SqliteBackend(None, 0), State(None), open_embedder("none"))
    index.fold(list(enumerate(events, 1)))
    handed_out = index.fetch([f"at://{n}" for n in "123"], for_corpus=True)
    index.close()
    assert kept.keys() <= handed_out.keys()
    assert all(handed_out[name].text == version.text for name, version in kept.items())
    assert collect(events)[0] == kept
