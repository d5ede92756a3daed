import pytest

from hubbub.assistant import Done, Found, Retraction, Shown, answer, ask, still_alive
from hubbub.errors import InvalidQuery
from hubbub.posts import AccountEvent
from hubbub.units import US_PER_DAY
from tests.assistant.world import NOW_US, post

CLOSED = post("Police closed the old bridge in Alder at noon because of driftwood.", "courier", minute=50)
ECHO = post("The old bridge in Alder is closed by police, driftwood is hitting it.", "ann", minute=53)
SHELTER = post("The school gym in Alder opens as a shelter for everybody tonight.", "mayor", minute=40)
DAM_BROKE = post("The Hollin dam has broken, a wave is coming down the valley.", "kev", minute=10)
DAM_HOLDS = post("FALSE: the Hollin dam has NOT broken, says the keeper.", "nora", minute=30)
GERMAN = post("In Alder ist die alte Br\u00fccke seit Mittag gesperrt.", "bote", minute=45, langs=("de",))
CHATTER = post("what a lovely sandwich i had today", "finn", minute=55)
WORLD = (CLOSED, ECHO, SHELTER, DAM_BROKE, DAM_HOLDS, GERMAN, CHATTER)


def run(world, question, **options):
    return list(ask(world.index, question, clock_us=NOW_US, **options))


def test_events_come_in_order_and_the_answer_holds_what_was_shown(open_world):
    events = run(open_world(*WORLD), "What is happening in Alder?")
    kinds = [type(event) for event in events]
    assert kinds[0] is Found and kinds[-1] is Done and set(kinds[1:-1]) == {Shown}
    done = events[-1].answer
    assert done.sentences == tuple(event.sentence for event in events if isinstance(event, Shown))
    assert done.outcome == "answered" and done.sentences[0].kind == "lead"
    assert done.report.num_sentences_shown == len(done.sentences)


def test_every_quote_is_the_span_of_its_post_to_the_letter(open_world):
    done = answer(open_world(*WORLD).index, "What is happening in Alder?", clock_us=NOW_US)
    texts = {item.id: item.text for item in WORLD}
    citations = [citation for sentence in done.sentences for citation in sentence.citations]
    assert citations
    for citation in citations:
        assert texts[citation.post][citation.start : citation.end] == citation.quote
        assert citation.url == citation.post


def test_the_found_posts_are_given_whole_before_the_first_sentence(open_world):
    found = run(open_world(*WORLD), "What is happening in Alder?")[0]
    assert CLOSED.id in [citation.post for citation in found.posts]
    assert all(citation.quote == citation.quote[citation.start : citation.end] for citation in found.posts)


def test_voices_that_agree_are_counted_and_unrelated_ones_are_not(open_world):
    lead = answer(
        open_world(CLOSED, ECHO, CHATTER).index, "What is happening in Alder?", clock_us=NOW_US
    ).sentences[0]
    assert lead.num_voices == 2 and "two voices" in lead.text


def test_a_false_report_is_told_as_denied_with_both_sides_cited(open_world):
    done = answer(open_world(*WORLD).index, "Has the Hollin dam broken?", clock_us=NOW_US)
    assert done.sentences[0].text.startswith("One voice denies it (@nora")
    conflict = next(sentence for sentence in done.sentences if sentence.kind == "conflict")
    assert conflict.is_conflicting and {c.post for c in conflict.citations} == {DAM_BROKE.id, DAM_HOLDS.id}


def test_a_german_question_is_answered_in_german_from_german_posts_first(open_world):
    done = answer(open_world(*WORLD).index, "Was passiert in Alder?", clock_us=NOW_US)
    assert done.lang == "de" and done.sentences[0].text.startswith("In den letzten 24 Stunden schrieben")
    assert GERMAN.id in [citation.post for sentence in done.sentences for citation in sentence.citations]


def test_nothing_found_is_said(open_world):
    done = answer(open_world(*WORLD).index, "What is happening in Ulan Bator?", clock_us=NOW_US)
    assert (
        done.outcome == "nothing_found"
        and done.sentences[0].kind == "note"
        and not done.sentences[0].citations
    )
    assert done.sentences[0].text == "Nothing was found about Ulan Bator."


def test_one_post_alone_is_called_unconfirmed(open_world):
    done = answer(open_world(SHELTER).index, "Where is the shelter?", clock_us=NOW_US)
    assert done.outcome == "unconfirmed"
    assert done.sentences[0].text.startswith(
        "Only one account posted about this, nobody else confirms it (@mayor"
    )


@pytest.mark.parametrize("question", ["", "???", "hello", "\ud800\x00"])
def test_what_cannot_be_searched_gets_a_note(open_world, question):
    done = answer(open_world(*WORLD).index, question, clock_us=NOW_US)
    assert done.outcome == "not_searchable" and [sentence.kind for sentence in done.sentences] == ["note"]


def test_a_pasted_document_is_refused_before_anything_is_searched(open_world):
    with pytest.raises(InvalidQuery, match="100,000"):
        ask(open_world().index, "x" * 100_000)


def test_a_post_deleted_after_it_was_found_is_never_quoted(open_world):
    world = open_world(*WORLD)
    lead = answer(world.index, "What is happening in Alder?", clock_us=NOW_US).sentences[0].citations[0].post
    events = ask(world.index, "What is happening in Alder?", clock_us=NOW_US)
    assert lead in [citation.post for citation in next(events).posts]
    world.delete(next(item for item in WORLD if item.id == lead))
    rest = list(events)
    cited = [c.post for event in rest if isinstance(event, Shown) for c in event.sentence.citations]
    assert cited and lead not in cited
    assert rest[-1].answer.report.dropped["gone"] >= 1


def test_a_post_edited_after_it_was_found_is_not_quoted_in_its_old_words(open_world):
    world = open_world(SHELTER)
    events = ask(world.index, "Where is the shelter?", clock_us=NOW_US)
    next(events)
    world.edit(SHELTER, "The shelter has moved, see the town's page for the new address.")
    done = list(events)[-1].answer
    assert done.report.dropped["changed"] == 1
    assert [sentence.kind for sentence in done.sentences] == ["note"]


def test_a_sentence_whose_post_dies_before_the_end_is_taken_back(open_world):
    world = open_world(*WORLD)
    events = ask(world.index, "What is happening in Alder?", clock_us=NOW_US)
    first = next(event for event in events if isinstance(event, Shown)).sentence
    world.fold(AccountEvent(author=first.citations[0].author, status="suspended", received_us=NOW_US))
    rest = list(events)
    taken = [event for event in rest if isinstance(event, Retraction)]
    assert [retraction.sentence for retraction in taken] == [first.id]
    assert first.id not in [sentence.id for sentence in rest[-1].answer.sentences]
    assert rest[-1].answer.report.dropped["retracted"] == 1


def test_an_open_answer_owes_a_retraction_once_a_cited_post_is_lost(open_world):
    done = answer(open_world(*WORLD).index, "What is happening in Alder?", clock_us=NOW_US)
    cited = done.sentences[0].citations[0].post
    assert still_alive(done, {cited})[0] == Retraction(sentence=0, post=cited)
    assert still_alive(done, {"https://elsewhere.example/1"}) == []


def test_a_replay_never_sees_what_came_after_its_clock(open_world):
    done = answer(open_world(*WORLD).index, "Has the Hollin dam broken?", clock_us=DAM_BROKE.received_us)
    assert {c.post for sentence in done.sentences for c in sentence.citations} == {DAM_BROKE.id}
    assert "just now" in done.sentences[0].text


def test_news_older_than_a_day_are_found_where_there_is_nothing_newer(open_world):
    done = answer(open_world(*WORLD).index, "What is happening in Alder?", clock_us=NOW_US + 3 * US_PER_DAY)
    assert done.outcome == "answered" and "In the last 7 days" in done.sentences[0].text


def test_time_words_narrow_the_search(open_world):
    world = open_world(*WORLD)
    done = answer(world.index, "What happened at the Hollin dam in the last 20 minutes?", clock_us=NOW_US)
    assert done.outcome == "nothing_found" and "in the last 20 minutes" in done.sentences[0].text


def test_bots_and_the_operators_own_account_are_no_evidence(open_world):
    own = post(
        "The old bridge in Alder is open again, our records show.", "hubbubbot", minute=51, is_bot=True
    )
    operator = post("The old bridge in Alder is painted pink by the city.", "operator", minute=52)
    world = open_world(own, operator, CLOSED)
    done = answer(
        world.index, "What is happening in Alder?", clock_us=NOW_US, excluded_authors=(operator.author,)
    )
    assert {c.handle for sentence in done.sentences for c in sentence.citations} == {"courier"}


def test_filters_are_passed_through(open_world):
    done = answer(
        open_world(*WORLD).index, "What is happening in Alder?", clock_us=NOW_US, authors=(SHELTER.author,)
    )
    assert {c.handle for sentence in done.sentences for c in sentence.citations} == {"mayor"}


def test_the_number_of_sentences_is_kept(open_world):
    assert (
        len(
            answer(open_world(*WORLD).index, "What is happening?", clock_us=NOW_US, max_sentences=2).sentences
        )
        <= 2
    )


def test_all_who_say_so_in_other_words_are_counted_for_a_check(open_world):
    world = open_world(
        post("The old bridge in Alder is closed because driftwood hits its pier.", "ann", minute=5),
        post("Buses take the long way round: the Alder bridge is closed tonight.", "bob", minute=9),
    )
    lead = answer(world.index, "Is the Alder bridge closed?", clock_us=NOW_US).sentences[0]
    assert lead.num_voices == 2 and lead.text.startswith("Two voices say so")


def test_figures_that_differ_are_told_side_by_side(open_world):
    few = post("About 80 people were evacuated from Weir Lane in Alder so far.", "courier", minute=5)
    many = post("112 people were evacuated from Weir Lane in Alder, the mayor counts.", "mayor", minute=50)
    done = answer(open_world(few, many).index, "How many people were evacuated in Alder?", clock_us=NOW_US)
    conflict = next(sentence for sentence in done.sentences if sentence.kind == "conflict")
    assert conflict.text.startswith("Figures differ") and {c.post for c in conflict.citations} == {
        few.id,
        many.id,
    }


def test_a_question_that_nothing_answers_outright_is_told_so(open_world):
    done = answer(open_world(CLOSED, ECHO).index, "How many bridges does Alder have?", clock_us=NOW_US)
    assert "perhaps none of them answers" in done.sentences[-1].text


def test_a_post_of_ten_million_characters_is_read_at_its_beginning(open_world):
    long = post(
        "The old bridge in Alder is closed by police today. " + "blah #x " * 1_250_000, "long", minute=55
    )
    done = answer(open_world(long, CLOSED).index, "What is happening in Alder?", clock_us=NOW_US)
    assert done.outcome == "answered" and max(len(sentence.text) for sentence in done.sentences) < 500
