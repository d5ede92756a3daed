"""`/v1/models` and `/v1/embeddings`."""

from __future__ import annotations

import base64
from typing import Literal

import msgspec
import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from hubbub.server.caller import caller
from hubbub.server.desk import desk_of
from hubbub.server.openai.reading import read_body
from hubbub.server.usage import count_tokens
from hubbub.web.wire import Refusal, json_response

MODEL = "hubbub"
"""The one chat model: quotes, worded by whatever `--model` the operator has set."""
_MAX_INPUTS = 256


class _Wanted(msgspec.Struct):
    input: str | list[str]
    model: str = MODEL
    encoding_format: Literal["float", "base64"] | None = None


async def list_models(request: Request) -> Response:
    """List what can be named as `model`."""
    return json_response({"object": "list", "data": [_describe(name) for name in _names(request)]})


async def show_model(request: Request) -> Response:
    """Describe one model."""
    name = request.path_params["name"]
    if name not in _names(request):
        raise Refusal(404, f"there is no model {name[:100]!r} here; see /v1/models", code="model_not_found")
    return json_response(_describe(name))


async def embed(request: Request) -> Response:
    """Return the index's own vectors of texts: unit length, or zero where nothing is known."""
    desk = desk_of(request)
    wanted = await read_body(request, _Wanted)
    texts = [wanted.input] if isinstance(wanted.input, str) else wanted.input
    if not 0 < len(texts) <= _MAX_INPUTS or not all(texts):
        raise Refusal(
            400, f"input takes 1 to {_MAX_INPUTS} texts, none empty", code="invalid_input", param="input"
        )
    who, tenants = caller(), desk.tenants
    tenants.check_tokens(who)
    rows = np.asarray(await desk.look_up(desk.house.index.embed, texts), np.float32)
    if not rows.size:
        raise Refusal(400, "this house keeps no vectors; its embedder is 'none'", code="no_embedder")
    is_packed = wanted.encoding_format == "base64"
    num_tokens = sum(map(count_tokens, texts))
    tenants.usage.note(who.tenant, num_tokens_in=num_tokens)
    return json_response(
        {
            "object": "list",
            "data": [
                {
                    "object": "embedding",
                    "index": number,
                    "embedding": base64.b64encode(row.tobytes()).decode() if is_packed else row.tolist(),
                }
                for number, row in enumerate(rows)
            ],
            "model": desk.house.index.embedder_id,
            "usage": {"prompt_tokens": num_tokens, "total_tokens": num_tokens},
        }
    )


def _names(request: Request) -> list[str]:
    return [MODEL, desk_of(request).house.index.embedder_id]


def _describe(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "hubbub"}
