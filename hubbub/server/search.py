"""`GET /v1/search` (the page's `/api/find`): pages that stay put while posts arrive and die; a summary."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hubbub.errors import InvalidInput
from hubbub.index import parse_query
from hubbub.index.precedence import going_first
from hubbub.index.query import Hit, Query
from hubbub.index.spelling import respell_query
from hubbub.posts import Post
from hubbub.server.answering import Answering
from hubbub.server.desk import Desk, desk_of, is_for_prompt, read_param
from hubbub.server.facets import count_facets, draw_timeline
from hubbub.server.highlights import Highlighter
from hubbub.server.lookup import read_limit, read_sort
from hubbub.server.openai.whole import write_whole
from hubbub.server.scope import Scope
from hubbub.server.surface import Searchable
from hubbub.web.wire import Refusal, json_response

MAX_DEPTH = 500
"""Matches that can be paged through."""
FACET_DEPTH = 200
"""Best matches that facets are counted over, at least."""


class Page(msgspec.Struct, frozen=True, array_like=True):
    """What a cursor carries from one page to the next."""

    query: str
    """What was asked; a cursor of another query is refused."""
    sort: str
    clock_us: int
    """When the first page was asked for; what came later is on no page."""
    given: frozenset[bytes]
    """Digests of all posts on earlier pages: none comes twice and none is passed over, though ranks shift."""


async def search(request: Request) -> Response:
    """Search `q`; `limit`, `sort`, `cursor` (of the page before), `facets` and `summary=true` as given.

    Facets are counted for the first page unless `facets=false`, as they cost twice as much as the posts.
    """
    desk = desk_of(request)
    text = read_param(request, "q", desk.limits.max_question_chars)
    limit, sort = read_limit(request, desk.limits.max_hits), read_sort(request)
    start_s = time.perf_counter()
    page = _read_cursor(read_param(request, "cursor", 8_000), text)
    clock_us = page.clock_us if page else desk.house.now_us()
    query = _read_query(text, clock_us)
    sort = sort or (query.sort if query.text else "time")
    if page and page.sort != sort:
        raise Refusal(
            400, "the cursor belongs to another order; leave it out", code="invalid_cursor", param="cursor"
        )
    before = page.given if page else frozenset[bytes]()
    has_facets = (read_param(request, "facets", 5) or str(page is None).lower()) in ("1", "true")
    query = msgspec.structs.replace(
        query,
        limit=min(MAX_DEPTH, max(FACET_DEPTH if has_facets else 0, len(before) + limit + 1)),
        sort=sort,
        to_us=min(query.to_us or clock_us + 1, clock_us + 1),
        now_us=clock_us,
        for_prompt=is_for_prompt(request),
    )
    found = await desk.look_up(_find, desk.house.index, query, page, limit, has_facets, text)
    following = Page(text, sort, clock_us, before.union(found.given)) if found.has_more else None
    body: dict[str, object] = {
        "object": "list",
        "data": found.data,
        "has_more": found.has_more,
        "next_cursor": _write_cursor(following) if following else None,
        **found.counts,
        "clock_us": clock_us,
        "took_ms": round((time.perf_counter() - start_s) * 1000, 1),
    }
    if read_param(request, "summary", 5) in ("1", "true"):
        body["summary"] = await _summarise(request, desk, query, clock_us)
        body["data"] = await desk.look_up(_living, desk.house.index, found.data, query.for_prompt)
    return json_response(body)


class _Found(NamedTuple):
    data: list[dict[str, object]]
    given: frozenset[bytes]
    has_more: bool
    counts: dict[str, object]


def _find(
    index: Searchable, query: Query, page: Page | None, limit: int, has_facets: bool, text: str
) -> _Found:
    before = page.given if page else ()
    with going_first():
        hits = index.search(query)
        left = [hit for hit in hits if _digest(hit) not in before] if before else hits
        given = left[:limit]
        light = Highlighter(query)
        data = [{"post": h.post, "score": h.score, "highlights": light.mark(h.post)} for h in given]
    counts = _count(hits, query, light) if has_facets else {}
    if not page:
        counts["did_you_mean"] = respell_query(index, text, query) or None
    return _Found(
        data=data,
        given=frozenset(map(_digest, given)),
        has_more=len(left) > limit,
        counts=counts,
    )


def _count(hits: Sequence[Hit], query: Query, light: Highlighter) -> dict[str, object]:
    # Ranking also finds what is only like the words, or only new; facets count what says them.
    counted = [hit for hit in hits[:FACET_DEPTH] if not query.text or light.is_said(hit.post)]
    return {
        "facets": count_facets(counted),
        "timeline": draw_timeline(counted),
        "num_counted": len(counted),
    }


async def _summarise(request: Request, desk: Desk, query: Query, clock_us: int) -> object:
    desk.check_working()
    scope = Scope(found_by=query, for_prompt=query.for_prompt)
    words = " ".join([query.text, *query.phrases, *(f"#{tag}" for tag in query.hashtags)]).strip()
    return await write_whole(request, Answering(desk, words or "What is happening?", clock_us, scope))


def _living(index: Searchable, data: list[dict[str, object]], for_prompt: bool) -> list[dict[str, object]]:
    """Leave out what has died or changed while the summary was written."""
    posts = [match["post"] for match in data]
    living = index.fetch([post.id for post in posts if isinstance(post, Post)], for_prompt)
    return [m for m in data if isinstance(m["post"], Post) and living.get(m["post"].id) == m["post"]]


def _read_query(text: str, clock_us: int) -> Query:
    try:
        return parse_query(text, now_us=clock_us)
    except InvalidInput as error:
        raise Refusal(400, str(error), code="invalid_query", param="q") from None


def _digest(hit: Hit) -> bytes:
    return hashlib.blake2b(hit.post.id.encode("utf-8", "surrogatepass"), digest_size=6).digest()


def _write_cursor(page: Page) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(page)).decode().rstrip("=")


def _read_cursor(text: str, query: str) -> Page | None:
    if not text:
        return None
    try:
        page = msgspec.msgpack.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=Page)
    except (ValueError, msgspec.DecodeError):
        page = None
    if page is None or page.query != query:
        raise _bad_cursor()
    return page


def _bad_cursor() -> Refusal:
    said = "the cursor is not one of this query in this order; leave it out to begin again"
    return Refusal(400, said, code="invalid_cursor", param="cursor")
