"""Whatever tenants do, each sees what it would see alone, and another's ids are as good as invented ones."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hubbub.server.app import create_app
from hubbub.server.keys import SCOPES, KeyRing, Scope
from hubbub.server.rules import parse_rules
from hubbub.web.run import serve_in_thread
from tests.server.mcp_client import ACCEPT
from tests.server.small_house import SmallHouse, flood
from tests.server.test_keys import bearer

TENANTS = ("x", "tesla", "grok")
POSTS = [post.id for post in flood()]
QUESTIONS = (
    "Has the Hollin dam broken?",
    "What about the old bridge?",
    "Was ist mit der Bruecke?",
    "and the dam?",
)
OWN_IDS = re.compile(r"(?:resp|msg|ws|chatcmpl)[_-][0-9a-f]{32}")
PASSING = re.compile(r'"(?:took_ms|created|created_at|\w+_ms|made_us)":\s*[\d.]+|"\w+_ms":\s*null')
"""What may differ between two runs of the same."""

Op = tuple[str, str, int, int]
"""Who, does what, about which post or question, after which of the responses so far (of anybody)."""


class World:
    """One server; what each tenant did there, and the responses and sessions of all."""

    def __init__(self, url: str, ring: KeyRing, secrets: dict[str, str]) -> None:
        self.ring = ring
        self.http = httpx2.Client(base_url=url, trust_env=False, timeout=20)
        self.secrets = secrets
        self.responses: dict[str, list[str]] = {name: [] for name in TENANTS}
        self.sessions: dict[str, str] = {}

    def send(self, who: str, method: str, path: str, **more: Any) -> httpx2.Response:
        headers = bearer(self.secrets[who]) | more.pop("headers", {})
        return self.http.request(method, path, headers=headers, **more)

    def respond(self, who: str, question: str, previous: str | None) -> httpx2.Response:
        body = {"input": question, "previous_response_id": previous}
        reply = self.send(who, "POST", "/v1/responses", json=body)
        if reply.status_code == 200:
            self.responses[who].append(reply.json()["id"])
        return reply

    def mcp(self, who: str, session: str | None, method: str, **params: Any) -> httpx2.Response:
        headers = ACCEPT | ({"Mcp-Session-Id": session} if session else {})
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return self.send(who, "POST", "/mcp", headers=headers, json=body)

    def session(self, who: str) -> str | None:
        about = {"clientInfo": {"name": "t", "version": "1"}, "capabilities": {}}
        if who not in self.sessions:
            opened = self.mcp(who, None, "initialize", protocolVersion="2025-06-18", **about)
            self.sessions[who] = opened.headers.get("mcp-session-id", "")
        return self.sessions[who]

    def num_requests(self, who: str) -> int:
        told = self.http.get("/api/tenants").json()["tenants"]
        return next(one["usage"]["num_requests"] for one in told if one["tenant"] == who)

    def do(self, op: Op) -> str:
        """Do one thing and return all that its tenant sees of it."""
        who, what, which, back = op
        question, post = QUESTIONS[which % len(QUESTIONS)], POSTS[which % len(POSTS)]
        if what == "ask":
            mine = self.responses[who]
            reply = self.respond(who, question, mine[back % len(mine)] if mine and back else None)
        elif what == "chat":
            body = {"messages": [{"role": "user", "content": question}], "stream": bool(back % 2)}
            reply = self.send(who, "POST", "/v1/chat/completions", json=body)
        elif what == "search":
            reply = self.send(who, "GET", "/v1/search", params={"q": question.strip("?"), "limit": "3"})
        elif what == "explain":
            reply = self.send(who, "POST", "/v1/explain", json={"url": post})
        elif what == "mcp":
            arguments = {"id": post} if back % 2 else {"question": question}
            name = "fetch" if back % 2 else "ask"
            reply = self.mcp(who, self.session(who), "tools/call", name=name, arguments=arguments)
        else:
            reply = self.send(who, "GET", "/v1/search", params={"q": "since:never"})
        return f"{reply.status_code} {plain(reply.text)}"


def plain(text: str) -> str:
    return PASSING.sub("", OWN_IDS.sub("ID", text))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallHouse]:
    house = SmallHouse(tmp_path_factory.mktemp("house"))
    house.add(*flood())
    yield house
    house.close()


@pytest.fixture(scope="module")
def worlds(house: SmallHouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[World]]:
    """One server for all tenants together, and one for each of them alone; the same keys and rules."""
    directory = tmp_path_factory.mktemp("keys")
    ring = KeyRing(directory)
    scopes: dict[str, tuple[Scope, ...]] = {"x": SCOPES, "tesla": SCOPES, "grok": ("search", "ask")}
    secrets = {name: ring.add(name, scopes[name], per_minute=100_000)[1] for name in TENANTS}
    ring.change("tesla", parse_rules("sentences: 1\nlanguage: de\nthe secret tone of tesla"), priority=1)
    with (
        serve_in_thread(create_app(house, keys=ring)) as together,
        serve_in_thread(create_app(house, keys=ring)) as x,
        serve_in_thread(create_app(house, keys=ring)) as tesla,
        serve_in_thread(create_app(house, keys=ring)) as grok,
    ):
        found = [World(url, ring, secrets) for url in (together, x, tesla, grok)]
        yield found
        for world in found:
            world.http.close()


OPS = st.tuples(
    st.sampled_from(TENANTS),
    st.sampled_from(["ask", "ask", "chat", "search", "explain", "mcp", "err"]),
    st.integers(0, 7),
    st.integers(0, 3),
)


@settings(max_examples=12)
@example([("tesla", "explain", 3, 0), ("x", "explain", 3, 0)])
@given(st.lists(OPS, min_size=2, max_size=8))
def test_each_sees_what_it_would_see_alone(worlds: list[World], ops: list[Op]) -> None:
    together, alone = worlds[0], dict(zip(TENANTS, worlds[1:], strict=True))
    before = {name: together.num_requests(name) - alone[name].num_requests(name) for name in TENANTS}
    for op in ops:
        seen = together.do(op)
        assert seen == alone[op[0]].do(op)
        assert op[0] == "tesla" or "secret tone" not in seen
        assert not any(f'"{other}"' in seen for other in TENANTS)
    for name in TENANTS:
        assert together.num_requests(name) - alone[name].num_requests(name) == before[name]


@settings(max_examples=10)
@given(
    owner=st.sampled_from(TENANTS),
    other=st.sampled_from(TENANTS),
    question=st.sampled_from(QUESTIONS),
)
def test_another_s_id_is_as_good_as_an_invented_one(
    worlds: list[World], owner: str, other: str, question: str
) -> None:
    world = worlds[0]
    if owner == other:
        return
    first = world.respond(owner, "What happens at the secret mill?", None).json()["id"]
    invented = "resp_" + "0" * 32
    foreign, unknown = (world.respond(other, question, one) for one in (first, invented))
    assert foreign.status_code == unknown.status_code == 400
    assert (
        foreign.text.replace(first, "") == unknown.text.replace(invented, "") and "mill" not in foreign.text
    )
    own = world.respond(owner, "and the dam?", first)
    assert own.status_code == 200
    session, unheard = world.session(owner), "0" * 32
    assert session
    for method, params in (
        ("tools/list", {}),
        ("tools/call", {"name": "fetch", "arguments": {"id": POSTS[5]}}),
    ):
        foreign, unknown = (world.mcp(other, one, method, **params) for one in (session, unheard))
        assert foreign.status_code == unknown.status_code == 404 and foreign.text == unknown.text
        assert dict(foreign.headers) | {"date": ""} == dict(unknown.headers) | {"date": ""}
    ended = world.send(other, "DELETE", "/mcp", headers=ACCEPT | {"Mcp-Session-Id": session})
    assert ended.status_code == 404
    assert world.mcp(owner, session, "tools/list").status_code == 200


def test_a_session_lends_nobody_the_scopes_of_who_opened_it(worlds: list[World]) -> None:
    world, ring = worlds[0], worlds[0].ring
    session = world.session("x")
    world.secrets["reader"] = ring.add("x", ["search"])[1]
    call = {"name": "ask", "arguments": {"question": QUESTIONS[0]}}
    assert "may not ask" in world.mcp("reader", session, "tools/call", **call).text
    assert "may not ask" not in world.mcp("x", session, "tools/call", **call).text


def test_a_key_of_no_scope_learns_nothing_of_others(worlds: list[World]) -> None:
    world = worlds[0]
    assert world.send("grok", "POST", "/v1/embeddings", json={"input": "dam"}).status_code == 403
    refused = world.send("grok", "POST", "/v1/embeddings", json={"input": "dam"}).text
    assert json.loads(refused)["error"]["message"] == "this key may not embed; it may search, ask"
