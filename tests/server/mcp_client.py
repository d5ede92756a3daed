"""The real MCP client, and the same requests as they stand on the wire."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult

ERAS = ["2026-07-28", "legacy"]
BRIDGE = "https://town.example/@author6/6"
ACCEPT = {"Accept": "application/json, text/event-stream"}
MODERN = ACCEPT | {"MCP-Protocol-Version": "2026-07-28"}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


def use(url: str, work: Callable[[Client], Awaitable[Any]], mode: str = "2026-07-28", **headers: str) -> Any:
    """Connect the client, let it work, and return what it found."""

    async def run() -> Any:
        # Without certificates, whose loading would take longer than the tests.
        async with httpx2.AsyncClient(headers=headers, trust_env=False, verify=False, timeout=20) as http:
            async with Client(streamable_http_client(url + "/mcp", http_client=http), mode=mode) as client:
                return await work(client)

    return anyio.run(run)


def call(url: str, tool: str, mode: str = "2026-07-28", **arguments: object) -> CallToolResult:
    return use(url, lambda client: client.call_tool(tool, arguments), mode)


def given(result: CallToolResult) -> dict[str, Any]:
    """What a tool gave: the same as structure and as the one JSON text."""
    assert not result.is_error, result.content
    assert [item.type for item in result.content] == ["text"]
    assert json.loads(result.content[0].text) == result.structured_content
    return result.structured_content


def said(result: CallToolResult) -> str:
    assert result.is_error and result.structured_content is None
    return result.content[0].text


def post_modern(url: str, tool: str, **arguments: object) -> httpx2.Response:
    """One request of the stateless protocol, as it stands on the wire."""
    params = {"name": tool, "arguments": arguments, "_meta": META}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = MODERN | {"Mcp-Method": "tools/call", "Mcp-Name": tool}
    return httpx2.post(url + "/mcp", json=body, headers=headers, timeout=10, trust_env=False)
