"""Context cards: what others say of a post, short, shared, and true at every moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from hubbub.assistant import ask
from hubbub.assistant.answer import AnswerEvent
from hubbub.assistant.explain import MAX_CHARS, find_claims, questions
from hubbub.assistant.model import open_model
from hubbub.posts import ConsentEvent
from hubbub.server.app import create_app
from hubbub.server.scope import EVERYTHING, Scope
from hubbub.web.run import serve_in_thread
from tests.assistant.scripted import says, scripted_endpoint
from tests.server.small_house import SmallHouse, flood, make_post

RUMOUR = "https://town.example/@author4/4"
DENIAL = "https://town.example/@author5/5"


def explain(url: str, post: str) -> httpx2.Response:
    return httpx2.post(f"{url}/v1/explain", json={"url": post}, trust_env=False)


def cited(card: dict) -> set[str]:
    return {citation["post"] for sentence in card["sentences"] for citation in sentence["citations"]}


def test_a_rumour_s_card_tells_its_denial_and_not_itself(url: str) -> None:
    card = explain(url, RUMOUR).json()
    assert card["post"]["id"] == RUMOUR
    assert DENIAL in cited(card) and RUMOUR not in cited(card)
    assert 0 < len(card["text"]) <= MAX_CHARS
    assert card["text"] == " ".join(sentence["text"] for sentence in card["sentences"])


def test_cards_are_shared_until_something_dies(house: SmallHouse, url: str) -> None:
    first = explain(url, RUMOUR).json()
    asked = house.num_questions
    assert explain(url, RUMOUR).json() == first
    assert house.num_questions == asked
    house.delete(DENIAL)
    again = explain(url, RUMOUR).json()
    assert house.num_questions > asked and DENIAL not in cited(again)
    house.delete(RUMOUR)
    gone = explain(url, RUMOUR)
    assert gone.status_code in (404, 410) and "dam" not in gone.text.replace(RUMOUR, "")


def test_the_page_is_told_the_same_card(url: str) -> None:
    told = httpx2.get(f"{url}/api/explain", params={"url": RUMOUR}, trust_env=False)
    assert told.json() == explain(url, RUMOUR).json()
    assert httpx2.get(f"{url}/api/explain", trust_env=False).status_code == 400


def test_a_card_holds_the_way_to_the_root_while_it_lives(house: SmallHouse, url: str) -> None:
    reply = make_post(70, "Is that sure? The bridge is closed here.", reply_to=RUMOUR, root=RUMOUR)
    house.add(reply)
    assert [post["id"] for post in explain(url, reply.id).json()["thread"]["above"]] == [RUMOUR]
    assert [post["id"] for post in explain(url, RUMOUR).json()["thread"]["below"]] == [reply.id]
    house.add(
        ConsentEvent(author=make_post(4, "").author, scope="show", allow=False, received_us=house.now_us())
    )
    assert explain(url, reply.id).json()["thread"]["above"] == []


def test_a_card_counts_no_voices_but_those_of_its_sentences(house: SmallHouse) -> None:
    house.add(make_post(80, "Three swans nest on the Marrowick weir tower again this spring."))
    house.add(make_post(81, "A swan chick fell off the Marrowick weir tower and was carried home."))
    house.add(make_post(82, "Marrowick council closes the weir tower to visitors while swans nest."))
    with serve_in_thread(create_app(house)) as url:
        card = explain(url, make_post(80, "").id).json()
    assert [sentence["num_voices"] for sentence in card["sentences"] if sentence["kind"] != "note"]
    for sentence in card["sentences"]:
        assert "voices wrote" not in sentence["text"]
        if sentence["text"].startswith("Two voices"):
            assert sentence["num_voices"] == 2


def test_what_nobody_else_writes_about_gets_no_sentences(url: str) -> None:
    card = explain(url, "https://town.example/@author7/7").json()
    assert card["sentences"] == [] and "Nobody else" in card["text"]


def test_german_is_explained_in_german(house: SmallHouse) -> None:
    house.add(make_post(71, "Die alte Bruecke ist gesperrt.", langs=["de"]))
    house.add(make_post(72, "Die alte Bruecke ist nicht gesperrt, ich bin eben gefahren.", langs=["de"]))
    with serve_in_thread(create_app(house)) as url:
        card = explain(url, make_post(71, "").id).json()
    assert "\u201e" in card["text"]


@pytest.mark.parametrize(
    ("body", "status"), [({}, 400), ({"url": ""}, 400), ({"url": "x" * 3_000}, 400), ({"url": "no"}, 404)]
)
def test_what_cannot_be_explained_is_refused(url: str, body: dict, status: int) -> None:
    assert httpx2.post(f"{url}/v1/explain", json=body, trust_env=False).status_code == status


@pytest.mark.parametrize("text", ["", "???", "\U0001f30a" * 50, "a" * 5_000, "Is the bridge open?", "Wow!"])
def test_any_post_can_be_asked_about(text: str) -> None:
    post = make_post(1, text)
    assert len(questions(post)) <= 4
    assert all(claim in text for claim in find_claims(post))


class Composing(SmallHouse):
    """A model words the answers."""

    model = ""

    def ask(
        self, question: str, clock_us: int | None = None, scope: Scope = EVERYTHING, rules: object = None
    ) -> Iterator[AnswerEvent]:
        model = open_model(self.model)
        return ask(self.index, question, clock_us=self.clock_us, model=model, **scope.options())


def test_who_refuses_prompts_is_no_longer_in_a_card_that_a_model_worded(tmp_path: Path) -> None:
    house = Composing(tmp_path)
    house.add(*flood())
    denial = flood()[4]
    reply = says(([1], "The Hollin dam has not broken."))
    with scripted_endpoint(reply) as endpoint, serve_in_thread(create_app(house)) as url:
        house.model = f"{endpoint.url}#tiny"
        card = explain(url, RUMOUR).json()
        assert card["writer"] == "tiny" and DENIAL in cited(card)
        house.add(ConsentEvent(author=denial.author, scope="prompt", allow=False, received_us=house.now_us()))
        shown = httpx2.get(f"{url}/api/explain", params={"url": RUMOUR}, trust_env=False).json()
        assert shown["writer"] == "quotes" or DENIAL not in cited(shown)
    house.close()


class Dying(SmallHouse):
    """A post dies, or its author refuses something, while the first answer is being written."""

    doomed: str | None = None
    refusing: ConsentEvent | None = None

    def ask(self, *args: Any, **options: Any) -> Iterator[AnswerEvent]:
        events = super().ask(*args, **options)
        if self.doomed:
            self.delete(self.doomed)
            self.doomed = None
        if self.refusing:
            self.add(self.refusing)
            self.refusing = None
        yield from events


@pytest.fixture
def dying(tmp_path: Path) -> Iterator[Dying]:
    house = Dying(tmp_path)
    house.add(*flood())
    yield house
    house.close()


def test_a_post_that_dies_while_its_card_is_written_is_not_shown(dying: Dying) -> None:
    with serve_in_thread(create_app(dying)) as url:
        dying.doomed = RUMOUR
        gone = explain(url, RUMOUR)
        assert gone.status_code == 410 and "sentences" not in gone.text


def test_a_post_that_refuses_prompts_while_its_card_is_written_is_in_none(dying: Dying) -> None:
    author = make_post(4, "").author
    dying.refusing = ConsentEvent(author=author, scope="prompt", allow=False, received_us=dying.now_us())
    with serve_in_thread(create_app(dying)) as url:
        refused = explain(url, RUMOUR)
        assert refused.status_code == 404 and "sentences" not in refused.text
        shown = httpx2.get(f"{url}/api/explain", params={"url": RUMOUR}, trust_env=False)
        assert shown.json()["post"]["id"] == RUMOUR


def test_a_reply_that_dies_while_a_card_is_written_is_not_in_it(dying: Dying) -> None:
    reply = make_post(70, "Is that sure? The bridge is closed here.", reply_to=RUMOUR, root=RUMOUR)
    dying.add(reply)
    with serve_in_thread(create_app(dying)) as url:
        dying.doomed = reply.id
        assert explain(url, RUMOUR).json()["thread"]["below"] == []


def test_a_match_that_dies_while_its_summary_is_written_is_not_shown(dying: Dying) -> None:
    with serve_in_thread(create_app(dying)) as url:
        dying.doomed = RUMOUR
        params = {"q": "dam", "summary": "true"}
        told = httpx2.get(f"{url}/v1/search", params=params, trust_env=False).json()
        assert told["data"] and RUMOUR not in {match["post"]["id"] for match in told["data"]}
        assert RUMOUR not in cited(told["summary"])
