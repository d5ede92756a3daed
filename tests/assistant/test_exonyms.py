import pytest

from hubbub.assistant.exonyms import other_name


@pytest.mark.parametrize(
    ("name", "lang", "other"),
    [
        ("\u00c4gypten", "de", "Egypt"),
        ("aegypten", "de", None),
        ("Egypt", "en", "\u00c4gypten"),
        ("Norway", "en", "Norwegen"),
        ("Island", "de", "Iceland"),
        ("island", "en", None),
        ("Pakistan", "de", None),
    ],
)
def test_a_country_has_another_name_in_the_other_language(name, lang, other):
    assert other_name(name, lang) == other
