"""`GET /api/trends` and `/v1/trends`: what is rising, each with a quote that was checked just now."""

from __future__ import annotations

import math
import time

from starlette.requests import Request
from starlette.responses import Response

from hubbub.errors import InvalidInput
from hubbub.server.desk import desk_of, is_for_prompt, read_param, read_time_us
from hubbub.server.lookup import read_limit
from hubbub.web.wire import Refusal, json_response

MAX_TRENDS = 50
MAX_HOURS = 48.0


async def trends(request: Request) -> Response:
    """Give what rose in the last `hours` (24), at most `limit`, as of `at` (now).

    `is_complete` is false while the house still gathers what it knew before its start.
    """
    desk = desk_of(request)
    desk.check_working()
    hours, limit = _read_hours(request), read_limit(request, MAX_TRENDS)
    for_prompt = is_for_prompt(request)
    start_s, now_us, at_us = time.perf_counter(), desk.house.now_us(), read_time_us(request, "at")
    try:
        stories = []
        if desk.trending is not None:
            stories = await desk.look_up(desk.trending.stories, now_us, hours, limit, at_us, for_prompt)
    except InvalidInput as error:
        raise Refusal(400, str(error), code="invalid_time", param="at") from None
    took_ms = round((time.perf_counter() - start_s) * 1000, 1)
    is_complete = desk.trending is not None and desk.trending.is_complete
    return json_response(
        {"trends": stories, "is_complete": is_complete, "clock_us": at_us or now_us, "took_ms": took_ms}
    )


def _read_hours(request: Request) -> float:
    text = read_param(request, "hours", 20) or "24"
    try:
        hours = float(text)
    except ValueError:
        hours = math.nan
    if not 0 < hours <= MAX_HOURS:
        raise Refusal(
            400, f"hours {text!r} is not a number up to {MAX_HOURS:g}", code="invalid_hours", param="hours"
        )
    return hours
