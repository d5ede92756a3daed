"""Which address under `/v1` is answered by what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from hubbub.server.openai.chat import complete
from hubbub.server.openai.models import embed, list_models, show_model
from hubbub.server.openai.responses import respond

ROUTES: Mapping[tuple[str, str], Callable[[Request], Awaitable[Response]]] = {
    ("POST", "/v1/chat/completions"): complete,
    ("POST", "/v1/embeddings"): embed,
    ("GET", "/v1/models"): list_models,
    ("GET", "/v1/models/{name:path}"): show_model,
    ("POST", "/v1/responses"): respond,
}
