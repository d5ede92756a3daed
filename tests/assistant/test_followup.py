"""Questions that lean on what was asked before them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.assistant.followup import part, resolve

EGYPT = "What is happening in Egypt?"
PROTESTS = "What is happening with the protests in Egypt today?"
TOWN = "Was ist in Marrowick los?"


@pytest.mark.parametrize(
    ("earlier", "asked", "meant"),
    [
        ([EGYPT], "and in Cairo?", "What is happening in Cairo?"),
        ([EGYPT], "What about Alexandria?", "What is happening in Alexandria?"),
        ([EGYPT], "and yesterday?", "What is happening in Egypt yesterday?"),
        ([EGYPT, "and in Cairo?"], "and today?", "What is happening in Cairo today?"),
        ([EGYPT], "and the police?", "the police in Egypt?"),
        ([EGYPT], "Who says so?", "Who says so Egypt?"),
        ([EGYPT], "How many people died there?", "How many people died there Egypt?"),
        ([PROTESTS], "what about Alexandria?", "What is happening with the protests in Alexandria today?"),
        ([PROTESTS], "and yesterday?", "What is happening with the protests in Egypt yesterday?"),
        ([TOWN], "und in Hollin?", "Was ist in Hollin los?"),
        ([TOWN], "und gestern?", "Was ist in Marrowick los gestern?"),
        ([TOWN], "und die Schulen?", "die Schulen in Marrowick?"),
        ([TOWN], "Wie viele Leute sind dort evakuiert?", "Wie viele Leute sind dort evakuiert Marrowick?"),
        (["Is the old bridge closed?"], "and the ferry?", "Is the ferry closed?"),
        (["Was the airspace over Alder closed?"], "and the school?", "Was the school closed?"),
        (["Is it true that the dam has broken?"], "and the quay?", "Is it true that the quay has broken?"),
        (["How many people died in Cairo?"], "and in Suez?", "How many people died in Suez?"),
        (["How many people died in Cairo?"], "who did it?", "who did it died in Cairo?"),
        (["How many people died?"], "and in Suez?", "How many people died in Suez?"),
        (["How can I donate for Marrowick?"], "and who has donated?", "who has donated for Marrowick?"),
        (["Since when is Mill Bridge closed?"], "and Stone Bridge?", "Since when is Stone Bridge closed?"),
        (["Where is the shelter?"], "and the library?", "Where is the library?"),
        (["Was fordert die FDP?"], "und die SPD?", "Was fordert die SPD?"),
        (["Wer f\u00fchrt die Liste der Union?"], "und der Linken?", "Wer f\u00fchrt die Liste der Linken?"),
        ([TOWN], "und wer hilft?", "wer hilft in Marrowick?"),
    ],
)
def test_what_is_left_out_is_filled_in(earlier, asked, meant):
    assert resolve(asked, earlier) == meant


@pytest.mark.parametrize(
    "asked", ["Is the river still rising?", "What is happening in Peru?", "thanks", "Was ist heute los?"]
)
def test_what_stands_alone_stays(asked):
    assert resolve(asked, [EGYPT]) == asked


@pytest.mark.parametrize(
    ("asked", "parts"),
    [
        ("Is the dam broken and where is the shelter?", ["Is the dam broken?", "where is the shelter?"]),
        ("Is the bridge closed? Why?", ["Is the bridge closed?", "Why bridge closed?"]),
        ("Wer hilft am Kai und wo ist die Halle?", ["Wer hilft am Kai?", "wo ist die Halle?"]),
        ("Who closed the bridge and the school?", None),
        ("Is it true that Ann told who won and why the vote was lost?", None),
        ("What is new? Thanks!", None),
    ],
)
def test_two_things_in_one_question_are_two_questions(asked, parts):
    assert part(asked) == (parts or [asked])


@given(st.lists(st.text(max_size=80), max_size=12), st.text(max_size=80))
def test_any_thread_is_read(earlier, asked):
    assert isinstance(resolve(asked, earlier), str)
    assert resolve(asked, []) == asked
