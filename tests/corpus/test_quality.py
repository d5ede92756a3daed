"""Each rule drops what it is for and leaves posts of a few words alone."""

import numpy as np
import pytest

from hubbub.corpus.quality import REASONS, judge
from hubbub.corpus.settings import CorpusSettings
from hubbub.corpus.words import read_words
from hubbub.errors import InvalidInput


def reason(text, is_reply=False, **settings):
    verdict = judge([text], read_words([text]), np.array([is_reply]), CorpusSettings(**settings))[0]
    return REASONS[verdict - 1] if verdict else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the river is rising fast", None),
        ("\u6771\u4eac\u306f\u4eca\u65e5\u3082\u96e8\u3067\u3059", None),
        ("no no no no no no", None),
        ("too short", "too short"),
        ("", "no words"),
        ("123 !!! \U0001f525", "no words"),
        ("a b c d 123 456 789 000 111", "too few letters"),
        ("one two three four #a #b #c #d #e #f", "too many hashtags"),
        ("win now " * 6, "repeats itself"),
    ],
)
def test_each_rule(text, expected):
    assert reason(text) == expected


def test_answers_may_be_short():
    assert reason("thank you", is_reply=True) is None
    assert reason("!!", is_reply=True) == "no words"
    assert reason("too short", min_words=2) is None


def test_settings_that_cannot_be_meant():
    with pytest.raises(InvalidInput, match="similarity is 7"):
        CorpusSettings(similarity=7)
    with pytest.raises(InvalidInput, match="document_chars is 0"):
        CorpusSettings(document_chars=0)
    assert CorpusSettings().digest != CorpusSettings(min_words=3).digest
