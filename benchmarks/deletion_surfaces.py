"""The places of a server at which a post can come to light, each watched as a reader would; no times."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

import anyio
import httpx2
import msgspec

PAUSE_S = 0.02


class Target(NamedTuple):
    """A post that will be deleted; only its text holds the word."""

    post: str
    author: str
    word: str


Note = Callable[[bool], None]
Watch = Callable[[httpx2.AsyncClient, Target, Note], Awaitable[None]]


class Surface(NamedTuple):
    """One place: its watcher notes whether the post is shown, again and again, until it is cancelled."""

    name: str
    route: str
    watch: Watch
    needs_post: bool = False
    """Opened only when the post can be found."""
    is_last: bool = False
    """Opened after all others have shown the post; the deletion is sent as soon as this one shows it."""


def _polled(path: str, params: Callable[[Target], dict[str, str]]) -> Watch:
    async def watch(client: httpx2.AsyncClient, target: Target, note: Note) -> None:
        while True:
            note(target.word in (await client.get(path, params=params(target))).text)
            await anyio.sleep(PAUSE_S)

    return watch


async def _live(client: httpx2.AsyncClient, target: Target, note: Note) -> None:
    """A reader who has the post on the screen until told otherwise."""
    is_open = False
    async with client.stream("GET", "/api/live") as response:
        async for kind, event in read_events(response):
            if kind == "status" and not is_open:
                is_open = True
                note(True)
            elif kind == "post" and event["id"] == target.post:
                note(True)
            elif (kind == "deletion" and event["id"] == target.post) or (
                kind == "account" and event["author"] == target.author
            ):
                note(False)


async def _open_answer(client: httpx2.AsyncClient, target: Target, note: Note) -> None:
    """A reader who keeps an answer open: what was shown is struck out by `retraction` and `gone`."""
    while True:
        async with client.stream("GET", "/api/ask", params=_question(target)) as response:
            await _read_answer(response, target, note)
        await anyio.sleep(PAUSE_S)  # refused: too many were being written


async def _read_answer(response: httpx2.Response, target: Target, note: Note) -> None:
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
            note(bool(shown))


async def _asked_anew(client: httpx2.AsyncClient, target: Target, note: Note) -> None:
    """A reader who asks again and again; an answer shows the post if anything in it does."""
    while True:
        is_shown, num_events = False, 0
        async with client.stream("GET", "/api/ask", params=_question(target)) as response:
            async for kind, event in read_events(response):
                num_events += 1
                if kind == "found" and not _names(event["posts"], target):
                    break  # what is not found is not quoted
                is_shown |= target.word in str(event)
                if is_shown:
                    note(True)
                if kind == "done":
                    break
        if num_events and not is_shown:
            note(False)
        await anyio.sleep(PAUSE_S * 2)


def _question(target: Target) -> dict[str, str]:
    return {"q": f"What about {target.word}?"}


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
            lambda t: {"q": f"from:{t.author} sailing delays this evening", "sort": "relevance"},
        ),
    ),
    Surface("one post", "/api/post", _polled("/api/post", lambda t: {"id": t.post})),
    Surface("posts by id", "/api/posts", _polled("/api/posts", lambda t: {"id": t.post})),
    Surface("live feed", "/api/live", _live),
    Surface("answer asked anew", "/api/ask", _asked_anew, needs_post=True),
    Surface("finished answer, still open", "/api/ask", _open_answer, needs_post=True),
    Surface("answer being written", "/api/ask", _open_answer, needs_post=True, is_last=True),
]
"""Whatever shows posts registers here; later surfaces join by one entry."""

WITHOUT_POSTS = {
    "/api/deletions": "ids and times of what is gone",
    "/api/status": "counts",
    "/metrics": "counts",
}
"""Routes that show no post, and why."""
