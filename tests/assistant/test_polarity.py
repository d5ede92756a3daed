import pytest

from hubbub.assistant.polarity import denied_parts, figures, is_denial, is_measurement, is_negative


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
    assert is_denial(text)


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


@pytest.mark.parametrize(
    "text",
    ["It should not be cut off", "don't cut the service", "Bitte nicht vergessen", "Es geht nicht ohne euch"],
)
def test_wishes_orders_and_conditions_deny_nothing(text):
    assert not is_negative(text) and denied_parts(text) == []


def test_a_negation_reaches_what_follows_and_a_denial_its_clause():
    assert denied_parts("It is calm, the dam has not broken") == [" broken"]
    assert [part.split() for part in denied_parts("calm here, the report of a broken dam was false")] == [
        "the report of a broken dam was".split()
    ]


@pytest.mark.parametrize(
    "text", ["448 cm", "4,07 Meter", "up by 12 %", "28\u00b0 at noon", "40 cubic metres"]
)
def test_measurements_are_recognised(text):
    assert is_measurement(text)


@pytest.mark.parametrize("text", ["112 people", "at 22:05", "route 7", "cm"])
def test_counts_and_times_are_no_measurements(text):
    assert not is_measurement(text)


def test_a_year_is_not_counted():
    assert figures("the 2011 state of the union and 12 guests") == {"guests": "12"}
