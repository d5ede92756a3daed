"""How surely the best of many hits answers, and what is told where it hardly does."""

from hubbub.assistant import answer
from hubbub.assistant.certainty import standing, weigh_up
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


def hits(*scores: float) -> list[Hit]:
    return [Hit(post=post(f"post {n}", f"a{n}"), score=score) for n, score in enumerate(scores)]


def test_heights_are_what_the_index_made_its_scores_of():
    assert [round(height, 3) for height in standing(hits(0.5, 0.9525741, 0.0474259))] == [0.0, 3.0, -3.0]


def test_what_stands_out_of_many_is_sure_and_of_few_nothing_is_known():
    many = hits(0.99999, *[0.6] * 40)
    assert weigh_up("who", many, standing(many), lambda found: 1.0) == "sure"
    assert weigh_up("who", many[:5], standing(many[:5]), lambda found: 1.0) == "unknown"
    flat = hits(*[0.96] * 40)
    assert weigh_up("who", flat, standing(flat), lambda found: 0.3) == "hardly"


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
