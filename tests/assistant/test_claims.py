import msgspec
import pytest

from hubbub.assistant.claims import Claim
from hubbub.assistant.evidence import gather
from hubbub.assistant.question import understand
from hubbub.assistant.voices import collapse
from tests.assistant.world import NOW_US, post


def stance(question: str, text: str, lang: str = "en") -> str:
    """The stance of a post's only sentence."""
    asked = msgspec.structs.replace(understand(question, NOW_US), is_for_one=True)
    pool = gather(asked, collapse([post(text, langs=(lang,))], [1.0]), lambda texts: [[0.0]] * len(texts))
    return Claim(asked).stance(pool.evidence[0])


@pytest.mark.parametrize(
    ("question", "text", "expected"),
    [
        ("Has the dam broken?", "The Hollin dam has broken this evening.", "says"),
        ("Has the dam broken?", "The Hollin dam has NOT broken, says the keeper.", "denies"),
        ("Has the dam not broken?", "The Hollin dam has NOT broken, says the keeper.", "says"),
        ("Has the dam broken?", "Who has seen that the Hollin dam has broken?", "near"),
        ("Has the dam broken?", "FALSE: the Hollin dam has broken this evening.", "near"),
        ("Must the schools close?", "As long as schools are not open parents need money.", "near"),
        ("Has the dam broken?", "If the dam has broken we will all see it soon.", "near"),
        ("Has the dam broken?", "People are saying the dam has broken up there.", "near"),
        ("Has the dam broken?", "The town fears that the dam has broken tonight.", "near"),
        ("Is the museum looted?", "Students protect the museum from being looted tonight.", "near"),
        ("Is the museum looted?", "Thieves looted the museum on the square tonight.", "says"),
        ("Is the internet down in Alder?", "Alder cuts off most internet and cell service.", "says"),
        ("Is the internet down in Alder?", "The internet in Alder has many friends these days.", "near"),
        ("Is all of Alder evacuated?", "Two streets in Alder were evacuated this evening.", "near"),
        ("Was anyone hurt?", "The balance of the night so far, none seriously hurt.", "denies"),
        ("Has the dam broken?", "The Hollin dam is intact, say the waterworks and the mayor.", "denies"),
        ("Is the dam intact?", "The Hollin dam is intact, say the waterworks and the mayor.", "says"),
        ("Is the power out?", "The power is back in all of the quarter since ten.", "denies"),
        ("Is the power back?", "There is a power outage in our whole quarter again.", "denies"),
        ("Is the bridge open?", "The bridge is closed to all until Sunday morning.", "denies"),
        ("Is the bridge closed?", "The bridge was opened again for all at noon.", "denies"),
        ("Is the bridge closed?", "The bridge stays shut, and the Stone Bridge is open.", "near"),
        ("Is the bridge closed?", "The way is long but our Stone Bridge is open.", "near"),
        ("Is Stone Bridge open?", "Over the old bridge, which is closed, nobody walks.", "near"),
        ("Is there school on Monday?", "The school stays closed on Monday, says the town.", "denies"),
        ("Is the bridge open?", "The bridge should be open for everybody in this town.", "near"),
    ],
)
def test_a_quote_says_so_only_where_it_asserts_every_word(question, text, expected):
    assert stance(question, text) == expected


def test_in_german_as_well():
    assert (
        stance("Ist die Br\u00fccke gesperrt?", "Die M\u00fcllerbr\u00fccke ist voll gesperrt.", "de")
        == "says"
    )
    assert (
        stance("Ist der Strom wieder da?", "Bitte Strom abstellen und die T\u00fcren abschlie\u00dfen.", "de")
        == "near"
    )
    assert (
        stance("Ist am Montag Schule?", "Die Schule bleibt am Montag geschlossen, sagt die Stadt.", "de")
        == "denies"
    )
    hoped = "wenn montag die schule ausf\u00e4llt glaube ich wieder an wunder"
    assert stance("F\u00e4llt die Schule am Montag aus?", hoped, "de") == "near"
    assert stance("Ist der Damm gebrochen?", "Der Damm ist NICHT gebrochen, sagt der Wart.", "de") == "denies"
