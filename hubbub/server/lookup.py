"""`GET /api/post`, `posts`, `search`, `deletions`, `status`: one JSON answer each, nothing kept."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hubbub.errors import InvalidInput
from hubbub.index import parse_query
from hubbub.index.query import Hit
from hubbub.posts import Post, PostId
from hubbub.server.desk import Desk, desk_of, read_param, read_time_us
from hubbub.server.thread import read_thread
from hubbub.web.wire import Refusal, json_response

MAX_ID_CHARS = 2_000
DEFAULT_HITS = 20
MAX_RECEIPTS = 1_000


async def post(request: Request) -> Response:
    """Give one living post by `id`; 410 if its deletion was heard, 404 if it is unknown or not visible.

    With `thread=true` also the posts above and below it.
    """
    desk = desk_of(request)
    post_id = read_param(request, "id", MAX_ID_CHARS)
    if not post_id:
        raise Refusal(400, "id is empty; give a post's id, as id=x://status/1", code="empty", param="id")
    found = await find_post(desk, [post_id])
    if read_param(request, "thread", 10) != "true":
        return json_response({"post": found})
    thread = await desk.look_up(read_thread, desk.house.index, found)
    if thread is None:
        raise Refusal(410, f"post {post_id[:200]!r} was deleted", code="post_deleted", param="id")
    return json_response({"post": thread.post, "thread": thread})


async def find_post(desk: Desk, ids: Sequence[PostId], for_prompt: bool = False) -> Post:
    """Fetch the first living post of these names of one post (that may be put in a prompt, if asked).

    Raises:
        Refusal: 410 if its deletion was heard, 404 if it is unknown or not visible.
    """
    living = await desk.look_up(desk.house.index.fetch, ids, for_prompt)
    for post_id in ids:
        if post_id in living:
            return living[post_id]
    if any(desk.feed.is_gone(post_id) for post_id in ids):
        raise Refusal(410, f"post {ids[0][:200]!r} was deleted", code="post_deleted", param="id")
    raise Refusal(404, f"no visible post {ids[0][:200]!r} here", code="post_unknown", param="id")


async def posts(request: Request) -> Response:
    """Give those of the posts `id` (repeated) that may be shown now, and name those known to be deleted."""
    desk = desk_of(request)
    ids = request.query_params.getlist("id")
    if len(ids) > desk.limits.max_ids:
        raise Refusal(
            400, f"{len(ids)} ids; at most {desk.limits.max_ids} are taken", code="too_many", param="id"
        )
    living = await desk.look_up(desk.house.index.fetch, ids)
    posts = [living[post] for post in dict.fromkeys(ids) if post in living]
    return json_response({"posts": posts, "deleted": [post for post in ids if desk.feed.is_gone(post)]})


async def search(request: Request) -> Response:
    """Search `q` in the query syntax; `limit` and `sort` (relevance or time) as given."""
    desk = desk_of(request)
    text = read_param(request, "q", desk.limits.max_question_chars)
    limit = read_limit(request, desk.limits.max_hits)
    sort = read_sort(request)
    start_s = time.perf_counter()
    clock_us = desk.house.now_us()
    hits = await find_hits(desk, text, limit, sort, clock_us)
    took_ms = round((time.perf_counter() - start_s) * 1000, 1)
    return json_response({"hits": hits, "clock_us": clock_us, "took_ms": took_ms})


async def find_hits(
    desk: Desk,
    text: str,
    limit: int,
    sort: Literal["relevance", "time"] | None,
    clock_us: int,
    for_prompt: bool = False,
) -> list[Hit]:
    """Search in the query syntax; without `sort` as the query says, and the newest first if it has no words.

    Raises:
        Refusal: the query cannot be read.
    """
    try:
        query = parse_query(text, now_us=clock_us)
        sort = sort or (query.sort if query.text else "time")
        query = msgspec.structs.replace(query, limit=limit, sort=sort, for_prompt=for_prompt)
        return await desk.look_up(desk.house.index.search, query)
    except InvalidInput as error:
        raise Refusal(400, str(error), code="invalid_query", param="q") from None


async def deletions(request: Request) -> Response:
    """Give the receipts of the newest deletions, or of those of one `post`; `limit` and `since` as given."""
    desk = desk_of(request)
    if desk.stamps is None:
        raise Refusal(404, "this house keeps no receipts of deletions", code="not_found")
    limit = read_limit(request, MAX_RECEIPTS)
    since_us = read_time_us(request, "since")
    post_id = read_param(request, "post", MAX_ID_CHARS) or None
    return json_response(await desk.look_up(desk.stamps.read, limit, since_us, post_id))


async def status(request: Request) -> Response:
    """Report how the house and this server are doing, and which questions suit the house."""
    desk = desk_of(request)
    house = await desk.look_up(desk.house.status)
    server = {
        "num_asks": desk.num_asks,
        "num_streams": desk.streams.num_open,
        "num_slow_dropped": desk.streams.num_slow_dropped,
        "failure": desk.failure,
    }
    examples = [{"text": text, "lang": lang} for text, lang in desk.examples]
    return json_response({"house": house, "server": server, "examples": examples})


def read_limit(request: Request, max_limit: int) -> int:
    """Read how many are wanted.

    Raises:
        Refusal: it is no number from 1 to `max_limit`.
    """
    text = read_param(request, "limit", 20) or str(DEFAULT_HITS)
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= max_limit:
        raise Refusal(
            400,
            f"limit {text!r} is not a whole number from 1 to {max_limit}",
            code="invalid_limit",
            param="limit",
        )
    return int(text)


def read_sort(request: Request) -> Literal["relevance", "time"] | None:
    """Read the order that is wanted; None if the query decides.

    Raises:
        Refusal: there is no such order.
    """
    text = read_param(request, "sort", 20)
    kinds: dict[str, Literal["relevance", "time"] | None] = {
        "": None,
        "relevance": "relevance",
        "time": "time",
    }
    if text not in kinds:
        raise Refusal(400, f"sort {text!r} is neither relevance nor time", code="invalid_sort", param="sort")
    return kinds[text]
