import pytest

from hubbub.assistant.question import understand
from hubbub.errors import InvalidQuery
from tests.assistant.world import NOW_US


@pytest.mark.parametrize(
    ("text", "lang", "intent", "topic"),
    [
        ("What is happening in Egypt?", "en", "news", "Egypt"),
        ("what's going on in Cairo today?", "en", "news", "Cairo"),
        ("any news about the iPhone", "en", "news", "iPhone"),
        ("What do people say about United Airlines?", "en", "opinion", "United Airlines"),
        ("What do posts say about the ferry?", "en", "topic", "ferry"),
        ("Was schreiben Zeitungen \u00fcber die F\u00e4hre?", "de", "topic", "F\u00e4hre"),
        ("What happens if the dam breaks?", "en", "what", "happens if the dam breaks"),
        ("Is it true that the dam broke?", "en", "check", "dam broke"),
        ("Did Mubarak resign?", "en", "check", "Mubarak resign"),
        ("When does the curfew start?", "en", "when", "curfew start"),
        ("Who was arrested in Cairo?", "en", "who", "arrested in Cairo"),
        ("Where is the shelter?", "en", "where", "shelter"),
        ("How many people were evacuated?", "en", "number", "people were evacuated"),
        ("curfew", "en", "topic", "curfew"),
        ("Was passiert in Berlin?", "de", "news", "Berlin"),
        ("Was ist seit Montag in Berlin passiert?", "de", "news", "Berlin"),
        ("Was sagen die Leute zum Lockdown?", "de", "opinion", "Lockdown"),
        ("Stimmt es, dass die Br\u00fccke gesperrt ist?", "de", "check", "Br\u00fccke gesperrt"),
        ("Wann beginnt der Lockdown?", "de", "when", "beginnt der Lockdown"),
        ("what is happening?", "en", "news", ""),
        ("What is happening with the war?", "en", "news", "war"),
        ("Mexico drug war", "en", "topic", "Mexico drug war"),
        ("Did anybody die?", "en", "check", "die"),
        ("Was anyone hurt?", "en", "check", "hurt"),
        ("What do politicians say about nuclear power?", "en", "opinion", "nuclear power"),
        (
            "What did Obama say in the State of the Union?",
            "en",
            "said",
            "Obama say in the State of the Union",
        ),
        ("what did gen mattis say we need?", "en", "said", "gen mattis say we need"),
        ("What did fans say about the final?", "en", "opinion", "final"),
        ("what is seth meyers hoping for?", "en", "what", "seth meyers hoping"),
        ("What is known about the dam?", "en", "news", "dam"),
        ("Was ist \u00fcber den Damm bekannt?", "de", "news", "Damm"),
        ("Was sagt der Dammwart?", "de", "said", "Dammwart"),
        ("Was war gestern Abend?", "de", "news", ""),
        ("Was war heute Nacht in Berlin los?", "de", "news", "Berlin"),
        ("Gab es Verletzte?", "de", "check", "Verletzte"),
        ("Kann man das Wasser trinken?", "de", "check", "Wasser trinken"),
        ("What happened between 9pm and 10pm?", "en", "news", ""),
        ("#IlverFlood", "en", "news", "#IlverFlood"),
        ("Was ist heute los?", "de", "news", ""),
    ],
)
def test_a_question_is_understood(text, lang, intent, topic):
    asked = understand(text, NOW_US)
    assert (asked.lang, asked.intent, asked.topic) == (lang, intent, topic)


@pytest.mark.parametrize(
    "text", ["", "   ", "???", "hello", "Hallo!", "is this true?", "\u200b\u202e", "\ud800"]
)
def test_what_cannot_be_searched_is_said_to_be_so(text):
    assert understand(text, NOW_US).intent == "unsearchable"


def test_a_pasted_document_is_refused_with_its_size():
    with pytest.raises(InvalidQuery, match="100,000 characters"):
        understand("x" * 100_000, NOW_US)


def test_an_unknown_answer_language_is_refused():
    with pytest.raises(InvalidQuery, match="'tlh'"):
        understand("what is happening?", NOW_US, lang="tlh")


def test_an_unknown_question_language_is_searched_and_answered_in_english():
    asked = understand("\u00bfQu\u00e9 pasa en Egipto?", NOW_US)
    assert asked.lang == "en" and "Egipto" in asked.topic


def test_two_topics_become_parts():
    assert understand("protests in Egypt and Yemen", NOW_US).parts == ("protests in Egypt", "Yemen")


def test_control_characters_do_not_survive():
    assert (
        understand("what\x1b[31m is \u202ehappening in Cairo?", NOW_US).text
        == "what[31m is happening in Cairo?"
    )


def test_a_clock_that_is_no_time_is_refused():
    with pytest.raises(InvalidQuery, match="nan"):
        understand("what is happening?", float("nan"))  # type: ignore[arg-type]


@pytest.mark.parametrize("clock_us", [0, -(10**18), 10**18])
def test_any_integer_is_a_clock(clock_us):
    assert understand("what happened since Monday in the last 3 weeks?", clock_us).clock_us == clock_us


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("What is happening with the dam?", "the dam"),
        ("Which buses are running?", ""),
        ("Who spread the rumour about the dam?", ""),
        ("Was passiert am Altkai?", "Altkai"),
    ],
)
def test_half_a_sentence_is_no_subject(text, subject):
    assert understand(text, NOW_US).subject == subject


def test_what_is_measured_goes_by_several_names_where_a_number_is_asked_for():
    assert "Pegel".lower() in understand("Wie hoch steht das Wasser?", NOW_US).wanted
    assert "gauge" not in understand("What is happening at the river?", NOW_US).wanted


@pytest.mark.parametrize(
    ("asked", "topic"),
    [
        ("Is the \U0001f436 found?", "dog found"),
        ("\U0001f436?", "dog"),
        ("Was ist mit dem \U0001f436?", "Hund"),
        ("Is the ferry late \U0001f436\U0001f62d?", "ferry late"),
    ],
)
def test_a_picture_may_stand_for_a_word(asked, topic):
    assert understand(asked, NOW_US).topic == topic


@pytest.mark.parametrize("asked", ["Is it open?", "When does it start?", "Is it open on Monday?"])
def test_what_names_no_thing_cannot_be_searched(asked):
    assert understand(asked, NOW_US).intent == "unsearchable"


def test_words_that_lend_force_are_no_topic():
    assert (
        understand("Is the old dam really broken?", NOW_US).terms
        == understand("Is the old dam broken?", NOW_US).terms
    )
