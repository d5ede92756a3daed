"""Terms and words of posts and queries."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.index.folding import fold
from hubbub.index.tokenize import (
    MAX_QUERY_TERMS,
    MAX_WORD,
    OTHER_LANGUAGE,
    is_question,
    query_terms,
    term_id,
    terms,
    words,
)

LANGS = [None, "en", "de", "ja", "pt-BR", "xx", ""]


def test_a_word_too_short_to_guess_its_language_carries_the_stems_of_its_script():
    electricity, gone = (
        "\u0627\u0644\u0643\u0647\u0631\u0628\u0627\u0621",
        "\u03b4\u03c1\u03cc\u03bc\u03bf\u03b9",
    )
    for word, lang in ((electricity, "ar"), (gone, "el")):
        assert set(terms(word, lang)) <= query_terms(word).keys()


def test_english_words_are_stemmed_and_stop_words_left_out() -> None:
    assert terms("The bridges were flooding, and RT", "en") == ["bridg", "were", "flood"]


def test_an_unknown_language_is_stemmed_as_english() -> None:
    assert terms("Bridges flooding") == terms("Bridges flooding", "en") == terms("Bridges flooding", "und")


def test_a_hashtag_is_kept_whole_and_split() -> None:
    assert terms("#FloodNight24 now", "en") == [
        "#floodnight24",
        "floodnight24",
        "flood",
        "night",
        "24",
        "now",
    ]
    assert terms("#flood", "en") == ["#flood", "flood"]


def test_hashtags_beside_the_text_are_added_once() -> None:
    assert terms("#flood here", "en", ["flood", "River"]) == ["#flood", "flood", "here", "#river", "river"]


def test_a_mention_is_a_handle_and_a_word() -> None:
    assert terms("ask @Town_Hall.", "en") == ["ask", "@town_hall", "town_hall"]
    assert terms("@ann.example.social", "en") == ["@ann.example.social", "ann"]


def test_links_carry_no_terms() -> None:
    assert terms("see https://example.org/a-b?c#d www.example.org", "en") == ["see"]
    assert words("see https://example.org/a now") == ["see", "now"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\u6771\u4eac\u3067\u5730\u9707", ["\u6771\u4eac", "\u4eac\u3067", "\u3067\u5730", "\u5730\u9707"]),
        ("\u6c34", ["\u6c34"]),
        ("iPhone\u767a\u58f2", ["iphon", "\u767a\u58f2"]),
        ("#\u5730\u9707", ["#\u5730\u9707", "\u5730\u9707"]),
        ("\uc11c\uc6b8\uc5d0\uc11c", ["\uc11c\uc6b8", "\uc6b8\uc5d0", "\uc5d0\uc11c"]),
    ],
)
def test_scripts_without_spaces_are_cut_into_bigrams(text: str, expected: list[str]) -> None:
    assert terms(text, "ja") == expected


def test_accents_fold_before_stemming() -> None:
    assert terms("Fl\u00fcsse \u00dcberschwemmungen", "de") == terms("Flusse Uberschwemmungen", "de")
    assert terms("caf\u00e9", "fr") == terms("cafe\u0301", "fr") == ["caf"]
    assert fold("\u0130stanbul \u0142\u00f3d\u017a stra\u00dfe") == "istanbul lodz strasse"
    assert fold("\u0439") == "\u0439", "a Cyrillic letter, not an accent"


def test_vowel_signs_of_india_stay_in_their_words() -> None:
    assert words("\u0939\u093f\u0928\u094d\u0926\u0940 \u092e\u0947\u0902") == [
        "\u0939\u093f\u0928\u094d\u0926\u0940",
        "\u092e\u0947\u0902",
    ]


def test_apostrophes_numbers_initials_and_stretched_words() -> None:
    assert terms("mayor's don't", "en") == ["mayor", "dont"]
    assert terms("l'homme", "fr") == ["homm"]
    assert terms("1,000 2.5 U.S. soooooo 1000000", "en") == ["1000", "2.5", "us", "soo", "1000000"]


def test_a_query_meets_posts_of_every_language_it_may_be_in() -> None:
    query = query_terms("\u00dcberschwemmungen in K\u00f6ln", ["de"])
    assert query[terms("die \u00dcberschwemmung", "de")[0]] == 1.0
    assert query.keys() >= set(terms("uberschwemmungen", "cs"))
    assert "in" not in query
    unknown = query_terms("\u00dcberschwemmungen")
    assert unknown[terms("die \u00dcberschwemmung", "de")[0]] == OTHER_LANGUAGE


def test_question_words_are_left_out_if_others_remain() -> None:
    assert "what" not in query_terms("what did the mayor say") and "mayor" in query_terms("who is the mayor")
    assert "wer" not in query_terms("wer hat die Br\u00fccke gesperrt", ["de"])
    assert query_terms("The Who")["who"] == 1.0
    assert "to" in query_terms("to be or not to be")


def test_a_question_is_told_from_a_topic() -> None:
    assert is_question("who closed the bridge") and is_question("bridge closed?")
    assert is_question("Warum ist die Br\u00fccke gesperrt")
    assert not is_question("bridge closure Marrowick") and not is_question("")


def test_a_query_joins_neighbours_for_hashtags() -> None:
    assert query_terms("super bowl")["superbowl"] == 0.5
    assert query_terms("flood flood")["flood"] == 2.0


def test_words_keep_everything_for_phrases() -> None:
    assert words("The mayor's #FloodNight, @ann: U.S.") == ["the", "mayor", "s", "floodnight", "ann", "us"]
    assert words("\u6771\u4eac") == ["\u6771", "\u4eac"]


def test_term_ids_are_the_same_in_every_process() -> None:
    assert term_id("flood") == _crc(b"flood")
    code = "from hubbub.index.tokenize import term_id; print(term_id('\\u5730\\u9707'))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(out) == term_id("\u5730\u9707") < 2**32


def _crc(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xEDB88320 * (crc & 1))
    return crc ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    "unit", ["a", "a ", "#", "@a.b", "U.", "e\u0301\u0302", "1,", "a'", "\u5730", "http://"]
)
def test_a_ten_million_character_post_is_cut_short(unit: str) -> None:
    text = unit * (10_000_000 // len(unit))
    assert len(terms(text)) <= 20_000
    assert all(len(term) <= 2 * MAX_WORD + 1 for term in terms(text))
    assert len(query_terms(text)) <= MAX_QUERY_TERMS


@given(st.text(st.characters(), max_size=80), st.sampled_from(LANGS))
def test_any_text_yields_stable_terms(text: str, lang: str | None) -> None:
    first = terms(text, lang)
    assert first == terms(text, lang), "cached and fresh agree"
    assert all(first) and all(0 <= term_id(term) < 2**32 for term in first)
    assert all(words(text))


@given(
    st.lists(
        st.sampled_from(["floods", "#CityHall", "rivers", "\u5730\u9707", "Caf\u00e9", "@ann"]), min_size=1
    )
)
def test_a_post_is_found_by_its_own_text(chosen: list[str]) -> None:
    text = " ".join(chosen)
    for lang in ("en", "de", None):
        assert set(terms(text, lang)) <= query_terms(text, [lang] if lang else []).keys()
