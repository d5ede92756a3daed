"""`GET /v1/alerts` and `/api/alerts`: what is new about something, as events, until the reader leaves."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from hubbub.errors import InvalidInput
from hubbub.server.alerts.novelty import LEVELS, Novelty
from hubbub.server.alerts.standing import Standing
from hubbub.server.alerts.watching import Alerts
from hubbub.server.caller import caller
from hubbub.server.desk import desk_of, is_for_prompt, read_param
from hubbub.web.wire import Refusal


async def alerts(request: Request) -> Response:
    """Stream `started`, `alert` and `retraction` events for `q`; `novelty` is low, medium or high.

    A reader who comes again within minutes with `Last-Event-ID` gets what it missed.
    """
    desk = desk_of(request)
    desk.check_working()
    text = " ".join(read_param(request, "q", desk.limits.max_question_chars).split())
    novelty = _read_novelty(request)
    try:
        standing = await desk.look_up(Standing, text, desk.house.now_us(), desk.house.index)
    except InvalidInput as error:
        raise Refusal(400, str(error), code="invalid_query", param="q") from None
    watching = request.app.state.alerts
    assert isinstance(watching, Alerts)
    watching.check_working()
    key = (caller().tenant, text, novelty, is_for_prompt(request))
    last_id = request.headers.get("last-event-id", "")[:100]
    return desk.streams.response(partial(watching.read, key, standing, last_id))


def _read_novelty(request: Request) -> Novelty:
    text = read_param(request, "novelty", 20) or "medium"
    for novelty in LEVELS:
        if novelty == text:
            return novelty
    raise Refusal(
        400, f"novelty {text!r} is neither low, medium nor high", code="invalid_novelty", param="novelty"
    )
