"""Whether a quote holds the kind of thing that a question asks for."""

import pytest

from hubbub.assistant.aptness import Kind
from hubbub.assistant.question import understand
from tests.assistant.world import NOW_US

WHEN, SINCE = "When was the mill bridge closed?", "Seit wann ist die M\u00fchlbr\u00fccke gesperrt?"
WHY, WHERE = "Why is the mill bridge closed?", "Where is the shelter?"
COUNT, RAIN = "How many people are in the shelter?", "How much did it rain?"


@pytest.mark.parametrize(
    ("question", "quote", "is_held"),
    [
        (WHEN, "The mill bridge is closed from 18:20.", True),
        (WHEN, "The mill bridge stays closed, engineers look at it on Sunday.", False),
        (WHEN, "Map updated 00:30: mill bridge closed.", False),
        (WHEN, "The bridge is closed. This is what he said until now.", False),
        (WHEN, "Water 448 cm, mill bridge closed, power back since 22:31, all safe, none hurt.", False),
        ("When will the mill bridge be open?", "The mill bridge stays closed until Sunday.", True),
        (SINCE, "Die M\u00fchlbr\u00fccke ist seit 18:20 Uhr gesperrt.", True),
        (SINCE, "Die M\u00fchlbr\u00fccke bleibt bis Sonntag gesperrt.", False),
        (WHY, "Buses take another way because the mill bridge is closed.", False),
        (WHY, "The mill bridge is closed because of driftwood.", True),
        (WHERE, "The shelter is in the gym of the school.", True),
        (WHERE, "Two families came to us at the shelter in the morning.", False),
        (WHERE, "Biscuits from the party went to the shelter.", False),
        (COUNT, "The shelter has 57 people and 80 beds.", True),
        (COUNT, "Two families sleep in the shelter.", False),
        (COUNT, "Thanks to all who help in the shelter (3/4).", False),
        (RAIN, "71 mm of rain since noon.", True),
        (RAIN, "The first rain fell two days ago.", False),
        ("What is the shelter?", "It is a gym.", True),
    ],
)
def test_a_quote_holds_what_is_asked_for(question, quote, is_held):
    assert Kind(understand(question, NOW_US)).holds(quote) is is_held


def test_a_name_that_the_question_gives_is_no_answer():
    kind = Kind(understand("Who is Anna Velt?", NOW_US))
    assert not kind.may_be_in("Velt is well.") and kind.may_be_in("Velt is the mayor.")
