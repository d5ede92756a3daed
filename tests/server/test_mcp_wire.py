"""How /mcp behaves on the wire: eras, sessions, foreign sites, limits, clients that leave."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import anyio
import httpx2
import pytest
from mcp.client import Client
from mcp_types import CallToolResult

from hubbub.server.app import create_app
from hubbub.server.keys import KeyRing
from hubbub.server.surface import Limits
from hubbub.web.run import serve_in_thread
from tests.server.mcp_client import ACCEPT, BRIDGE, ERAS, MODERN, call, given, post_modern, said, use
from tests.server.small_house import SmallHouse
from tests.server.test_ask import QUESTION, SlowHouse, slow_house  # noqa: F401
from tests.server.test_lookup import error_of


def test_the_older_protocol_has_sessions_that_end(standing_url: str) -> None:
    def send(method: str, headers: dict[str, str] | None = None, **params: object) -> httpx2.Response:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return client.post("/mcp", json=body, headers=ACCEPT | (headers or {}))

    with httpx2.Client(base_url=standing_url, trust_env=False) as client:
        about = {"clientInfo": {"name": "t", "version": "1"}, "capabilities": {}}
        opened = send("initialize", protocolVersion="2025-06-18", **about)
        session = {"Mcp-Session-Id": opened.headers["mcp-session-id"], "MCP-Protocol-Version": "2025-06-18"}
        assert opened.status_code == 200 and opened.headers["cache-control"] == "no-store"
        assert '"protocolVersion":"2025-06-18"' in opened.text
        called = send("tools/call", session, name="fetch", arguments={"id": BRIDGE})
        assert "buses turn back" in called.text
        assert client.delete("/mcp", headers=session).status_code == 200
        assert send("tools/list", session).status_code == 404


def test_the_newer_protocol_keeps_nothing(standing_url: str) -> None:
    reply = post_modern(standing_url, "fetch", id=BRIDGE)
    assert (reply.status_code, reply.headers["cache-control"]) == (200, "no-store")
    assert "mcp-session-id" not in reply.headers
    assert reply.headers["content-security-policy"].startswith("default-src 'none'")
    assert reply.json()["result"]["resultType"] == "complete"


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}],
    ids=lambda headers: next(iter(headers)),
)
def test_another_site_is_turned_away(standing_url: str, headers: dict[str, str]) -> None:
    for sent in (MODERN, ACCEPT):
        refused = httpx2.post(standing_url + "/mcp", json={}, headers=sent | headers, trust_env=False)
        assert refused.status_code == 403 and error_of(refused)["type"] == "permission_error"


@pytest.mark.parametrize("mode", ERAS)
def test_a_house_with_keys_lets_in_who_has_one(house: SmallHouse, tmp_path: Path, mode: str) -> None:
    ring = KeyRing(tmp_path)
    key, secret = ring.add("townhall")

    with serve_in_thread(create_app(house, keys=ring)) as url:
        assert error_of(post_modern(url, "fetch", id=BRIDGE))["code"] == "no_key"
        fetched = use(
            url,
            lambda client: client.call_tool("fetch", {"id": BRIDGE}),
            mode,
            Authorization=f"Bearer {secret}",
        )
        assert given(fetched)["id"] == BRIDGE
        ring.revoke(key.id)
        refused = httpx2.post(
            url + "/mcp", json={}, headers={"Authorization": f"Bearer {secret}"}, trust_env=False
        )
        assert refused.status_code == 401 and "buses" not in refused.text


def test_a_body_that_is_too_large_is_not_read(house: SmallHouse) -> None:
    headers = MODERN | {"Content-Type": "application/json"}
    with serve_in_thread(create_app(house, limits=Limits(max_post_bytes=2_000))) as url:
        for content in (b"x" * 2_001, iter([b"x" * 1_500] * 2)):
            refused = httpx2.post(url + "/mcp", content=content, headers=headers, trust_env=False)
            assert (refused.status_code, error_of(refused)["code"]) == (413, "body_too_large")
        assert given(call(url, "fetch", id=BRIDGE))["id"] == BRIDGE


def test_one_question_too_many_is_told_to_try_again(slow_house: SlowHouse) -> None:  # noqa: F811
    async def work(client: Client) -> CallToolResult:
        async with anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "ask", {"question": QUESTION})
            while not slow_house.num_steps:
                await anyio.sleep(0.01)
            refused = await client.call_tool("ask", {"question": QUESTION})
            group.cancel_scope.cancel()
        return refused

    with serve_in_thread(create_app(slow_house, limits=Limits(max_asks=1, max_waiting=0))) as url:
        assert said(use(url, work)) == "too many asks at once; try again in 1 s"
        wait_for(lambda: slow_house.num_closed == 1)  # the client left, and the writing stopped
        assert slow_house.num_steps < 50


@pytest.mark.parametrize("mode", ERAS)
def test_a_client_that_gives_up_stops_the_work(slow_house: SlowHouse, mode: str) -> None:  # noqa: F811
    async def work(client: Client) -> None:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(client.call_tool, "ask", {"question": QUESTION})
                while not slow_house.num_steps:
                    await anyio.sleep(0.01)
                scope.cancel()
        with anyio.move_on_after(3):
            while not slow_house.num_closed:
                await anyio.sleep(0.01)

    with serve_in_thread(create_app(slow_house)) as url:
        use(url, work, mode)
        assert slow_house.num_closed == 1 and slow_house.num_steps < 50
        status = httpx2.get(url + "/api/status", trust_env=False).json()["server"]
    assert status["num_asks"] == 0


def wait_for(is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 3
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_a_stopped_server_does_not_wait_for_listening_clients(house: SmallHouse) -> None:
    with serve_in_thread(create_app(house)) as url:
        about = {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"},
        }
        body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": about}
        with httpx2.Client(base_url=url, trust_env=False, timeout=10) as client:
            session = client.post("/mcp", json=body, headers=ACCEPT).headers["mcp-session-id"]
            with client.stream("GET", "/mcp", headers=ACCEPT | {"Mcp-Session-Id": session}) as listening:
                assert listening.status_code == 200
                status = httpx2.get(url + "/api/status", trust_env=False).json()["server"]
                assert status["num_streams"] == 1
    # leaving the block stops the server; `GRACE_S` is what it would wait for a request that does not end


def test_without_the_package_the_route_says_how_to_get_it(
    house: SmallHouse, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mcp.server.streamable_http_manager", None)  # as if not installed
    for _ in range(2):
        refused = post_modern(url, "search", query="dam")
        error = error_of(refused)
        assert (refused.status_code, error["code"], error["type"]) == (501, "missing_extra", "server_error")
        assert "pip install 'hubbub[mcp]'" in error["message"]
    assert httpx2.get(url + "/api/status", trust_env=False).status_code == 200
