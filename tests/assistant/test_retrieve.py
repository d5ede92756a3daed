from hubbub.assistant.question import understand
from hubbub.assistant.retrieve import MAX_PER_AUTHOR, Findings, Search
from tests.assistant.world import NOW_US, post


def findings(world, question) -> Findings:
    search = Search(world.index, understand(question, NOW_US))
    return search.further(search.first())


def found(world, question):
    return {item.text for item in findings(world, question).posts}


def test_posts_that_do_not_name_the_topic_are_not_found(open_world):
    world = open_world(post("The curfew begins at 6 pm"), post("My new job starts on Monday"))
    assert found(world, "When does the curfew start?") == {"The curfew begins at 6 pm"}


def test_a_place_that_nobody_names_is_found_by_its_tag_and_its_offices(open_world):
    world = open_world(
        post("Alder is under water #AlderFlood", "ann", hashtags=("AlderFlood",)),
        post("Alder fire brigade is pumping cellars #AlderFlood", "bob", hashtags=("AlderFlood",)),
        post("The mill bridge is closed #AlderFlood", "cem", hashtags=("AlderFlood",)),
        post("Schools stay shut tomorrow", "hall", name="City of Alder"),
        post("Lovely weather in the south", "dan"),
    )
    texts = found(world, "What is happening in Alder?")
    assert "The mill bridge is closed #AlderFlood" in texts and "Schools stay shut tomorrow" in texts
    assert "Lovely weather in the south" not in texts


def test_a_tag_that_is_its_authors_own_name_widens_nothing(open_world):
    world = open_world(
        post("Lockdown is wrong #OurParty", "ourparty_one", hashtags=("OurParty",)),
        post("Lockdown is very wrong indeed #OurParty", "ourparty_two", hashtags=("OurParty",)),
        post("Lower the broadcasting fee #OurParty", "ourparty_two", hashtags=("OurParty",), minute=2),
    )
    assert "Lower the broadcasting fee #OurParty" not in found(world, "What is happening with the lockdown?")


def test_of_two_topics_either_is_found(open_world):
    world = open_world(
        post("Protests in Yemen grow"), post("Calm returns to Tunisia"), post("Snow in Norway")
    )
    assert found(world, "What is happening in Tunisia and Yemen?") == {
        "Protests in Yemen grow",
        "Calm returns to Tunisia",
    }


def test_a_german_compound_holds_its_last_part(open_world):
    world = open_world(post("Die M\u00fcllerbr\u00fccke ist gesperrt", langs=("de",)))
    assert found(world, "Welche Br\u00fccken sind gesperrt?")


def test_one_loud_account_is_capped(open_world):
    posts = [
        post(f"Alder report number {n} on the {'abcdefghijkl'[n] * 5}", "loud", minute=n) for n in range(12)
    ]
    assert len(found(open_world(*posts), "What is happening in Alder?")) == MAX_PER_AUTHOR


def test_a_tag_of_few_who_name_the_place_does_not_stand_for_it(open_world):
    world = open_world(
        *(post(f"In Borg people number {n} march for bread", f"borg{n}", minute=n) for n in range(6)),
        post("First Borg, now Carn #Carn", "ann", hashtags=("Carn",), minute=7),
        post("Borg showed the way to us #Carn", "bob", hashtags=("Carn",), minute=8),
        post("The army is in the streets #Carn", "cem", hashtags=("Carn",), minute=9),
    )
    assert "The army is in the streets #Carn" not in found(world, "What is happening in Borg?")


def test_only_those_who_name_the_place_count_as_writing_about_it(open_world):
    world = open_world(
        post("Alder is under water #ValeFlood", "ann", hashtags=("ValeFlood",)),
        post("Alder fire brigade is pumping cellars #ValeFlood", "bob", hashtags=("ValeFlood",)),
        post("The mill bridge is closed #ValeFlood", "cem", hashtags=("ValeFlood",)),
    )
    seen = findings(world, "What is happening in Alder?")
    assert len(seen.posts) == 3 and len(seen.naming) == 2


def test_a_gauge_is_found_for_a_number_only_and_only_its_newest_reading(open_world):
    world = open_world(
        *(post(f"Gauge at the mill: {300 + n} cm", "gauge", minute=n, is_bot=True) for n in range(9)),
        post("The river is at the second step", "ann"),
    )
    assert found(world, "How high is the river?") == {
        "Gauge at the mill: 308 cm",
        "The river is at the second step",
    }
    assert found(world, "What is happening at the river?") == {"The river is at the second step"}


def test_one_of_two_words_does_not_make_a_topic(open_world):
    world = open_world(post("We send a signal of power"), post("Nuclear power stays, says the minister"))
    assert found(world, "What do politicians say about nuclear power?") == {
        "Nuclear power stays, says the minister"
    }


def test_a_country_is_found_under_its_name_in_the_other_language(open_world):
    world = open_world(post("Protests in Egypt grow"), post("Snow in Norway"))
    assert found(world, "Was passiert in \u00c4gypten?") == {"Protests in Egypt grow"}


def test_an_empty_window_is_searched_no_longer_alone_and_the_findings_say_so(open_world):
    world = open_world(post("The Alder bridge is closed", minute=0))
    seen = findings(world, "What happened in Alder in the last 20 minutes?")
    assert seen.is_outside and [item.text for item in seen.posts] == ["The Alder bridge is closed"]


def test_news_take_one_search_where_the_last_day_holds_enough(open_world):
    world = open_world(
        *(post(f"Alder report {n} on the {word}", minute=n) for n, word in enumerate("abcdefgh"))
    )

    class Counting:
        searches = 0

        def search(self, query):
            Counting.searches += 1
            return world.index.search(query)

    search = Search(Counting(), understand("What is happening in Alder?", NOW_US))
    assert len(search.further(search.first()).posts) == 8 and Counting.searches == 1


def test_of_a_fact_each_word_is_searched_once(open_world):
    world = open_world(post("The ferry leaves at noon"))
    asked = []

    class Listening:
        embed, fetch = world.index.embed, world.index.fetch

        def search(self, query):
            asked.append(query.text)
            return world.index.search(query)

    Search(Listening(), understand("When does the ferry start?", NOW_US)).first()
    assert asked == ["When does the ferry start?"]
