import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.assistant.naming import Topic, kinship
from hubbub.assistant.question import understand
from tests.assistant.world import NOW_US


@pytest.mark.parametrize(
    ("asked", "found", "is_german", "least"),
    [
        ("egypt", "egyptian", False, 0.9),
        ("egyptian", "egypt", False, 0.9),
        ("bruck", "mullerbruck", True, 0.9),
        ("sandsack", "sandsackplatz", True, 0.9),
        ("mullerbruck", "bruck", True, 0.5),  # perhaps another bridge
        ("mindestlohn", "mindest", True, 0.0),
        ("hausti", "haus", True, 0.0),
        ("water", "waterworks", False, 0.0),
        ("river", "driver", False, 0.0),
    ],
)
def test_kin_continue_each_other_and_compounds_stand_for_their_parts(asked, found, is_german, least):
    assert kinship(asked, found, is_german=is_german) == least


@given(st.text("abcde", min_size=1, max_size=9), st.text("abcde", min_size=1, max_size=9), st.booleans())
def test_looking_stems_up_finds_all_kin(asked, found, is_german):
    topic = Topic(understand(f"what about zzz{asked}", NOW_US, lang="de" if is_german else "en"))
    forms = topic._forms[0] if topic._forms else ()
    expected = max((kinship(form, f"zzz{found}", is_german=is_german) for form in forms), default=0.0)
    assert topic.named([f"zzz{found}"]).get(0, 0.0) == expected


def test_names_weigh_more_and_days_less():
    topic = Topic(understand("Is Kirkhill school open on Monday?", NOW_US))
    assert topic.share(["kirkhil", "school"]) > 0.6 > topic.share(["school", "monday"])
