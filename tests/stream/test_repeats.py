"""What a platform sends again is told from what is new, from the archive alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.posts import AccountEvent, Deletion, Edit
from hubbub.stream import open_archive
from hubbub.stream.repeats import Repeats
from tests.stream.invented import post, posts


def edit(number, text):
    return Edit(post=post(number, text), replaces=post(number).id)


def account(status):
    return AccountEvent(author=post(1).author, status=status, received_us=1)


@pytest.fixture
def archive(tmp_path):
    with open_archive(tmp_path / "archive") as archive:
        yield archive


def test_what_is_archived_is_left_out_and_the_rest_is_kept(archive):
    archive.append(posts(1, 10))
    repeats = Repeats(archive)
    assert repeats.leave_out(posts(5, 15)) == posts(11, 15)
    assert repeats.leave_out(posts(5, 15)) == []


def test_the_same_change_counts_again_when_it_comes_again(archive):
    archive.append([account("suspended"), account("restored")])
    repeats = Repeats(archive)
    again = [account("suspended"), account("restored"), account("suspended")]
    assert repeats.leave_out(again) == [account("suspended")]
    repeats.begin()
    assert repeats.leave_out(again) == []


def test_behind_a_missed_edit_the_later_ones_are_told_again(archive):
    archive.append([post(1), edit(1, "third")])
    repeats = Repeats(archive)
    told = [post(1), edit(1, "second"), edit(1, "third"), edit(1, "third")]
    assert repeats.leave_out(told) == [edit(1, "second"), edit(1, "third")]


def test_behind_a_missed_removal_the_posts_are_told_again(archive):
    archive.append(posts(1, 20))
    repeats = Repeats(archive)
    kept = repeats.leave_out([post(1), account("removed"), account("restored"), post(8), post(9)])
    assert kept == [account("removed"), account("restored"), post(8)], "8 is of the same author as 1"


events = st.lists(
    st.one_of(
        st.builds(post, st.integers(1, 6)),
        st.builds(edit, st.integers(1, 6), st.sampled_from("ab")),
        st.builds(lambda n: Deletion(id=post(n).id, received_us=1), st.integers(1, 6)),
    ),
    max_size=30,
)


@settings(max_examples=40)
@given(events, st.data())
def test_a_whole_repetition_ends_as_the_first_telling_did(tmp_path_factory, happened, data):
    known = data.draw(st.integers(0, len(happened)))
    with open_archive(tmp_path_factory.mktemp("a") / "archive", flush_ms=60_000) as archive:
        archive.append(happened[:known])
        kept = happened[:known] + Repeats(archive).leave_out(happened)
    assert _folded(kept) == _folded(happened)


def _folded(happened):
    texts, gone = {}, set()
    for event in happened:
        if isinstance(event, Deletion):
            gone.add(event.id)
        else:
            told = event.post if isinstance(event, Edit) else event
            texts[told.id] = told.text
    return {name: text for name, text in texts.items() if name not in gone}
