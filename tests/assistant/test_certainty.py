"""How surely the best of many hits answers, and what is told where it hardly does."""

from hubbub.assistant import answer
from hubbub.assistant.certainty import confidence, height, rivals, standings, weigh_up
from hubbub.assistant.naming import Topic, stems
from hubbub.assistant.question import understand
from hubbub.index.query import Hit
from tests.assistant.world import NOW_US, post

CHATTER = (
    "Nothing beats the {} from the corner shop on a rainy morning like this one.",
    "My brother lost his {} again and blames the cat, as he always does.",
    "Whoever invented the {} deserves a statue in the middle of the market.",
)


def chatter():
    things = (
        "kettle umbrella bicycle sandwich blanket ladder trumpet pillow lantern teapot hammock scarf".split()
    )
    return [
        post(text.format(thing), f"{thing}{n}", minute=n + place / 100)
        for place, thing in enumerate(things)
        for n, text in enumerate(CHATTER)
    ]


def weighed(question: str, *scored: tuple[float, str], lang: str = "en"):
    asked = understand(question, NOW_US, lang=lang)
    topic = Topic(asked)
    hits = [Hit(post=post(text, f"a{n}"), score=score) for n, (score, text) in enumerate(scored)]
    return asked, rivals(asked, hits, lambda found: topic.share(stems(found, lang)))


def test_heights_are_what_the_index_made_its_scores_of():
    heights = [height(Hit(post=post("x", "a"), score=score)) for score in (0.5, 0.9525741, 0.0474259)]
    assert [round(value, 3) for value in heights] == [0.0, 3.0, -3.0]


def test_what_stands_out_of_many_is_sure_and_of_few_nothing_is_known():
    question, rest = "Who painted the harbour lighthouse?", [(0.6, "a lighthouse at night")] * 40
    asked, many = weighed(question, (0.99999, "Nora painted the harbour lighthouse"), *rest)
    assert weigh_up(asked, many) == "sure"
    assert weigh_up(asked, many[:5]) == "unknown"
    assert weigh_up(*weighed(question, *[(0.96, "a lighthouse at night")] * 40)) == "hardly"


def test_what_holds_more_of_the_question_in_its_order_answers_before_what_stands_little_higher():
    asked, found = weighed(
        "When does the harbour museum open?",
        (0.999, "The museum of my childhood, and the harbour beside it"),
        (0.998, "The harbour museum opens on Monday"),
    )
    first, second = standings(found)
    assert second == 1.0 and first < 0.9
    assert confidence(asked, found) == confidence(asked, found[::-1])


def test_a_question_that_nothing_answers_is_not_answered_with_what_shares_a_word(open_world):
    done = answer(open_world(*chatter()).index, "Who repaired the harbour kettle crane?", clock_us=NOW_US)
    told = [sentence for sentence in done.sentences if sentence.kind != "note"]
    assert all(sentence.is_doubtful for sentence in told)


def test_the_one_post_that_answers_is_told_alone(open_world):
    known = post("Nora Valdez painted the lighthouse door green on Friday.", "harbour", minute=30)
    done = answer(open_world(known, *chatter()).index, "Who painted the lighthouse door?", clock_us=NOW_US)
    assert [citation.post for sentence in done.sentences for citation in sentence.citations] == [known.id]
    assert not done.sentences[0].is_doubtful


def test_of_a_text_that_goes_round_the_post_about_this_place_is_quoted(open_world):
    places = ["Borne", "Calder", "Dunmore", "Elster", "Alder"]
    told = [
        post(f"The drinking water in {place} is not poisoned, the office tested it twice.", place, minute=n)
        for n, place in enumerate(places)
    ]
    lie = post("They poisoned the drinking water in Alder last night!", "kev", minute=20)
    done = answer(open_world(lie, *told).index, "Is the drinking water in Alder poisoned?", clock_us=NOW_US)
    cited = {citation.post for sentence in done.sentences for citation in sentence.citations}
    assert {told[-1].id, lie.id} <= cited and not cited & {other.id for other in told[:-1]}


def test_figures_are_set_against_each_other_where_one_may_be_asked_for(open_world):
    counts = [
        post("Nora Valdez keeps the harbour museum, which drew 300 visitors.", "gazette", minute=30),
        post("The harbour museum, which Nora Valdez keeps, drew 900 visitors.", "herald", minute=31),
    ]
    rest = [
        post(f"Museum number {n} is closed again, what a pity.", f"m{n}", minute=n / 9) for n in range(40)
    ]
    index = open_world(*counts, *rest).index
    for question, is_counted in (
        ("How many visitors did the harbour museum draw?", True),
        ("Who keeps the harbour museum?", False),
    ):
        done = answer(index, question, clock_us=NOW_US)
        assert done.sentences[0].citations[0].post in {item.id for item in counts}
        assert any(sentence.kind == "conflict" for sentence in done.sentences) == is_counted, done.sentences


def test_of_readings_the_newest_stands_however_many_words_another_shares():
    asked, found = weighed(
        "Wie hoch steht das Wasser?",
        (0.99999, "Das Wasser steht am Kai bei 407 cm"),
        *[(0.9, f"Pegel am Kai: {n} cm") for n in range(400, 440)],
        lang="de",
    )
    assert weigh_up(asked, found) == "unknown"


def test_one_word_that_a_few_posts_name_tells_nothing_of_which_answers():
    few = [(0.99, f"The shelter of street {n} is open") for n in range(9)]
    asked, found = weighed("Where is the shelter?", *few, *[(0.5, "rain again today")] * 60)
    assert weigh_up(asked, found) == "unknown"


def test_of_a_topic_what_names_two_thirds_is_left_out_where_others_name_it_all(open_world):
    whole = [
        post("Repair of the harbour bridge begins on Monday, the mayor says.", "gazette", minute=30),
        post("Harbour bridge repair will take two years, engineers fear.", "herald", minute=31),
    ]
    things = (
        "kettle umbrella bicycle sandwich blanket ladder trumpet pillow lantern teapot hammock scarf".split()
    )
    part = [
        post(f"A {thing} fell from the harbour bridge at noon on day {day}.", f"{thing}{day}", minute=day)
        for thing in things
        for day in range(3)
    ]
    done = answer(
        open_world(*whole, *part).index, "What do posts say about harbour bridge repair?", clock_us=NOW_US
    )
    assert {citation.post for sentence in done.sentences for citation in sentence.citations} == {
        item.id for item in whole
    }
