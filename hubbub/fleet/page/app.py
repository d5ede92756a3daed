"""The web application of one fleet: its page, its story as JSON, its news as events; read only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import anyio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hubbub.fleet.page.watch import Watch
from hubbub.web.assets import asset_routes
from hubbub.web.guard import LOCAL_HOSTS, Guard
from hubbub.web.streams import Streams
from hubbub.web.wire import Refusal, error_response, json_response

MAX_VIEWERS = 64
SEND_TIMEOUT_S = 20.0
"""A viewer that reads nothing for so long is dropped."""


def create_page(watch: Watch, *, hosts: Collection[str] | None = LOCAL_HOSTS) -> Starlette:
    """Make the application; `hosts` are the names it answers to, None for any."""
    streams = Streams(MAX_VIEWERS, SEND_TIMEOUT_S)

    @asynccontextmanager
    async def look_beside(app: Starlette) -> AsyncIterator[None]:
        async with anyio.create_task_group() as group:
            group.start_soon(watch.run)
            yield
            group.cancel_scope.cancel()

    async def story(request: Request) -> Response:
        return json_response(watch.story())

    async def live(request: Request) -> Response:
        return streams.response(watch.read)

    app = Starlette(
        routes=[
            *asset_routes("hubbub.fleet", {"index.html": "/"}),
            Route("/api/fleet", story, methods=["GET"]),
            Route("/api/live", live, methods=["GET"]),
        ],
        lifespan=look_beside,
        middleware=[Middleware(Guard, hosts=hosts)],
        exception_handlers={Refusal: _refuse},
    )
    app.state.streams = streams
    return app


async def _refuse(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    return error_response(refusal)
