"""Tenants of a running server: quotas, stops, rules of tone, and what is told of each."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from hubbub.assistant.answer import AnswerEvent
from hubbub.cli.main import run
from hubbub.errors import Corruption, InvalidInput
from hubbub.posts import ConsentEvent
from hubbub.server.app import create_app
from hubbub.server.keys import KeyRing
from hubbub.server.rules import HouseRules, parse_rules
from hubbub.server.usage import USAGE_FILE, Usage, count_tokens
from hubbub.units import US_PER_DAY
from hubbub.web.run import serve_in_thread
from tests.patience import patient
from tests.server.mcp_client import ERAS, given, use
from tests.server.reading import Stream, open_stream
from tests.server.small_house import NOON_US, SmallHouse, flood, make_post
from tests.server.test_ask import QUESTION, SlowHouse, slow_house  # noqa: F401
from tests.server.test_keys import bearer
from tests.server.test_lookup import error_of

DENIAL = "https://town.example/@author5/5"


class Asker:
    """One tenant at one server."""

    def __init__(self, url: str, secret: str) -> None:
        self.http = httpx2.Client(base_url=url, headers=bearer(secret), trust_env=False, timeout=20)

    def search(self, **params: str) -> httpx2.Response:
        return self.http.get("/v1/search", params={"q": "dam"} | params)

    def chat(self, question: str = QUESTION, **more: Any) -> httpx2.Response:
        messages = [{"role": "user", "content": question}]
        return self.http.post("/v1/chat/completions", json={"messages": messages} | more)

    @contextmanager
    def stream(self) -> Iterator[Stream]:
        body = {"input": QUESTION, "stream": True}
        with self.http.stream("POST", "/v1/responses", json=body) as response:
            assert response.status_code == 200, response.read()
            yield Stream(response)


@contextmanager
def serving(house: SmallHouse, ring: KeyRing, *names: str, **options: Any) -> Iterator[list[Asker]]:
    """A server with a key for each of these tenants; one named twice has two."""
    secrets = [ring.add(name)[1] for name in names]
    with serve_in_thread(create_app(house, keys=ring, **options)) as url:
        askers = [Asker(url, secret) for secret in secrets]
        try:
            yield askers
        finally:
            for asker in askers:
                asker.http.close()


def accounts(asker: Asker) -> dict[str, dict[str, Any]]:
    return {one["tenant"]: one for one in asker.http.get("/api/tenants").json()["tenants"]}


def test_requests_a_minute_are_the_tenant_s_not_the_key_s(house: SmallHouse, tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    with serving(house, ring, "x", "x", "tesla") as (one, another, tesla):
        ring.change("x", requests_per_minute=3)
        codes = [asker.search().status_code for asker in (one, another, one, another, one)]
        assert codes == [200, 200, 200, 429, 429] and tesla.search().status_code == 200
        assert int(one.search().headers["retry-after"]) <= 20
        ring.change("x", requests_per_minute=None)
        assert another.search().status_code == 200
        assert accounts(tesla)["x"]["usage"]["num_refused"] == 3


def test_streams_are_counted_by_tenant(slow_house: SlowHouse, tmp_path: Path) -> None:  # noqa: F811
    ring = KeyRing(tmp_path)
    with serving(slow_house, ring, "x", "x", "tesla") as (one, another, tesla):
        ring.change("x", streams=1)
        with one.stream() as open_one:
            open_one.next()
            refused = another.chat(stream=True)
            assert (refused.status_code, error_of(refused)["code"]) == (429, "too_many_streams")
            with tesla.stream():
                told = accounts(tesla)
                assert (told["x"]["usage"]["num_streams"], told["tesla"]["usage"]["num_streams"]) == (1, 1)


def test_a_day_of_tokens_ends_and_survives_a_restart(house: SmallHouse, tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    with serving(house, ring, "x", "tesla") as (x, tesla):
        ring.change("x", tokens_per_day=20)
        usage = x.chat().json()["usage"]
        assert usage["prompt_tokens"] == count_tokens(QUESTION) and usage["total_tokens"] > 20
        refused = x.chat()
        assert refused.status_code == 429 and 0 < int(refused.headers["retry-after"]) <= 86_400
        assert error_of(refused)["type"] == error_of(refused)["code"] == "insufficient_quota"
        assert x.search().status_code == 200 and tesla.chat().status_code == 200
        spent = accounts(x)["x"]["usage"]
        assert spent["num_tokens_in"] + spent["num_tokens_out"] == usage["total_tokens"]
        assert spent["num_answers"] == 1 and spent["work_s"] > 0
    assert json.loads((tmp_path / USAGE_FILE).read_bytes())
    with serving(house, ring, "x") as (x,):
        with openai.OpenAI(
            base_url=f"{x.http.base_url}/v1", api_key=x.http.headers["authorization"][7:], max_retries=0
        ) as client:
            with pytest.raises(openai.RateLimitError) as told:
                client.responses.create(model="hubbub", input=QUESTION)
        assert told.value.type == "insufficient_quota"
        ring.change("x", tokens_per_day=100_000)
        streamed = [json.loads(line[6:]) for line in x.chat(stream=True).text.split("\n\n") if "{" in line]
        assert streamed[-1]["choices"][0]["finish_reason"] == "stop"
        assert accounts(x)["x"]["usage"]["num_answers"] == 2


def test_tomorrow_begins_anew_and_damage_is_named(tmp_path: Path) -> None:
    now_us = NOON_US
    usage = Usage(tmp_path, lambda: now_us)
    usage.note("x", num_tokens_in=5, num_tokens_out=7)
    assert (usage.today("x").num_tokens, usage.day_left_s) == (12, 43_200)
    now_us += US_PER_DAY
    assert usage.today("x").num_tokens == 0 and usage.since_start["x"].num_tokens == 12
    (tmp_path / USAGE_FILE).write_text("{")
    with pytest.raises(Corruption, match=USAGE_FILE):
        Usage(tmp_path)


def test_a_stop_ends_what_is_open_within_a_second(slow_house: SlowHouse, tmp_path: Path) -> None:  # noqa: F811
    ring = KeyRing(tmp_path)
    with serving(slow_house, ring, "x", "tesla") as (x, tesla):
        with x.stream() as stopped, tesla.stream() as spared:
            stopped.next("response.output_text.delta"), spared.next()
            ring.change("x", stopped="answers")
            start_s = time.monotonic()
            name, data = stopped.next("response.failed")
            assert time.monotonic() - start_s < patient(1)
            assert "switched off for this tenant" in data["response"]["error"]["message"]
            with pytest.raises(EOFError):
                stopped.next()
            spared.next("response.output_text.delta")
            refused = x.chat()
            assert (refused.status_code, error_of(refused)["code"]) == (403, "switched_off")
            assert x.search().status_code == 200
            ring.change("x", stopped="all")
            assert x.search().status_code == 403 and accounts(tesla)["x"]["is_stopped"]
        ring.change("x", stopped=None)
        assert x.search().status_code == 200


class LingeringHouse(SmallHouse):
    """Its answers are complete a while before their stream ends."""

    def ask(self, *args: Any, **options: Any) -> Iterator[AnswerEvent]:
        yield from super().ask(*args, **options)
        self.is_complete.set()
        self.waited_in_vain = not self.may_end.wait(20)


@pytest.mark.parametrize("is_chat", [True, False])
def test_a_stop_comes_instead_of_the_end(tmp_path: Path, is_chat: bool) -> None:
    house, ring = LingeringHouse(tmp_path / "house"), KeyRing(tmp_path)
    house.add(*flood())
    house.is_complete, house.may_end = threading.Event(), threading.Event()
    with serving(house, ring, "x") as (x,):
        key = x.http.headers["authorization"][7:]
        with openai.OpenAI(base_url=f"{x.http.base_url}/v1", api_key=key, max_retries=0) as client:
            if is_chat:
                asked: Any = {"messages": [{"role": "user", "content": QUESTION}]}
                stream: Any = client.chat.completions.create(model="hubbub", stream=True, **asked)
            else:
                stream = client.responses.create(model="hubbub", stream=True, input=QUESTION)
            assert house.is_complete.wait(20)
            ring.change("x", stopped="answers")
            seen = []
            with pytest.raises(openai.APIError, match="switched off") if is_chat else nullcontext():
                seen += stream
            house.may_end.set()  # the reader has its end, although the thread that writes has not
    house.close()
    assert not house.waited_in_vain
    if is_chat:
        assert all(chunk.choices[0].finish_reason is None for chunk in seen)
    else:
        kinds = [event.type for event in seen]
        assert kinds[-1] == "response.failed" and "response.completed" not in kinds


def test_everything_can_be_switched_off_but_the_operator_s_view(house: SmallHouse, tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    with serving(house, ring, "x") as (x,), x.http.stream("GET", "/api/live") as response:
        live = Stream(response)
        live.next("status")
        ring.stop_all("answers")
        assert [x.chat().status_code, x.search().status_code] == [503, 200]
        assert x.http.get("/api/ask", params={"q": QUESTION}).status_code == 503
        ring.stop_all("all")
        name, data = live.next("error")
        assert data["error"]["code"] == "switched_off"
        assert [x.search().status_code, x.http.get("/api/search?q=dam").status_code] == [503, 503]
        paths = ("/api/tenants", "/api/status", "/metrics", "/")
        assert [x.http.get(path).status_code for path in paths] == [200] * 4
        ring.stop_all(None)
        assert x.chat().status_code == 200


def test_a_revoked_key_s_streams_end_as_well(slow_house: SlowHouse, tmp_path: Path) -> None:  # noqa: F811
    ring = KeyRing(tmp_path)
    with serving(slow_house, ring, "x") as (x,), x.stream() as stream:
        stream.next("response.output_text.delta")
        ring.revoke(ring.all()[0].id)
        assert "revoked" in stream.next("response.failed")[1]["response"]["error"]["message"]


def test_a_waiting_question_is_told_of_the_stop(slow_house: SlowHouse, tmp_path: Path) -> None:  # noqa: F811
    ring = KeyRing(tmp_path)
    with serving(slow_house, ring, "x", "tesla") as (x, tesla), ThreadPoolExecutor(8) as pool:
        held = [pool.submit(tesla.chat) for _ in range(3)]
        while slow_house.num_steps < 3:
            time.sleep(0.01)
        waiting = pool.submit(x.chat, stream=True)
        while accounts(x)["x"]["usage"]["num_waiting"] < 1:
            time.sleep(0.01)
        ring.change("x", stopped="answers")
        told = waiting.result(timeout=20)  # on a busy machine its turn may come before the stop is seen
        assert told.status_code == 403 or "switched_off" in told.text
        ring.change("tesla", stopped="answers")
        assert {future.result(timeout=20).status_code for future in held} == {403}


def test_rules_shape_the_answers_of_their_tenant_alone(house: SmallHouse, tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    with serving(house, ring, "x", "tesla") as (x, tesla):
        plain = tesla.chat().json()
        ring.change("x", parse_rules("sentences: 1\nlanguage: de\nPlain words."))
        ruled = x.chat().json()
        assert ruled["house_rules"] == 1 and plain["house_rules"] is None
        told = ruled["choices"][0]["message"]["content"]
        # one sentence, and the denial that belongs to it
        assert "Stimme" in told and "\u201c" in told and told.count("\n\n") <= 1 and "not broken" in told
        assert tesla.chat().json()["choices"] == plain["choices"]
        assert x.http.post("/v1/responses", json={"input": QUESTION}).json()["house_rules"] == 1
        ring.change("x", parse_rules(""))
        assert x.chat().json()["choices"] == plain["choices"]
        ring.change("x", parse_rules("language: de"))
        assert x.chat().json()["house_rules"] == 3
        assert [rules.version for rules in ring.tenant("x").rules] == [1, 2, 3]
        # a card is everybody's, so that nobody's rules shape it
        cards = [asker.http.post("/v1/explain", json={"url": DENIAL}).json() for asker in (x, tesla)]
        assert cards[0] == cards[1] and "Stimme" not in cards[0]["text"]
        assert accounts(x)["x"]["rules_version"] == 3 and "Plain words" not in str(accounts(x))


def test_the_page_s_answers_tell_the_version_too(house: SmallHouse, tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    ring.change("-", parse_rules("sentences: 2"))
    with serving(house, ring) as _, serve_in_thread(create_app(house, keys=ring)) as url:
        with httpx2.stream("GET", f"{url}/api/ask", params={"q": QUESTION}, trust_env=False) as response:
            assert Stream(response).next("done")[1]["house_rules"] == 1


@pytest.mark.parametrize("text", ["sentences: 0", "sentences: many", "language: fr", "x" * 2_001])
def test_rules_that_cannot_be_kept_are_named(text: str) -> None:
    with pytest.raises(InvalidInput, match="rules"):
        parse_rules(text)


def test_rules_are_read_line_by_line() -> None:
    rules = parse_rules("Plain language,\nno exclamation marks.\nSentences: 3\nlanguage: DE\n")
    assert isinstance(rules, HouseRules) and rules.options() == {
        "tone": "Plain language, no exclamation marks.",
        "max_sentences": 3,
        "lang": "de",
    }


@pytest.mark.parametrize("mode", ERAS)
def test_each_tool_has_its_scope(house: SmallHouse, tmp_path: Path, mode: str) -> None:
    ring = KeyRing(tmp_path)
    reading, asking = ring.add("x", ["search"])[1], ring.add("x", ["ask"])[1]
    with serve_in_thread(create_app(house, keys=ring)) as url:

        async def work(client: Any) -> tuple[set[str], Any, Any]:
            listed = {tool.name for tool in (await client.list_tools()).tools}
            found = await client.call_tool("search", {"query": "bridge"})
            return listed, found, await client.call_tool("ask", {"question": QUESTION})

        listed, found, answered = use(url, work, mode, **bearer(reading))
        assert listed == {"search", "fetch", "thread"} and given(found)["results"]
        assert answered.is_error and "may not ask" in answered.content[0].text
        listed, found, answered = use(url, work, mode, **bearer(asking))
        assert listed == {"ask", "explain_post"} and given(answered)["sentences"]
        assert found.is_error and "may not search" in found.content[0].text


def test_what_refuses_prompts_is_under_v1_for_display_only(house: SmallHouse, tmp_path: Path) -> None:
    author = DENIAL.rpartition("/")[0]
    house.add(ConsentEvent(author=author, scope="prompt", allow=False, received_us=house.clock_us))
    with serving(house, KeyRing(tmp_path), "x") as (x,):
        for use_for, is_there in (({}, False), ({"for": "prompt"}, False), ({"for": "display"}, True)):
            messages = {"messages": [{"role": "user", "content": QUESTION}]}
            told = [
                x.search(summary="true", **use_for).text,
                x.http.post("/v1/chat/completions", params=use_for, json=messages).text,
                x.http.post(
                    "/v1/explain", params=use_for, json={"url": "https://town.example/@author4/4"}
                ).text,
            ]
            assert ["author5" in text for text in told] == [is_there] * 3
            explained = x.http.post("/v1/explain", params=use_for, json={"url": DENIAL})
            assert explained.status_code == (200 if is_there else 404)
        assert error_of(x.search(**{"for": "training"}))["code"] == "invalid_use"
        assert "author5" in x.http.get("/api/search?q=dam").text


def test_alerts_under_v1_quote_nobody_who_refuses_prompts(house: SmallHouse, url: str) -> None:
    def may_prompt(is_allowed: bool) -> ConsentEvent:
        return ConsentEvent(author=author, scope="prompt", allow=is_allowed, received_us=house.clock_us)

    author = make_post(100, "").author
    house.add(may_prompt(False))
    asked = {"q": "from:author100 ferry", "novelty": "low"}
    with (
        open_stream(url, "/v1/alerts", **asked) as programs,
        open_stream(url, "/api/alerts", **asked) as people,
    ):
        programs.next("started"), people.next("started")
        house.add(make_post(100, "The ferry Anneliese is on fire off Hollin, smoke over the harbour."))
        assert "Anneliese" in str(people.next("alert"))
        house.add(may_prompt(True))
        house.add(
            make_post(
                101,
                "The ferry Luise has sunk at the North Pier, nobody aboard.",
                author=author,
                handle="author100",
            )
        )
        told = str(programs.next("alert"))
    assert "Luise" in told and "Anneliese" not in told


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ["--data", str(tmp_path)]
    rules = tmp_path / "rules.txt"
    rules.write_text("sentences: 3\nNo exclamation marks.")
    assert run(["tenants", "set", "x", "--streams", "4", *data]) == 2
    assert "no tenant 'x'" in capsys.readouterr().err
    KeyRing(tmp_path).add("x")
    limits = ["--streams", "4", "--tokens-per-day", "9000", "--requests-per-minute", "60", "--priority", "1"]
    assert run(["tenants", "set", "x", *limits, "--rules", str(rules), *data]) == 0
    assert "version 1" in capsys.readouterr().err
    assert run(["tenants", "set", "x", "--streams", "none", "--json", *data]) == 0
    assert run(["tenants", "stop", "x", "--answers", "--json", *data]) == 0
    now, stopped = map(json.loads, capsys.readouterr().out.splitlines())
    assert now["tenant"]["streams"] is None and stopped == {"tenant": "x", "stopped": "answers"}
    x = KeyRing(tmp_path).tenant("x")
    assert (x.priority, x.streams, x.tokens_per_day, x.requests_per_minute) == (1, None, 9_000, 60)
    assert x.stopped == "answers" and x.rules[0].tone == "No exclamation marks."
    assert run(["tenants", "list", "--json", *data]) == 0
    page, shown = map(json.loads, capsys.readouterr().out.splitlines())
    assert page["tenant"]["priority"] == 1 and shown["tenant"]["stopped"] == "answers"
    assert run(["tenants", "resume", "x", *data]) == 0 and run(["tenants", "stop", "--all", *data]) == 0
    assert KeyRing(tmp_path).tenant("x").stopped is None and KeyRing(tmp_path).stopped == "all"
    assert run(["tenants", "list", *data]) == 0 and run(["tenants", "resume", "--all", *data]) == 0
    assert KeyRing(tmp_path).stopped is None
    for wrong in (["stop"], ["stop", "x", "--all"], ["set", "x", "--streams", "few"]):
        assert run(["tenants", *wrong, *data]) == 2


def test_a_file_of_the_time_before_tenants_is_read(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    _, secret = ring.add("x")
    kept = tmp_path / "keys.json"
    kept.write_text(json.dumps(json.loads(kept.read_text())["keys"]))
    assert KeyRing(tmp_path).find(secret)
    KeyRing(tmp_path).change("x", priority=3)
    assert KeyRing(tmp_path).find(secret) and KeyRing(tmp_path).tenant("x").priority == 3
