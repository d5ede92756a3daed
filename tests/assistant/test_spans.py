import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.assistant.spans import cut, is_last

RISING = "\u6c34\u4f4d\u304c\u4e0a\u304c\u308b"  # the water is rising
CLOSED = "\u6a4b\u306f\u9589\u9396"  # bridge closed
JISR = "\u0627\u0644\u062c\u0633\u0631 \u0645\u063a\u0644\u0642"  # the bridge is closed
BAYT = "\u0627\u0628\u0642\u0648\u0627 \u0641\u064a \u0627\u0644\u0628\u064a\u062a"  # stay home


def whole(text: str) -> list[str]:
    return [text[span.start : span.end] for span in cut(text) if not span.is_part]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("The bridge is closed. Use the ferry!", ["The bridge is closed.", "Use the ferry!"]),
        ("Dr. Weiss met the U.S. envoy at 5 p.m. today.", ["Dr. Weiss met the U.S. envoy at 5 p.m. today."]),
        ("Am 25. Januar geht es los. Endlich.", ["Am 25. Januar geht es los.", "Endlich."]),
        ("Water is rising https://a.example/x.html now. Stay home.", None),
        ("RT @mayor: The gym is open http://a.example/1", ["The gym is open"]),
        ("BREAKING: Fire at the mill #fire #news", ["Fire at the mill"]),
        ("Nobody is left in #alexandria", ["Nobody is left in #alexandria"]),
        (f"{RISING}\u3002{CLOSED}\u3002", [f"{RISING}\u3002", f"{CLOSED}\u3002"]),
        (f"{JISR}. {BAYT}.", [f"{JISR}.", f"{BAYT}."]),
        (
            'Mayor: "The dam holds. I saw it myself." More soon.',
            ['Mayor: "The dam holds. I saw it myself."', "More soon."],
        ),
        ("line one\nline two", ["line one", "line two"]),
        ("damm steht. alles gut.", ["damm steht.", "alles gut."]),
    ],
)  # fmt: skip
def test_posts_are_cut_into_sentences(text, sentences):
    if sentences is None:
        assert "https://a.example/x.html" in whole(text)[0] and len(whole(text)) == 2
    else:
        assert whole(text) == sentences


def test_a_headline_is_also_cut_at_its_joints():
    text = "egypt: army moves into cairo | world news"
    assert "army moves into cairo" in [text[span.start : span.end] for span in cut(text) if span.is_part]


def test_a_broken_off_text_is_marked():
    assert [span.is_cut for span in cut("The mayor said that the bridge...")] == [True]


@settings(max_examples=150)
@given(
    st.text(max_size=200) | st.text(alphabet='ab .!?:#@\n"\u201c\u2026\U0001f30a\u202e\ud800', max_size=120)
)
def test_spans_are_never_empty_and_always_inside(text):
    for span in cut(text):
        assert 0 <= span.start < span.end <= len(text)


@pytest.mark.parametrize("place", range(0, 30, 3))
def test_offsets_are_code_points_whatever_emoji_stand_before(place):
    text = (
        "The old bridge is closed today."[:place]
        + "\U0001f30a\U0001f468\u200d\U0001f692"
        + " Water is rising fast. Stay home."
    )
    found = [text[span.start : span.end] for span in cut(text)]
    assert found[-1] == "Stay home."


def test_the_last_span_is_known_below_tags_and_links():
    text = "Storm hits the coast. Heavy rain and #news https://a.example/1"
    spans = [span for span in cut(text) if not span.is_part]
    assert [is_last(text, span) for span in spans] == [False, True]


def test_a_quotation_is_not_cut_from_its_speaker():
    text = 'Mayor Amber, on the quay: "The wall is holding." #Flood'
    found = [text[span.start : span.end] for span in cut(text)]
    assert (
        found[0] == 'Mayor Amber, on the quay: "The wall is holding."'
        and "Mayor Amber, on the quay" not in found
    )


def test_no_clause_is_torn_out_of_a_quotation_over_a_full_stop():
    text = 'Mayor Amber: "My voice is gone. So in writing: thank you. Weir Lane can go home on Sunday."'
    assert not any(text[s.start : s.end].startswith("thank you. Weir") for s in cut(text))


def test_the_bare_link_to_a_picture_is_no_part_of_a_sentence():
    text = "Tornado over the old harbour https://t.example/a1 pic.twitter.com/Zf4iagpqsv"
    assert [text[span.start : span.end] for span in cut(text)] == ["Tornado over the old harbour"]
