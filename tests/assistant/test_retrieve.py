from hubbub.assistant.question import understand
from hubbub.assistant.retrieve import MAX_PER_AUTHOR, Filters, retrieve
from tests.assistant.world import NOW_US, post


def found(world, question):
    findings = retrieve(world.index, understand(question, NOW_US), Filters())
    return {item.text for item in findings.posts}


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
