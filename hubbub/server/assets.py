"""The page's own files, read once from the package and served from memory; no other file can be reached."""

from __future__ import annotations

import hashlib
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hubbub.server.embed import FRAME, SCRIPT

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}

PLACES = {"index.html": "/", "embed.html": FRAME, "widget.js": SCRIPT}


def asset_routes() -> list[Route]:
    """Make one route for each file of `page/`; a few have addresses that other sites write down."""
    routes = []
    for file in files("hubbub.server").joinpath("page").iterdir():
        kind = file.name.rpartition(".")[2]
        if kind in TYPES:
            path = PLACES.get(file.name, f"/page/{file.name}")
            routes.append(_make_route(path, file.read_bytes(), TYPES[kind]))
    return routes


def _make_route(path: str, body: bytes, media_type: str) -> Route:
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache", "Content-Type": media_type}

    async def serve(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag, "Cache-Control": "no-cache"})
        return Response(body, headers=headers)

    return Route(path, serve, methods=["GET"])
