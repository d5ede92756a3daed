import pytest

from hubbub.assistant.conflict import contradiction
from hubbub.assistant.evidence import gather
from hubbub.assistant.question import understand
from hubbub.assistant.voices import collapse
from tests.assistant.world import NOW_US, post


def reason(one: str, other: str, *, minutes: tuple[float, float] = (1, 2), authors: str = "ab"):
    """How two posts contradict each other where both are about the same."""
    posts = [
        post(text, author, minute=minute)
        for text, author, minute in zip((one, other), authors, minutes, strict=True)
    ]
    asked = understand("what is happening?", NOW_US)
    pool = gather(asked, collapse(posts, [1.0, 1.0]), lambda texts: [[0.0]] * len(texts))
    first, second = (next(item for item in pool.evidence if item.post is found) for found in posts)
    return contradiction(first, second, 0.5)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("The Hollin dam has broken tonight", "The Hollin dam has NOT broken tonight", "denial"),
        ("FALSE: the Hollin dam has NOT broken", "The Hollin dam has NOT broken", None),
        ("The town cuts the old ferry line", "The town should not cut the old ferry line", None),
        ("I am never flying Alder Air again", "i will never be flying Alder Air again", None),
        ("I am never flying Alder Air again", "I would never fly Alder Air again", None),
        ("The town cuts the old ferry line", "Don't cut the old ferry line in our town", None),
        ("Fire brigade wants volunteers in the yard", "Volunteers without boots wait in the yard", None),
        ("Nothing works here without trust in people", "Nothing goes here without trust in people", None),
        (
            "About 80 people were evacuated from Weir Lane",
            "112 people were evacuated from Weir Lane",
            "figure",
        ),
        ("The 2011 state of the town speech", "The 2010 state of the town speech", None),
        ("14 people and one goldfish in the gym", "57 people eat soup beside the gym door", None),
        ("It was 112 and earlier 80 evacuated people", "About 80 people evacuated here so far", None),
    ],
)
def test_only_what_is_denied_contradicts(one, other, expected):
    assert reason(one, other) == expected


def test_readings_contradict_each_other_only_at_the_same_time():
    high, low = "The river at the quay stands at 4 metres", "The river at the quay stands at 2 metres"
    assert reason(high, low) == "figure"
    assert reason(high, low, minutes=(1, 200)) is None


def test_an_author_who_counts_again_contradicts_nobody():
    early, late = (
        "About 80 people have left Weir Lane so far",
        "Official count: 112 people have left Weir Lane",
    )
    assert reason(early, late, authors="ab") == "figure" and reason(early, late, authors="aa") is None
