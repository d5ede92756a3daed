"""The places of a server at which a post can come to light, each watched as a reader would; no times."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple, Protocol

import httpx2
import msgspec


class Target(NamedTuple):
    """A post that will be deleted; only its text holds word and seal, and no question holds the seal."""

    post: str
    author: str
    word: str
    seal: str


class Noting(Protocol):
    """Who is told what a surface shows."""

    def note(self, is_shown: bool, began_s: float | None = None) -> None:
        """Take in a look, and when it was begun if it had to be asked for."""

    async def pause(self) -> None:
        """Wait until it is worth looking again."""


Watch = Callable[[httpx2.AsyncClient, Target, Noting], Awaitable[None]]


class Surface(NamedTuple):
    """One place: its watcher notes whether the post is shown, again and again, until it is cancelled."""

    name: str
    route: str
    watch: Watch
    needs_post: bool = False
    """Opened only when the post can be found."""
    is_last: bool = False
    """Opened after all others have shown the post; the deletion is sent as soon as this one shows it."""
    is_rare: bool = False
    """One post alone may never show here; if it does, it must go as everywhere."""


def _polled(path: str, params: Callable[[Target], dict[str, str]]) -> Watch:
    return _looked_at(lambda client, target: client.get(path, params=params(target)))


def _posted(path: str, body: Callable[[Target], object]) -> Watch:
    return _looked_at(lambda client, target: client.post(path, json=body(target)))


def _looked_at(look: Callable[[httpx2.AsyncClient, Target], Awaitable[httpx2.Response]]) -> Watch:
    async def watch(client: httpx2.AsyncClient, target: Target, sight: Noting) -> None:
        while True:
            began_s = time.monotonic()
            response = await look(client, target)
            if response.status_code in _LOOKED:
                sight.note(target.seal in response.text, began_s)
            await sight.pause()

    return watch


_LOOKED = (200, 404, 410)
"""Other answers refuse to look, as when too many ask."""


def _tool(name: str, arguments: Callable[[Target], object]) -> Watch:
    """Call a tool of the MCP server, by the protocol without sessions."""
    version, prefix = "2026-07-28", "io.modelcontextprotocol"
    head = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": version,
        "Mcp-Method": "tools/call",
        "Mcp-Name": name,
    }
    meta = {
        f"{prefix}/protocolVersion": version,
        f"{prefix}/clientInfo": {"name": "benchmark", "version": "1"},
        f"{prefix}/clientCapabilities": {},
    }

    def call(client: httpx2.AsyncClient, target: Target) -> Awaitable[httpx2.Response]:
        params = {"name": name, "arguments": arguments(target), "_meta": meta}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        return client.post("/mcp", json=body, headers=head)

    return _looked_at(call)


async def _live(client: httpx2.AsyncClient, target: Target, sight: Noting) -> None:
    """A reader who has the post on the screen until told otherwise."""
    is_open = False
    async with client.stream("GET", "/api/live") as response:
        async for kind, event in read_events(response):
            if kind == "status" and not is_open:
                is_open = True
                sight.note(True)
            elif kind == "post" and event["id"] == target.post:
                sight.note(True)
            elif (kind == "deletion" and event["id"] == target.post) or (
                kind == "account" and event["author"] == target.author
            ):
                sight.note(False)


async def _open_answer(client: httpx2.AsyncClient, target: Target, sight: Noting) -> None:
    """A reader who keeps an answer open: what was shown is struck out by `retraction` and `gone`."""
    while True:
        async with client.stream("GET", "/api/ask", params=_question(target)) as response:
            await _read_answer(response, target, sight)
        await sight.pause()  # refused: too many were being written


async def _read_answer(response: httpx2.Response, target: Target, sight: Noting) -> None:
    shown: set[object] = set()
    async for kind, event in read_events(response):
        was_shown = bool(shown)
        if kind == "found" and _names(event["posts"], target):
            shown.add("found")
        elif kind == "sentence" and _names(event["sentence"]["citations"], target):
            shown.add(event["sentence"]["id"])
        elif kind == "retraction":
            shown.discard(event["sentence"])
        elif kind == "gone" and event["post"] == target.post:
            shown.discard("found")
        if shown or was_shown:
            sight.note(bool(shown))


async def _asked_anew(client: httpx2.AsyncClient, target: Target, sight: Noting) -> None:
    """A reader who asks again and again; an answer shows the post if anything in it does."""
    while True:
        is_shown, num_events, began_s = False, 0, time.monotonic()
        async with client.stream("GET", "/api/ask", params=_question(target)) as response:
            async for kind, event in read_events(response):
                num_events += 1
                if kind == "found" and not _names(event["posts"], target):
                    break  # what is not found is not quoted
                is_shown |= target.seal in str(event)
                if is_shown:
                    sight.note(True)
                if kind == "done" or (kind == "gone" and event["post"] == target.post):
                    break
        if num_events and not is_shown:
            sight.note(False, began_s)
        await sight.pause()


def _standing(path: str) -> Watch:
    """A reader of alerts: what was told is struck out by `retraction`."""

    async def watch(client: httpx2.AsyncClient, target: Target, sight: Noting) -> None:
        told: set[int] = set()
        async with client.stream("GET", path, params={"q": target.word, "novelty": "low"}) as response:
            async for kind, event in read_events(response):
                if kind == "alert" and _names(event["sentence"]["citations"], target):
                    told.add(event["sentence"]["id"])
                    sight.note(True)
                elif kind == "retraction" and event["sentence"] in told:
                    told.discard(event["sentence"])
                    sight.note(bool(told))

    return watch


def _question(target: Target) -> dict[str, str]:
    return {"q": _asked(target)}


def _asked(target: Target) -> str:
    return f"What about {target.word}?"


def _names(citations: list[dict[str, Any]], target: Target) -> bool:
    return any(citation["post"] == target.post for citation in citations)


async def read_events(response: httpx2.Response) -> AsyncIterator[tuple[str, Any]]:
    """Yield name and data of server-sent events; nothing where the server refuses for now."""
    name = ""
    if response.status_code != 200:
        return
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield name, msgspec.json.decode(line[6:])


SURFACES = [
    Surface("search", "/api/search", _polled("/api/search", lambda t: {"q": t.word})),
    Surface(
        "newest posts of the author",
        "/api/search",
        _polled("/api/search", lambda t: {"q": f"from:{t.author}"}),
    ),
    Surface(
        "likeness (vectors)",
        "/api/search",
        _polled(
            "/api/search",
            lambda t: {
                "q": f"from:{t.author} ship delayed port evening hour",
                "sort": "relevance",
            },
        ),
    ),
    Surface("one post", "/api/post", _polled("/api/post", lambda t: {"id": t.post})),
    Surface("posts by id", "/api/posts", _polled("/api/posts", lambda t: {"id": t.post})),
    Surface("live feed", "/api/live", _live),
    Surface("search in pages", "/v1/search", _polled("/v1/search", lambda t: {"q": t.word})),
    Surface("search in pages, of the page", "/api/find", _polled("/api/find", lambda t: {"q": t.word})),
    Surface("trends", "/api/trends", _polled("/api/trends", lambda t: {}), is_rare=True),
    Surface("trends, in pages", "/v1/trends", _polled("/v1/trends", lambda t: {}), is_rare=True),
    Surface("alerts", "/v1/alerts", _standing("/v1/alerts"), is_rare=True),
    Surface("alerts, on the page", "/api/alerts", _standing("/api/alerts"), is_rare=True),
    Surface("MCP: search", "/mcp", _tool("search", lambda t: {"query": t.word})),
    Surface("MCP: fetch", "/mcp", _tool("fetch", lambda t: {"id": t.post})),
    Surface("MCP: thread", "/mcp", _tool("thread", lambda t: {"url_or_id": t.post})),
    Surface(
        "context card",
        "/v1/explain",
        _posted("/v1/explain", lambda t: {"url": t.post}),
        needs_post=True,
    ),
    Surface(
        "context card, of the page",
        "/api/explain",
        _polled("/api/explain", lambda t: {"url": t.post}),
        needs_post=True,
    ),
    Surface(
        "chat completion",
        "/v1/chat/completions",
        _posted(
            "/v1/chat/completions",
            lambda t: {"model": "hubbub", "messages": [{"role": "user", "content": _asked(t)}]},
        ),
        needs_post=True,
    ),
    Surface(
        "response",
        "/v1/responses",
        _posted("/v1/responses", lambda t: {"model": "hubbub", "input": _asked(t)}),
        needs_post=True,
    ),
    Surface("answer asked anew", "/api/ask", _asked_anew, needs_post=True),
    Surface("finished answer, still open", "/api/ask", _open_answer, needs_post=True),
    Surface("answer being written", "/api/ask", _open_answer, needs_post=True, is_last=True),
]
"""Whatever shows posts registers here; later surfaces join by one entry."""

WITHOUT_POSTS = {
    "/api/deletions": "ids and times of what is gone",
    "/api/sources": "counts",
    "/api/status": "counts",
    "/api/tenants": "names, limits and counts",
    "/v1/embeddings": "vectors of the texts that were sent",
    "/v1/models": "names",
    "/v1/models/{name:path}": "names",
    "/metrics": "counts",
}
"""Routes that show no post, and why."""
