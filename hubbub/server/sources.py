"""`GET /api/sources`: how each source is doing, as its follower reported last; for the operator alone."""

from __future__ import annotations

from pathlib import Path

import anyio.to_thread
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hubbub.stream.report import SourceReport, read_reports
from hubbub.units import US_PER_S, now_us
from hubbub.web.wire import json_response


async def sources(request: Request) -> Response:
    """Give state, lag, rates and losses of each source that was ever followed into this archive."""
    directory: Path | None = request.app.state.archive
    reports = list(await anyio.to_thread.run_sync(read_reports, directory)) if directory else []
    return json_response({"sources": [_describe(report) for report in reports]})


def _describe(report: SourceReport) -> dict[str, object]:
    counts, vitals, now = report.counts, report.counts.vitals, now_us()
    return {
        "name": report.name,
        "state": report.state(now),
        "age_s": (now - report.updated_us) / US_PER_S,
        "per_s": sum(rate.recent_per_s for rate in vitals.rates.values()) if vitals.rates else None,
        "num_dropped": counts.num_dropped,
        **msgspec.to_builtins(counts),
    }
