import pytest

from hubbub.assistant.polarity import figures, is_denial, is_negative


@pytest.mark.parametrize(
    "text",
    [
        "FALSE: the dam has not broken",
        "That video is fake",
        "The ministry denies the report",
        "Correction: it was two buses",
        "Das ist eine Falschmeldung",
        "Das stimmt nicht, die Schule ist offen",
        "Die Polizei dementiert",
    ],
)
def test_denials_are_recognised(text):
    assert is_denial(text) and is_negative(text)


@pytest.mark.parametrize("text", ["The dam has broken", "Der Damm ist gebrochen", "Police closed the bridge"])
def test_plain_statements_deny_nothing(text):
    assert not is_denial(text) and not is_negative(text)


@pytest.mark.parametrize(
    "text", ["The bridge isn\u2019t open", "Nobody was hurt", "Der Damm ist nicht gebrochen"]
)
def test_a_negation_turns_a_statement_round_without_calling_anything_false(text):
    assert is_negative(text) and not is_denial(text)


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("12 people killed in the fire", {"dead": "12"}),
        ("At least 1,200 protesters arrested", {"arrested": "1200"}),
        ("three dead after the storm", {"dead": "3"}),
        ("Sieben Verletzte und 2.000 Helfer", {"hurt": "7", "helfer": "2000"}),
        ("see you at 5 pm on 12 March, it costs $30", {}),
    ],
)
def test_figures_are_read_with_what_they_count(text, counted):
    assert figures(text) == counted
