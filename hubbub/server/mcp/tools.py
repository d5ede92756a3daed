"""The list of tools: what a host is told of each, and what runs; no protocol, no tool's own work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec

from hubbub.server.desk import Desk
from hubbub.server.explain import Cards
from hubbub.server.keys import Scope
from hubbub.server.mcp.asking import ask, explain_post
from hubbub.server.mcp.finding import fetch, search, thread, trends
from hubbub.server.mcp.shapes import (
    NOTICE,
    Answered,
    AskArguments,
    Document,
    Explained,
    FetchArguments,
    PostArguments,
    Results,
    SearchArguments,
    ThreadShown,
    Trends,
    TrendsArguments,
)


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """One tool; all only read."""

    name: str
    title: str
    description: str
    arguments: type[msgspec.Struct]
    result: type[msgspec.Struct]
    run: Callable[[Desk, Any], Awaitable[msgspec.Struct]]
    scope: Scope = "search"
    """What a key must be allowed for it."""


_SEARCH = Tool(
    name="search",
    title="Search posts",
    description="Find public posts by words and operators, best first; each result names one post. "
    "Deleted and hidden posts are not found.",
    arguments=SearchArguments,
    result=Results,
    run=search,
)
_FETCH = Tool(
    name="fetch",
    title="Read a post",
    description=f"Read one post whole, as it stands now. {NOTICE}",
    arguments=FetchArguments,
    result=Document,
    run=fetch,
)
_ASK = Tool(
    name="ask",
    title="Ask what is happening",
    description="Answer a question from posts: a few sentences, each with the quotes that back it, "
    "how many independent voices say so, and whether others deny it. "
    "It reports what people say and does not judge whether it is true. " + NOTICE,
    arguments=AskArguments,
    result=Answered,
    run=ask,
    scope="ask",
)
_THREAD = Tool(
    name="thread",
    title="Read the thread of a post",
    description="Read a post, the posts it replies to up to the root, the post it quotes, and the replies "
    f"below it. {NOTICE}",
    arguments=PostArguments,
    result=ThreadShown,
    run=thread,
)
_TRENDS = Tool(
    name="trends",
    title="See what is rising",
    description="List what more independent people write about than before, each with a quoted headline. "
    + NOTICE,
    arguments=TrendsArguments,
    result=Trends,
    run=trends,
)


def list_tools_of(desk: Desk, cards: Cards) -> list[Tool]:
    """Return the tools that this house can serve."""
    explain = Tool(
        name="explain_post",
        title="See what others say about a post",
        description="Tell in at most 550 characters what others than its author say about a post, with the "
        f"quotes that back it; often that nobody does. {NOTICE}",
        arguments=PostArguments,
        result=Explained,
        run=partial(explain_post, cards),
        scope="ask",
    )
    return [_SEARCH, _FETCH, _ASK, _THREAD, explain, *([_TRENDS] if desk.trending else [])]
