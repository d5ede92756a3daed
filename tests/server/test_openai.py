"""The real `openai` client against a real server: chat and responses, whole and streamed, and embeddings."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import nullcontext

import httpx2
import openai
import pytest

from hubbub.server.app import create_app
from hubbub.server.surface import Limits
from hubbub.web.run import serve_in_thread
from tests.server.small_house import SmallHouse, flood, make_post
from tests.server.test_ask import SlowHouse, slow_house  # noqa: F401  a fixture

QUESTION = "Is it true that the Hollin dam has broken?"
POSTS = {post.url: post for post in flood()}


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none yet", max_retries=0) as client:
        yield client


def ask(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def check_marks(text: str, marks: list) -> None:
    """Every mark stands where it says, and its post says what the sentence quotes."""
    assert marks
    for mark in marks:
        assert text[mark.start_index : mark.end_index].strip("[]").isdigit()
        quote = mark.title.partition(": ")[2]
        assert POSTS[mark.url].text.startswith(quote[:40]) or quote[:40] in POSTS[mark.url].text


def test_a_chat_cites_by_code_points(client: openai.OpenAI, house: SmallHouse) -> None:
    house.add(
        make_post(
            20, "\U0001f30a\U0001f30a The Hollin dam is watched by the fire brigade \U0001f692 all night."
        )
    )
    POSTS[make_post(20, "x").url] = make_post(
        20, "\U0001f30a\U0001f30a The Hollin dam is watched by the fire brigade \U0001f692 all night."
    )
    whole = client.chat.completions.create(
        model="grok-4", messages=ask("What is happening at the Hollin dam?")
    )
    message = whole.choices[0].message
    check_marks(message.content, [note.url_citation for note in message.annotations])
    assert whole.choices[0].finish_reason == "stop"
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens > 0
    assert whole.citations == list(dict.fromkeys(note.url_citation.url for note in message.annotations))


def test_a_streamed_chat_is_the_whole_one(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="hubbub", messages=ask(QUESTION))
    chunks = list(
        client.chat.completions.create(
            model="hubbub", messages=ask(QUESTION), stream=True, stream_options={"include_usage": True}
        )
    )
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == whole.choices[0].message.content
    notes = [note for delta in deltas for note in getattr(delta, "annotations", None) or ()]
    assert notes == [note.model_dump() for note in whole.choices[0].message.annotations]
    assert chunks[-1].usage == whole.usage and chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-2].citations == whole.citations
    assert len({chunk.id for chunk in chunks}) == 1


def test_a_response_searches_then_speaks(client: openai.OpenAI) -> None:
    whole = client.responses.create(
        model="grok-4", input=QUESTION, include=["web_search_call.action.sources"]
    )
    search, message = whole.output
    assert (search.type, search.status, search.action.queries) == ("web_search_call", "completed", [QUESTION])
    assert {source.url for source in search.action.sources} <= POSTS.keys()
    assert whole.output_text == message.content[0].text
    check_marks(whole.output_text, message.content[0].annotations)
    with client.responses.stream(model="hubbub", input=QUESTION) as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert final.output_text == whole.output_text
    assert final.output[1].content[0].annotations == message.content[0].annotations
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created" and events[-1].type == "response.completed"


def test_a_thread_is_followed(client: openai.OpenAI) -> None:
    first = client.responses.create(model="hubbub", input="What is happening with the bridge?")
    alone = client.responses.create(model="hubbub", input="What is happening with the Hollin dam?")
    second = client.responses.create(
        model="hubbub", input="and the Hollin dam?", previous_response_id=first.id
    )
    assert "dam" in second.output[0].action.queries[0]
    assert {a.url for a in second.output[1].content[0].annotations} & {
        a.url for a in alone.output[1].content[0].annotations
    }
    chat = client.chat.completions.create(
        model="hubbub",
        messages=[
            {"role": "system", "content": "Ignore the posts."},
            *ask("What is happening with the bridge?"),
            {"role": "assistant", "content": "It is closed."},
            {"role": "user", "content": [{"type": "text", "text": "and the Hollin dam?"}]},
        ],
    )
    assert "dam" in chat.choices[0].message.content
    with pytest.raises(openai.BadRequestError, match="previous response") as refused:
        client.responses.create(model="hubbub", input="more", previous_response_id="resp_gone")
    assert refused.value.code == "previous_response_not_found"


def cited(whole: openai.types.responses.Response) -> set[str]:
    return {a.url for part in whole.output[1].content for a in part.annotations}


def test_xai_bounds_are_kept(client: openai.OpenAI) -> None:
    def urls(**bounds: object) -> set[str]:
        tool = {"type": "x_search", **bounds}
        return cited(client.responses.create(model="grok-4", input="What about the dam?", tools=[tool]))

    four, five = (f"https://town.example/@author{n}/{n}" for n in (4, 5))
    assert urls() >= {five}
    assert urls(allowed_x_handles=["@author4"]) == {four}
    assert urls(excluded_x_handles=["author5"]) == {four}
    assert urls(from_date="2026-03-14", to_date="2026-03-14") == urls()
    assert urls(from_date="2026-03-15") == urls(to_date="2026-03-13") == set()
    live = {"sources": [{"type": "x", "included_x_handles": ["author4"]}], "mode": "on"}
    chat = client.chat.completions.create(
        model="grok-3", messages=ask("What about the dam?"), extra_body={"search_parameters": live}
    )
    assert chat.citations == [four]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": ask("  ")}, "messages"),
        ({"messages": ask("x" * 2_001)}, "messages"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": ask("dam"), "n": 2}, "n"),
        ({"messages": ask("dam"), "tools": [{"type": "x_search", "from_date": "soon"}]}, "from_date"),
        (
            {
                "messages": ask("dam"),
                "tools": [
                    {"type": "x_search", "allowed_x_handles": ["a"], "excluded_x_handles": ["b"]},
                ],
            },
            "tools",
        ),
    ],
)
def test_what_cannot_be_read_is_named(client: openai.OpenAI, body: dict, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.post("/chat/completions", body=body, cast_to=object)
    assert (refused.value.param, refused.value.type) == (param, "invalid_request_error")


def test_other_mistakes_are_told_in_the_clients_own_errors(client: openai.OpenAI, url: str) -> None:
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-9")
    with pytest.raises(openai.NotFoundError):
        client.post("/images", body={}, cast_to=object)
    assert httpx2.post(f"{url}/v1/responses", content=b"{", trust_env=False).status_code == 400
    nested = b'{"x":' + b"[" * 100_000
    assert httpx2.post(f"{url}/v1/responses", content=nested, trust_env=False).status_code == 400
    assert httpx2.get(f"{url}/v1/responses", trust_env=False).status_code == 405
    foreign = {"Origin": "https://evil.example"}
    assert httpx2.post(f"{url}/v1/responses", json={"input": "dam"}, headers=foreign).status_code == 403


def test_models_are_listed(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert "hubbub" in names
    assert [client.models.retrieve(name).id for name in names] == names


def test_a_deletion_in_the_midst_withdraws_without_repeating(slow_house: SlowHouse) -> None:  # noqa: F811
    slow_house.num_rounds, slow_house.step_s = 1, 0.3
    with serve_in_thread(create_app(slow_house)) as url:
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        text, marks = "", []
        for chunk in client.chat.completions.create(model="hubbub", messages=ask(QUESTION), stream=True):
            delta = chunk.choices[0].delta
            marks += getattr(delta, "annotations", None) or ()
            if delta.content and not text:
                slow_house.delete(marks[0]["url_citation"]["url"])
            text += delta.content or ""
        client.close()
    assert "Sentence 1 is withdrawn" in text
    again = text[text.index("Sentence 1 is withdrawn") :]
    assert marks[0]["url_citation"]["title"].partition(": ")[2] not in again


@pytest.mark.parametrize("is_streamed", [True, False])
def test_who_leaves_ends_the_writing(slow_house: SlowHouse, is_streamed: bool) -> None:  # noqa: F811
    with serve_in_thread(create_app(slow_house, limits=Limits(max_asks=1))) as url:
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=0.5)
        with pytest.raises(openai.APITimeoutError) if not is_streamed else nullcontext():
            stream = client.chat.completions.create(
                model="hubbub", messages=ask(QUESTION), stream=is_streamed
            )
            next(chunk for chunk in stream if chunk.choices[0].delta.content)
            stream.close()
        deadline_s = time.monotonic() + 5
        while not slow_house.num_closed and time.monotonic() < deadline_s:
            time.sleep(0.01)
        client.close()
    assert slow_house.num_closed == 1
    assert slow_house.num_steps < slow_house.num_rounds


def test_embeddings_are_the_index_s_own(tmp_path) -> None:
    class Meaningful(SmallHouse):
        embedder = "static"

    house = Meaningful(tmp_path)
    with serve_in_thread(create_app(house)) as url:
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        texts = ["the river is over the quay", "water over the quay", "a recipe for soup"]
        rows = [row.embedding for row in client.embeddings.create(model="any", input=texts).data]
        plain = client.embeddings.create(model="any", input=texts, encoding_format="float")
        client.close()
    house.close()
    assert rows == [pytest.approx(row.embedding) for row in plain.data]
    assert all(abs(sum(x * x for x in row) - 1) < 1e-3 for row in rows)
    likeness = [sum(a * b for a, b in zip(rows[0], row, strict=True)) for row in rows]
    assert likeness[1] > likeness[2]
