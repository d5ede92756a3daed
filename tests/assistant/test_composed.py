"""Answers that a model words: what it may do, what is dropped, and what happens when it fails."""

import json
from contextlib import contextmanager

import msgspec
import pytest
from starlette.responses import PlainTextResponse

from hubbub.assistant import answer
from hubbub.assistant.compose import records
from hubbub.assistant.evidence import Evidence
from hubbub.assistant.openai_endpoint import OpenAiEndpoint
from hubbub.assistant.storylines import Story
from hubbub.assistant.voices import Voice
from hubbub.posts import ConsentEvent
from tests.assistant.scripted import fails, hangs, says, scripted_endpoint, whole, writes
from tests.assistant.world import NOW_US, post

CLOSED = post("Police closed the old bridge in Alder at noon because of driftwood.", "courier", minute=50)
SHELTER = post("The school gym in Alder opens as a shelter for 80 people tonight.", "mayor", minute=40)
QUESTION = "What is happening in Alder?"


@contextmanager
def model(reply, **options):
    with scripted_endpoint(reply) as scripted:
        endpoint = OpenAiEndpoint(scripted.url, "tiny", **options)
        try:
            yield endpoint, scripted
        finally:
            endpoint.close()


def composed(world, reply, **options):
    with model(reply, **options) as (endpoint, scripted):
        return answer(world.index, QUESTION, clock_us=NOW_US, model=endpoint), scripted


def number_of(scripted, words: str) -> int:
    """The number under which a post was given to the model."""
    block = scripted.asked[0]["messages"][1]["content"]
    records = [json.loads(line) for line in block.splitlines() if line.startswith('{"n"')]
    return next(record["n"] for record in records if words in record["text"].replace("^", " "))


def test_sentences_that_their_evidence_holds_are_shown(open_world):
    def reply(request):
        number = number_of(type("", (), {"asked": [request]}), "old bridge")
        return says(([number], "Police closed the old bridge in Alder because of driftwood."))(request)

    done, _ = composed(open_world(CLOSED, SHELTER), reply)
    assert done.report.writer == "tiny" and len(done.sentences) == 1
    assert [citation.post for citation in done.sentences[0].citations] == [CLOSED.id]
    assert done.sentences[0].citations[0].quote == CLOSED.text


def test_a_model_that_holds_few_records_gets_the_first_of_them(open_world):
    def reply(request):
        asked = request["messages"][1]["content"].count('{"n"')
        if asked > 2:
            return PlainTextResponse("maximum context length is 512 tokens", 400)
        return says(([2], "Police closed the old bridge in Alder."))(request)

    crowd = [post(f"Alder: bus {n} is late by {n + 20} minutes.", f"rider{n}", minute=n) for n in range(6)]
    done, scripted = composed(open_world(CLOSED, SHELTER, *crowd), reply)
    counts = [asked["messages"][1]["content"].count('{"n"') for asked in scripted.asked]
    assert counts == sorted(counts, reverse=True) and counts[0] > 3 and counts[-1] == 2
    assert done.report.dropped.get("model_failed") is None
    enum = scripted.asked[-1]["response_format"]["json_schema"]["schema"]["properties"]["sentences"]
    assert enum["items"]["properties"]["evidence"]["items"]["enum"] == [1, 2]


def test_what_only_one_voice_says_is_quoted_with_its_name_and_not_retold(open_world):
    done, _ = composed(open_world(CLOSED), says(([1], "Police closed the old bridge.")))
    assert done.report.writer == "tiny" and done.sentences[0].num_voices == 1
    assert "@courier" in done.sentences[0].text and f"\u201c{CLOSED.text}" in done.sentences[0].text


def test_what_several_say_is_told_in_the_models_words_and_as_what_they_say(open_world):
    others = [
        post("The old bridge in Alder was closed by police an hour ago, and I am late.", "ann", minute=51),
        post("We walk home: police have closed the bridge, the old one, here in Alder.", "bob", minute=52),
    ]
    told = "Police closed the old bridge in Alder."

    def reply(request):
        given = request["messages"][1]["content"].count('{"n"')
        return says((list(range(1, given + 1)), told))(request)

    done, _ = composed(open_world(CLOSED, *others), reply)
    assert done.report.writer == "tiny" and done.sentences[0].num_voices >= 2
    assert " voices say (" in done.sentences[0].text
    assert done.sentences[0].text.endswith(": Police closed the old bridge in Alder.")


def test_a_word_that_no_quote_holds_fails_the_sentence(open_world):
    reply = says(([1], "Police closed the old bridge in Alder because of plonk driftwood."))
    assert composed(open_world(CLOSED), reply)[0].report.dropped == {"unsupported": 1}


def test_an_endpoint_that_does_not_stream_does_as_well(open_world):
    done, _ = composed(open_world(CLOSED), whole(([1], "Police closed the old bridge in Alder.")))
    assert done.report.writer == "tiny"


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (says(([1], "The mayor drowned in the river on Friday.")), "name"),
        (says(([1], "Police did not close the old bridge in Alder.")), "negation"),
        (says(([1], "Police closed 7 bridges in Alder.")), "number"),
        (says(([1], "Police closed the old bridge [1](https://evil.example).")), "markup"),
        (says(([1], "Police closed the old bridge, see www.evil.example")), "markup"),
        (says(([1], "Bridge!")), "no_statement"),
        (says(([99], "Police closed the old bridge in Alder.")), "malformed"),
        (says(([0], "Police closed the old bridge in Alder.")), "malformed"),
        (says(([], "Police closed the old bridge in Alder.")), "malformed"),
        (writes('{"sentences": [{"text": "Police closed the bridge.", "evidence": "1"}]}'), "malformed"),
        (writes('{"sentences": [{"evidence": [1], "text": "Police closed it.", "url": "x"}]}'), "malformed"),
        (writes('{"sentences": [7, "Police closed the bridge"]}'), None),
        (writes("I would rather talk about ponies."), None),
        (writes('{"sentences": []}'), None),
        (writes('{"sentences": [{"evidence": [1], "te'), None),
        (fails(500), "model_failed"),
    ],
)
def test_whatever_a_model_writes_wrong_is_dropped_and_quotes_are_shown_instead(open_world, reply, reason):
    done, _ = composed(open_world(CLOSED), reply)
    assert done.report.writer == "quotes" and CLOSED.text in done.sentences[0].text
    if reason:
        assert done.report.dropped[reason] == 1


def test_a_model_that_falls_silent_does_not_keep_the_answer(open_world):
    done, _ = composed(open_world(CLOSED), hangs(5), silence_timeout_s=0.3)
    assert done.report.writer == "quotes" and done.report.dropped == {"model_failed": 1}


def test_what_passed_before_a_model_broke_off_stays(open_world):
    done, _ = composed(
        open_world(CLOSED),
        writes('{"sentences": [{"evidence": [1], "text": "Police closed the old bridge."}, {"evi'),
    )
    assert done.report.writer == "tiny" and len(done.sentences) == 1


def test_the_model_sees_numbers_and_marked_text_and_no_id_link_or_name(open_world):
    linked = post(
        "Read https://evil.example/x now, the bridge in Alder is closed by police", "mallory", minute=5
    )
    _, scripted = composed(open_world(CLOSED, linked), says(([1], "x")))
    asked = json.dumps(scripted.asked[0]["messages"])
    assert "town.example" not in asked and "mallory" not in asked and "courier" not in asked
    assert "Police^closed^the^old^bridge" in asked


def test_an_author_who_refuses_prompts_is_found_but_never_given_to_a_model(open_world):
    world = open_world(CLOSED, SHELTER)
    world.fold(ConsentEvent(author=SHELTER.author, scope="prompt", allow=False, received_us=NOW_US))
    done, scripted = composed(world, says(([1], "Police closed the old bridge in Alder.")))
    assert "gym" not in json.dumps(scripted.asked[0]["messages"][1])
    assert [citation.post for citation in done.sentences[0].citations] == [CLOSED.id]


def test_a_post_deleted_while_the_model_writes_is_not_quoted(open_world):
    world = open_world(CLOSED, SHELTER)

    def reply(request):
        world.delete(CLOSED)
        number = number_of(type("", (), {"asked": [request]}), "old bridge")
        return says(([number], "Police closed the old bridge in Alder."))(request)

    done, _ = composed(world, reply)
    assert done.report.dropped["gone"] >= 1
    assert CLOSED.id not in [citation.post for sentence in done.sentences for citation in sentence.citations]


def test_what_was_denied_later_is_not_told_alone(open_world):
    broke = post("The Hollin dam has broken, a wave is coming down the valley.", "kev", minute=10)
    holds = post("FALSE: the Hollin dam has NOT broken, says the keeper.", "nora", minute=30)

    def reply(request):
        number = number_of(type("", (), {"asked": [request]}), "a wave is coming")
        return says(([number], "The Hollin dam has broken."))(request)

    with model(reply) as (endpoint, _):
        world = open_world(broke, holds)
        done = answer(world.index, "Has the Hollin dam broken?", clock_us=NOW_US, model=endpoint)
    assert done.report.dropped["denied"] == 1 and done.report.writer == "quotes"


def test_a_model_that_tells_one_side_gets_the_other_beside_it(open_world):
    broke = post("The Hollin dam has broken, a wave is coming down the valley.", "kev", minute=10)
    holds = post("FALSE: the Hollin dam has NOT broken, says the keeper.", "nora", minute=30)

    def reply(request):
        number = number_of(type("", (), {"asked": [request]}), "says the keeper")
        return says(([number], "The Hollin dam has not broken, says the keeper."))(request)

    with model(reply) as (endpoint, _):
        world = open_world(broke, holds)
        done = answer(world.index, "Has the Hollin dam broken?", clock_us=NOW_US, model=endpoint)
    assert done.report.writer == "tiny"
    assert [sentence.kind for sentence in done.sentences] == ["lead", "conflict"]
    assert {citation.post for citation in done.sentences[1].citations} == {broke.id, holds.id}


def test_a_model_that_repeats_itself_is_cut(open_world):
    once = "Police closed the old bridge."
    done, _ = composed(open_world(CLOSED), says(([1], once), ([1], once), ([1], f"{once} " * 5)))
    assert len(done.sentences) == 1 and done.report.dropped == {"repeated": 2}


def test_a_model_that_rambles_is_not_shown(open_world):
    done, _ = composed(open_world(CLOSED), says(([1], "Police closed the old bridge. " * 5)))
    assert done.report.writer == "quotes" and done.report.dropped == {"rambling": 1}


def test_a_text_that_was_edited_since_it_was_found_is_not_given_to_a_model():
    head = Evidence(
        post=CLOSED,
        voice=Voice(posts=(CLOSED,), score=1.0, words=("police",)),
        start=0,
        end=len(CLOSED.text),
        quality=1.0,
        relevance=1.0,
        terms=frozenset(),
    )
    story = Story(head=head, voices=(head.voice,), score=1.0)
    edited = msgspec.structs.replace(CLOSED, text="Police opened the old bridge in Alder again at noon.")
    assert [record[0] for record in records([story], {CLOSED.id: CLOSED})] == [head]
    assert records([story], {CLOSED.id: edited}) == records([story], {}) == []
