"""A page's own files, read once from its package and served from memory; no other file can be reached."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


def asset_routes(package: str, places: Mapping[str, str]) -> list[Route]:
    """Make one route for each file of a package's `page/`, and of the look that all pages share.

    They lie under /page/, but for those of `places`, which have addresses of their own.
    """
    routes = []
    for folder in (package, "hubbub.web"):
        for file in files(folder).joinpath("page").iterdir():
            kind = file.name.rpartition(".")[2]
            if kind in TYPES:
                path = places.get(file.name, f"/page/{file.name}")
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
