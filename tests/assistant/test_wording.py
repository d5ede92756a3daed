import pytest

from hubbub.assistant.wording import Said, Scene
from hubbub.assistant.write import wording
from hubbub.units import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE, US_PER_S

SCENE = Scene(intent="news", subject="Cairo", window="", window_us=US_PER_DAY, num_voices=9, is_more=False)


def said(num_voices: int = 1, handle: str | None = "mayor", first: int = 0, last: int = 0) -> Said:
    return Said(
        quote="The bridge is closed",
        num_voices=num_voices,
        handle=handle,
        first_age_us=first * US_PER_MINUTE,
        last_age_us=last * US_PER_MINUTE,
    )


@pytest.mark.parametrize(
    ("age_us", "english", "german"),
    [
        (0, "just now", "gerade eben"),
        (59 * US_PER_S, "just now", "gerade eben"),
        (US_PER_MINUTE, "1 minute ago", "vor einer Minute"),
        (12 * US_PER_MINUTE, "12 minutes ago", "vor 12 Minuten"),
        (59 * US_PER_MINUTE + 40 * US_PER_S, "1 hour ago", "vor einer Stunde"),
        (3 * US_PER_HOUR, "3 hours ago", "vor 3 Stunden"),
        (36 * US_PER_HOUR, "2 days ago", "vor 2 Tagen"),
        (200 * US_PER_DAY, "7 months ago", "vor 7 Monaten"),
        (2_000 * US_PER_DAY, "5 years ago", "vor 5 Jahren"),
    ],
)
def test_ages_are_told_in_one_unit(age_us, english, german):
    assert (wording("en").age(age_us), wording("de").age(age_us)) == (english, german)


def test_one_voice_is_named_and_several_are_counted():
    assert wording("en").story(said()) == "One voice (@mayor, just now): \u201cThe bridge is closed\u201d."
    assert wording("en").story(said(3, first=9, last=2)) == (
        "Three voices (first 9 minutes ago, latest 2 minutes ago): \u201cThe bridge is closed\u201d."
    )
    assert wording("de").story(said(13, last=2, first=2)) == (
        "13 Stimmen (vor 2 Minuten): \u201eThe bridge is closed\u201c."
    )


@pytest.mark.parametrize(
    ("lang", "text"),
    [
        ("en", "In the last 24 hours, nine voices wrote about Cairo. Main story (two voices, just now): "),
        ("de", "In den letzten 24 Stunden schrieben neun Stimmen zum Thema Cairo. Vor allem (zwei Stimmen, "),
    ],
)
def test_the_lead_sums_up(lang, text):
    assert wording(lang).lead(SCENE, said(2), "near").startswith(text)


def test_a_question_for_a_check_is_told_who_says_and_who_denies():
    import msgspec

    scene = msgspec.structs.replace(SCENE, intent="check")
    assert wording("en").lead(scene, said(2), "says").startswith("Two voices say so (just now): ")
    assert wording("en").lead(scene, said(1), "denies").startswith("One voice denies it (@mayor, just now): ")
    assert (
        wording("de").lead(scene, said(2), "denies").startswith("Zwei Stimmen verneinen das (gerade eben): ")
    )


@pytest.mark.parametrize("lang", ["en", "de"])
def test_a_quote_that_ends_its_sentence_gets_no_second_stop(lang):
    import msgspec

    done = msgspec.structs.replace(said(), quote='The mayor: "All is well."')
    assert not wording(lang).story(done).endswith(".")


def test_an_answer_hedges_once():
    import msgspec

    fact = msgspec.structs.replace(SCENE, intent="where", num_voices=1, is_doubtful=True)
    assert (
        wording("en")
        .lead(fact, said(1), "near")
        .startswith("Only one account posted about this, perhaps no answer")
    )
    several = msgspec.structs.replace(fact, num_voices=9)
    assert (
        wording("en")
        .lead(several, said(2), "near")
        .startswith("Perhaps no answer, but the closest (two of nine voices")
    )
    assert (
        wording("de")
        .lead(several, said(2), "near")
        .startswith("Vielleicht keine Antwort, aber am n\u00e4chsten")
    )


def test_an_automatic_source_is_called_one():
    assert wording("en").story(said(0)).startswith("An automatic source (@mayor, just now)")
    assert wording("de").story(said(0)).startswith("Automatische Quelle (@mayor, gerade eben)")


def test_neither_said_nor_denied_is_told_so():
    import msgspec

    check = msgspec.structs.replace(SCENE, intent="check")
    assert (
        wording("en")
        .lead(check, said(2), "near")
        .startswith("Nobody who was found says or denies it outright.")
    )
    assert (
        wording("de")
        .lead(check, said(2), "near")
        .startswith("Kein gefundener Beitrag sagt oder verneint das.")
    )
