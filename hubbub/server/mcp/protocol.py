"""The tools as a server of the `mcp` package: schemas out, arguments in, errors told; no HTTP, no tool."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import msgspec

from hubbub.errors import HubbubError
from hubbub.server.caller import caller
from hubbub.server.desk import Desk
from hubbub.server.explain import Cards
from hubbub.server.mcp.shapes import NOTICE, schema_of
from hubbub.server.mcp.tools import Tool, list_tools_of
from hubbub.web.wire import Refusal

if TYPE_CHECKING:
    import mcp_types as types
    from mcp.server import ServerRequestContext
    from mcp.server.lowlevel import Server
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

IDLE_S = 600.0
"""A session of the older protocol that asks nothing for so long must begin anew."""

log = logging.getLogger("hubbub.server")


def make_manager(desk: Desk, cards: Cards) -> StreamableHTTPSessionManager:
    """Make what speaks MCP over HTTP, both the stateless protocol and the older one with sessions.

    Host, Origin and the size of bodies are not its to check: the Guard stands in front of every route.

    Raises:
        ImportError: the `mcp` package is missing.
    """
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    return StreamableHTTPSessionManager(
        make_server(desk, cards),
        session_idle_timeout=IDLE_S,
        max_sessions=desk.limits.max_mcp_sessions,
        max_request_body_size=desk.limits.max_post_bytes,
    )


def name_owner(tenant: str) -> object:
    """Name who sends a request in the words of the package, to whom it then gives only sessions of its own.

    Raises:
        ImportError: the `mcp` package is missing.
    """
    from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
    from mcp.server.auth.provider import AccessToken

    return AuthenticatedUser(AccessToken(token="", client_id=tenant, scopes=[]))


def make_server(desk: Desk, cards: Cards) -> Server[dict[str, object]]:
    """Make the server with its two handlers, without a transport.

    Raises:
        ImportError: the `mcp` package is missing.
    """
    import mcp_types as types
    from mcp.server.lowlevel import Server
    from mcp.shared.exceptions import MCPError

    by_name = {tool.name: tool for tool in list_tools_of(desk, cards)}
    described = {name: _describe(tool) for name, tool in by_name.items()}
    inputs = {name: tool.input_schema for name, tool in described.items()}

    async def list_tools(
        context: ServerRequestContext[dict[str, object]], params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        scopes = caller().scopes
        return types.ListToolsResult(
            tools=[described[name] for name, tool in by_name.items() if tool.scope in scopes]
        )

    async def call_tool(
        context: ServerRequestContext[dict[str, object]], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        if params.name not in by_name:
            raise MCPError(types.INVALID_PARAMS, f"no tool {params.name[:60]!r} here; there is {[*by_name]}")
        return await _call(desk, by_name[params.name], params.arguments or {})

    return Server(
        "hubbub",
        title="hubbub",
        instructions=f"Search and quote public posts as they stand now. {NOTICE}",
        get_tool_input_schema=inputs.get,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _describe(tool: Tool) -> types.Tool:
    import mcp_types as types

    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=schema_of(tool.arguments),
        output_schema=schema_of(tool.result),
        annotations=types.ToolAnnotations(
            title=tool.title,
            read_only_hint=True,
            destructive_hint=False,
            idempotent_hint=True,
            open_world_hint=False,
        ),
    )


async def _call(desk: Desk, tool: Tool, arguments: dict[str, object]) -> types.CallToolResult:
    """Run a tool; what goes wrong becomes a result that a model can read."""
    import mcp_types as types

    try:
        desk.check_working()
        if tool.scope not in caller().scopes:
            raise Refusal(403, f"this key may not {tool.scope}", code="not_in_scope")
        given = msgspec.convert(arguments, tool.arguments)
        text = _encode(await tool.run(desk, given))
    except (Refusal, HubbubError, msgspec.ValidationError) as error:
        return _fail(str(error))
    except Exception:
        log.exception("the tool %s failed", tool.name)
        return _fail("the house could not answer; its log says why")
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)], structured_content=json.loads(text)
    )


def _fail(message: str) -> types.CallToolResult:
    import mcp_types as types

    message = message.encode("utf-8", "replace").decode()
    return types.CallToolResult(content=[types.TextContent(type="text", text=message)], is_error=True)


def _encode(result: msgspec.Struct) -> str:
    """Write a result as JSON; a lone surrogate in an id, which UTF-8 cannot hold, becomes `?`."""
    text = json.dumps(msgspec.to_builtins(result), ensure_ascii=False)
    return text.encode("utf-8", "replace").decode()
