"""The web application over one house: its routes, what surrounds them, and what runs beside them."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from hubbub.server import accounts, answering, explain, live, lookup, openai, rising, search, sources
from hubbub.server.alerts import route
from hubbub.server.alerts.watching import Alerts
from hubbub.server.desk import Desk
from hubbub.server.door import Door
from hubbub.server.embed import PLACES
from hubbub.server.guard import HouseGuard
from hubbub.server.keys import KeyRing
from hubbub.server.mcp.endpoint import Endpoint
from hubbub.server.metrics import metrics
from hubbub.server.stamps import Stamps
from hubbub.server.surface import House, Limits
from hubbub.server.tenants import Tenants
from hubbub.server.trending import Trending
from hubbub.server.usage import Usage
from hubbub.web.assets import asset_routes
from hubbub.web.guard import LOCAL_HOSTS
from hubbub.web.wire import Refusal, error_response

log = logging.getLogger("hubbub.server")

API = {
    "/api/alerts": route.alerts,
    "/api/ask": answering.ask,
    "/api/deletions": lookup.deletions,
    "/api/explain": explain.explain,
    "/api/find": search.search,
    "/api/live": live.live,
    "/api/post": lookup.post,
    "/api/posts": lookup.posts,
    "/api/search": lookup.search,
    "/api/sources": sources.sources,
    "/api/status": lookup.status,
    "/api/tenants": accounts.tenants,
    "/api/trends": rising.trends,
    "/metrics": metrics,
    "/v1/alerts": route.alerts,
    "/v1/search": search.search,
    "/v1/trends": rising.trends,
}


def create_app(
    house: House,
    *,
    hosts: Collection[str] | None = LOCAL_HOSTS,
    limits: Limits | None = None,
    examples: Sequence[tuple[str, str]] = (),
    archive: Path | None = None,
    stamps: Stamps | None = None,
    keys: KeyRing | None = None,
    trending: Trending | None = None,
    embed: Sequence[str] = (),
) -> Starlette:
    """Make the application over an open house.

    `hosts` are the names it answers to, None for any (a house that is meant to be read from elsewhere).
    `examples` are (question, language) that suit this house; the page offers them.
    `archive` is the directory beside which the sources' reports lie; `/metrics` tells them.
    `stamps` keep the receipts of deletions; without them `/api/deletions` has none.
    `keys` are asked for under `/v1` and `/mcp` once there are any; without a ring never.
    `trending` tells what is rising; without it `/api/trends` has none.
    `embed` are the origins whose pages may frame an answer.
    """
    limits = limits or Limits()
    tenants = Tenants(keys, Usage(keys.directory if keys else None))
    desk = Desk(house, limits, examples, stamps, trending, tenants)
    cards = explain.Cards()
    mcp = Endpoint(desk, cards)
    sizes = {"max_body_bytes": limits.max_body_bytes, "max_post_bytes": limits.max_post_bytes}
    app = Starlette(
        routes=_routes(mcp),
        lifespan=_run_beside,
        middleware=[
            Middleware(HouseGuard, hosts=hosts, embed=embed, **sizes),
            Middleware(Door, tenants=tenants, is_public=hosts is None),
        ],
        exception_handlers={Refusal: _refuse, HTTPException: _refuse_http, Exception: _fail},
    )
    app.state.desk = desk
    app.state.streams = desk.streams
    app.state.archive = archive
    app.state.threads = openai.Threads()
    app.state.cards = cards
    app.state.live = live.Live(desk)
    app.state.alerts = Alerts(desk)
    app.state.mcp = mcp
    return app


def _routes(mcp: Endpoint) -> list[BaseRoute]:
    return [
        *asset_routes("hubbub.server", PLACES),
        *(Route(path, endpoint, methods=["GET"]) for path, endpoint in API.items()),
        *(Route(path, endpoint, methods=[method]) for (method, path), endpoint in openai.ROUTES.items()),
        Route("/v1/explain", explain.explain, methods=["POST"]),
        Route("/mcp", mcp),
    ]


@asynccontextmanager
async def _run_beside(app: Starlette) -> AsyncIterator[None]:
    desk: Desk = app.state.desk

    async def run() -> None:
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(desk.feed.run)
                group.start_soon(app.state.live.run)
                group.start_soon(app.state.alerts.run)
        except Exception as error:  # without the feed no deletion is told, so nothing may be shown any more
            desk.failure = f"{type(error).__name__}: {error}"
            log.exception("the feed of events has failed")
            desk.streams.close()

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        group.start_soon(app.state.mcp.run)
        group.start_soon(desk.tenants.usage.run)
        group.start_soon(desk.tenants.run, desk.obey)
        yield
        group.cancel_scope.cancel()


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return error_response(error)


async def _refuse_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        refusal = Refusal(
            405,
            f"{request.method} is not taken here; use {(error.headers or {}).get('Allow', 'GET')}",
            code="method_not_allowed",
        )
    else:
        refusal = Refusal(error.status_code, f"nothing is at {request.url.path[:100]!r}", code="not_found")
    response = error_response(refusal)
    response.headers.update(error.headers or {})
    return response


async def _fail(request: Request, error: Exception) -> Response:
    log.error("%s failed", request.url.path, exc_info=error)
    return error_response(Refusal(500, "something broke here; the log says what", code="internal"))
