import pytest

from hubbub.assistant import Done, Found, Retraction, Shown, answer, ask, still_alive
from hubbub.errors import InvalidQuery
from hubbub.index.query import Query
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
    note, lead = done.sentences[:2]
    assert (
        note.text
        == "Nothing was found about the Hollin dam in the last 20 minutes; this is from other times."
    )
    assert note.kind == "note" and lead.kind == "lead" and "in the last" not in lead.text


def test_bots_and_the_operators_own_account_are_no_evidence(open_world):
    own = post(
        "The old bridge in Alder is open again, our records show.", "hubbubbot", minute=51, is_bot=True
    )
    operator = post("The old bridge in Alder is painted pink by the city.", "operator", minute=52)
    world = open_world(own, operator, CLOSED)
    done = answer(
        world.index,
        "What is happening in Alder?",
        clock_us=NOW_US,
        within=Query(excluded_authors=(operator.author,)),
    )
    assert {c.handle for sentence in done.sentences for c in sentence.citations} == {"courier"}


def test_filters_are_passed_through(open_world):
    done = answer(
        open_world(*WORLD).index,
        "What is happening in Alder?",
        clock_us=NOW_US,
        within=Query(authors=(SHELTER.author,)),
    )
    assert {c.handle for sentence in done.sentences for c in sentence.citations} == {"mayor"}


def test_the_number_of_sentences_is_kept_but_for_contradictions(open_world):
    done = answer(open_world(*WORLD).index, "What is happening?", clock_us=NOW_US, max_sentences=2)
    assert sum(sentence.kind != "conflict" for sentence in done.sentences) <= 2


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


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("How many bridges does Alder have?", None),
        ("How many unicorns were seen?", None),
        ("When is the parade in Alder?", None),
        ("Wie viele Einh\u00f6rner wurden gesehen?", None),
        ("Wer hat den Umzug in Alder gesehen?", None),
        ("Who saw the parade in Alder?", "a fire officer"),
        ("How many dogs were seen in Alder?", "3 dogs"),
        ("Wo ist das Rathaus?", "am Markt"),
        ("Where is the shelter?", "the gym"),
    ],
)
def test_who_asks_for_a_number_a_time_a_name_or_a_place_is_told_one_or_nothing(open_world, question, told):
    world = open_world(
        CLOSED,
        ECHO,
        post('"only 3 minutes left" is the most honest advert that was ever seen', "sid"),
        post("the parade in Alder was seen and was loud", "ann", minute=1),
        post("The parade in Alder was seen by a fire officer", "bob", minute=2),
        post("3 dogs were seen in Alder near the quay.", "cat", minute=3),
        post("der umzug in Alder gesehen und laut gewesen", "dan", minute=4, langs=("de",)),
        post("Das Rathaus steht am Markt und ist offen.", "eve", minute=5, langs=("de",)),
        post("The shelter is in the gym of the old school.", "fay", minute=6),
        *(post(f"Drying blankets for the shelter, load {n}, least one can do", f"g{n}") for n in range(3)),
    )
    sentences = answer(world.index, question, clock_us=NOW_US).sentences
    assert (told in sentences[0].text) if told else [each.kind for each in sentences] == ["note"]


def test_a_condition_denies_nothing(open_world):
    world = open_world(
        post(
            "Shelter: gym of Alder School. If you cannot walk there, hang a white cloth out.",
            "hall",
            minute=9,
        ),
        post("Walk to the shelter in the Alder gym or take the shuttle bus.", "hall", minute=5),
    )
    done = answer(world.index, "What is happening with the shelter in Alder?", clock_us=NOW_US)
    assert "conflict" not in [sentence.kind for sentence in done.sentences]


def test_a_post_of_ten_million_characters_is_read_at_its_beginning(open_world):
    long = post(
        "The old bridge in Alder is closed by police today. " + "blah #x " * 1_250_000, "long", minute=55
    )
    done = answer(open_world(long, CLOSED).index, "What is happening in Alder?", clock_us=NOW_US)
    assert done.outcome == "answered" and max(len(sentence.text) for sentence in done.sentences) < 500


def first(world, question, **options):
    return answer(world.index, question, clock_us=NOW_US, **options).sentences[0]


def test_of_one_authors_updates_the_newest_is_quoted(open_world):
    world = open_world(
        post("The river at Alder stands at 290 cm at noon, stage 1.", "waterworks", minute=0),
        post("The river at Alder stands at 340 cm at half past, stage 2.", "waterworks", minute=30),
        post("The river at Alder stands at 407 cm at one, stage 3.", "waterworks", minute=58),
    )
    lead = first(world, "What is happening at the river in Alder?")
    assert "407 cm" in lead.text and lead.first_us == lead.last_us


def test_an_older_reading_of_another_author_does_not_lead(open_world):
    world = open_world(
        post("The river at Alder stands at 290 cm at the old quay.", "waterworks", minute=0),
        post("The river at Alder is at 4.38 m at the old quay now.", "nora", minute=58),
    )
    assert "4.38 m" in first(world, "How high is the river at Alder?").text


def test_a_gauge_is_an_automatic_source_and_no_voice(open_world):
    world = open_world(
        post("Alder gauge, river level at 12:50: 448 cm", "gaugebot", minute=51, is_bot=True),
        post("Somebody should look after the river in Alder some day.", "ann", minute=20),
    )
    lead = first(world, "How high is the river in Alder?")
    assert "automatic source @gaugebot" in lead.text and lead.num_voices == 0


def test_protected_from_looting_is_not_looted(open_world):
    world = open_world(
        post(
            "Citizens form a chain around the Alder museum to protect it from being looted.", "ann", minute=5
        ),
        post("A human shield guards the Alder museum against looting tonight.", "bob", minute=9),
    )
    lead = first(world, "Is the Alder museum being looted?")
    assert lead.text.startswith("Nobody who was found says or denies it outright. Closest (")


def test_figures_are_preferred_where_a_number_is_asked_for(open_world):
    world = open_world(
        post("EVACUATION: Weir Lane in Alder must be cleared by 20:50 tonight.", "hall", minute=50),
        post("About 80 people have had to leave their homes in Alder so far.", "courier", minute=40),
    )
    assert "80 people" in first(world, "How many people were evacuated in Alder?").text


def test_who_names_no_figure_does_not_confirm_one(open_world):
    world = open_world(
        post("Official: 112 people were evacuated from Tanner's Row and Weir Lane in Alder.", "hall"),
        post("Only Tanner's Row and Weir Lane in Alder were evacuated.", "mayor", minute=9),
    )
    assert first(world, "How many people were evacuated in Alder?").num_voices == 1


def test_a_year_is_no_count(open_world):
    world = open_world(
        post("The 2011 budget speech in Alder was about schools and bridges.", "ann", minute=1),
        post("The 2010 budget speech in Alder was about schools and bridges too.", "bob", minute=2),
    )
    done = answer(world.index, "What is happening with the budget speech in Alder?", clock_us=NOW_US)
    assert "conflict" not in [sentence.kind for sentence in done.sentences]


def test_a_rumour_is_not_told_without_the_correction_that_names_another_place(open_world):
    world = open_world(
        post("The Hollin dam has broken, a wave will reach Alder in twenty minutes.", "kev", minute=30),
        post("CORRECTION: the Hollin dam has NOT broken, says the keeper.", "works", minute=40),
    )
    done = answer(world.index, "What is happening in Alder?", clock_us=NOW_US)
    assert "NOT broken" in done.sentences[0].text
    assert done.sentences[1].text.startswith("Before that, one voice had claimed the opposite")


def test_who_alone_says_no_does_not_overturn_many(open_world):
    many = [
        "The council cuts the ferry to Alder next week.",
        "From Monday the council cuts the ferry to Alder, they say in the town.",
        "Ferry to Alder gets cut by the council, tickets are refunded.",
    ]
    world = open_world(
        *(post(text, f"voice{n}", minute=n) for n, text in enumerate(many)),
        post("Don't cut the ferry to Alder, dear council.", "zoe", minute=30),
    )
    done = answer(world.index, "What is happening with the ferry to Alder?", clock_us=NOW_US)
    assert "Don't cut" not in done.sentences[0].text
    assert "ferry to Alder" in done.sentences[0].text.replace("Ferry", "ferry")
    assert "conflict" not in [sentence.kind for sentence in done.sentences]


def test_a_quotation_stays_with_its_speaker(open_world):
    world = open_world(
        post('Mayor Amber, from the quay: "The wall is holding, please stay at home."', "hall")
    )
    assert "The wall is holding" in first(world, "What did the mayor say?").text


def test_the_sentence_that_holds_the_time_is_quoted_with_the_one_that_names_the_bridge(open_world):
    world = open_world(
        post(
            "Alder Bridge stays closed. Engineers look at the pier on Sunday from 08:00.", "hall", minute=50
        ),
        post("Map of the town: the Alder Bridge is still closed.", "maya", minute=55),
    )
    quote = first(world, "When will the Alder Bridge open again?").citations[0].quote
    assert quote == "Alder Bridge stays closed. Engineers look at the pier on Sunday from 08:00."


def test_a_coming_weekday_is_no_window_into_the_past(open_world):
    world = open_world(
        post("All schools in Alder open as usual on Monday, says the council.", "hall", minute=9)
    )
    assert "open as usual on Monday" in first(world, "Is the Alder school open on Monday?").text


def test_without_a_topic_what_many_speak_of_comes_first(open_world):
    world = open_world(
        post("Fire at the old mill in Weir Lane, keep away.", "ann", minute=10),
        post("Smoke over Weir Lane, the old mill burns badly.", "bob", minute=14),
        post("Three engines are in Weir Lane because the old mill burns.", "cem", minute=20),
        post("My neighbour painted a wonderful fence this afternoon.", "dan", minute=58),
        post("Train to Kaltenau was late by eleven minutes again.", "eve", minute=59),
    )
    assert "old mill" in first(world, "What is happening?").text


def test_a_bare_hashtag_asks_for_news_that_carry_it(open_world):
    world = open_world(
        post("The wells are uphill from the flood, all is fine with them.", "works", minute=50),
        post(
            "Alder school is closed because of the water. #AlderFlood",
            "hall",
            minute=20,
            hashtags=("AlderFlood",),
        ),
    )
    done = answer(world.index, "#AlderFlood", clock_us=NOW_US)
    assert {c.handle for sentence in done.sentences for c in sentence.citations} == {"hall"}


def test_the_first_search_is_shown_before_any_other(open_world):
    world = open_world(*WORLD)
    calls = []

    class Watching:
        def search(self, query):
            calls.append("search")
            return world.index.search(query)

        def fetch(self, ids, for_prompt=False):
            return world.index.fetch(ids, for_prompt=for_prompt)

        def near_words(self, word):
            return world.index.near_words(word)

        def embed(self, texts):
            return world.index.embed(texts)

    events = ask(Watching(), "What is happening in Alder?", clock_us=NOW_US)
    assert isinstance(next(events), Found) and calls == ["search"]


def test_a_post_that_holds_the_date_is_read_however_many_only_name_the_matter(open_world):
    talk = (
        post(f"The {word} talks about the council election again", word, minute=n)
        for n, word in enumerate(f"{a}{b}board" for a in "bcdfghklmn" for b in "aeiouaei")
    )
    world = open_world(
        *talk, post("The council election is on 26 September, says the town.", "hall", minute=1)
    )
    assert "26 September" in first(world, "When is the council election?").text


def test_an_update_that_says_so_replaces_what_it_resembles_little(open_world):
    world = open_world(
        post("LOST DOG: Patch slipped his lead near the Alder mill at noon.", "hattie", minute=5),
        post("LOST DOG UPDATE: Patch was found in the music room of the school.", "hattie", minute=50),
    )
    done = answer(world.index, "What about the lost dog?", clock_us=NOW_US)
    told = " ".join(sentence.text for sentence in done.sentences)
    assert "was found" in told and "slipped" not in told


def test_a_second_statement_of_the_same_kind_does_not_replace_the_first(open_world):
    world = open_world(
        post("EVACUATION: Tanner's Row in Alder must be cleared by 20:15.", "hall", minute=10),
        post("EVACUATION, second street: Weir Lane in Alder must also be cleared.", "hall", minute=40),
    )
    done = answer(world.index, "Which streets in Alder must be cleared?", clock_us=NOW_US)
    told = " ".join(sentence.text for sentence in done.sentences)
    assert "Tanner's Row" in told and "Weir Lane" in told


def test_the_sentence_before_may_hold_the_figure(open_world):
    world = open_world(
        post("It stands at 448 cm at eleven. This is the crest in Alder. The bags add 40 cm.", "works")
    )
    quote = first(world, "How high was the crest in Alder?").citations[0].quote
    assert quote.startswith("It stands at 448 cm")


def test_each_of_two_questions_in_one_is_answered_or_named(open_world):
    world = open_world(
        post("The mill bridge in Alder is closed since noon, says the police.", "a", minute=10),
        post("The shelter is in the gym of the school on Hazel Lane.", "b", minute=20),
    )
    asked = "Is the mill bridge closed and where is the shelter? Who found the unicorn?"
    done = answer(world.index, asked, clock_us=NOW_US)
    told = [sentence for sentence in done.sentences if sentence.kind == "lead"]
    assert done.question == asked and done.outcome == "unconfirmed"
    assert "closed since noon" in told[0].text and "Hazel Lane" in told[1].text
    assert told[0].story != told[1].story
    assert done.sentences[-1].text.startswith("Who found the unicorn? Nothing was found")
    assert [sentence.id for sentence in done.sentences] == list(range(len(done.sentences)))
