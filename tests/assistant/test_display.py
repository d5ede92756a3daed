import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.assistant.display import inert, isolated, safe_url

ACCENTS = "Vi\u1ec7t Nam, na\u00efve, \u05e9\u05b8\u05dc\u05d5\u05b9\u05dd"


@given(st.text())
def test_what_is_inert_stays_as_it_is_and_moves_nothing(text):
    shown = inert(text)
    assert inert(shown) == shown
    assert not [
        char for char in shown if unicodedata.category(char) in {"Cc", "Cs"} or 0x202A <= ord(char) <= 0x202E
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("safe\u202egnp.exe", "safegnp.exe"),
        ("in\u200bvis\u2060ible", "invisible"),
        ("tag\U000e0041\U000e0042s", "tags"),
        ("two\nlines\r\n", "two lines "),
        (ACCENTS, ACCENTS),
        ("\U0001f468\u200d\U0001f692 \u2764\ufe0f", "\U0001f468\u200d\U0001f692 \u2764\ufe0f"),
        ("lone \ud800 surrogate", "lone  surrogate"),
    ],
)  # fmt: skip
def test_only_what_hides_or_moves_goes(text, shown):
    assert inert(text) == " ".join(shown.split(" ")).replace("  ", " ")


def test_zalgo_keeps_its_letters_and_loses_its_tower():
    assert len(inert("h" + "\u0301" * 40 + "i")) == 1 + 3 + 1


def test_right_to_left_text_is_isolated_from_what_surrounds_it():
    assert isolated("\u0634\u0643\u0631\u0627") == "\u2068\u0634\u0643\u0631\u0627\u2069"
    assert isolated("thanks") == "thanks"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "https://a.example/ b",
        "https://user@evil.example/",
        "https://a.example/\u202e",
        'https://a.example/"onclick=1',
        "data:text/html,x",
        "//a.example",
        None,
    ],
)
def test_a_link_that_is_not_plain_is_dropped(url):
    assert safe_url(url) is None


@pytest.mark.parametrize("url", ["https://town.example/@mayor/1", "http://a.example/x?y=1#z"])
def test_a_plain_link_stays(url):
    assert safe_url(url) == url
