"""The figures of a house and its sources in the form that Prometheus reads; others say what they mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hubbub.server.desk import desk_of
from hubbub.server.stamps import BOUNDS_S, Waits
from hubbub.server.usage import Usage
from hubbub.stream.report import SourceReport, read_reports
from hubbub.units import US_PER_S, now_us

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

_HOUSE_GAUGES = {
    "num_posts": ("posts", "Posts that can be found.", 1),
    "last_seq": ("archive_last_seq", "Number of the newest event of the archive.", 1),
    "index_position": ("index_position", "Number of the newest event that is in the index.", 1),
    "lag_ms": ("index_lag_seconds", "From our receiving the last event to its being searchable.", 1000),
    "last_deletion_us": ("last_deletion_timestamp_seconds", "When the last deletion came.", US_PER_S),
}
_COUNTERS = {
    "num_lines": ("lines", "Messages and lines read."),
    "num_events": ("events", "Events taken into the archive."),
    "num_malformed": ("malformed", "Messages that are not what the format says."),
    "num_duplicates": ("duplicates", "Events that had come before."),
}
_VITAL_COUNTERS = {
    "num_connections": ("connections", "Connections opened."),
    "num_breaks": ("breaks", "Connections that broke or were refused."),
    "num_gaps": ("gaps", "Times at which events may have been missed for good."),
}
_TENANT_COUNTERS = {
    "num_requests": ("requests", "Requests that quotas count, by tenant (- is the page)."),
    "num_refused": ("refused_requests", "Refused for want of a key, scope, quota or place, or by a stop."),
    "num_answers": ("answers", "Answers written."),
    "num_tokens_in": ("tokens_in", "Tokens of questions."),
    "num_tokens_out": ("tokens_out", "Tokens of answers."),
    "work_s": ("work_seconds", "Time for which threads worked."),
}


async def metrics(request: Request) -> Response:
    """Answer a scrape."""
    from prometheus_client import CONTENT_TYPE_LATEST

    desk = desk_of(request)
    house = msgspec.to_builtins(await desk.look_up(desk.house.status))
    directory: Path | None = request.app.state.archive
    reports = list(await anyio.to_thread.run_sync(read_reports, directory)) if directory else []
    waits = await desk.look_up(desk.stamps.waits) if desk.stamps else None
    return Response(write_metrics(house, reports, waits, desk.tenants.usage), media_type=CONTENT_TYPE_LATEST)


def write_metrics(
    house: Mapping[str, object],
    reports: Sequence[SourceReport],
    waits: Waits | None = None,
    usage: Usage | None = None,
) -> bytes:
    """Write the figures of a house's status, its sources' reports and its deletions."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(house, reports, waits, usage or Usage()))
    return generate_latest(registry)


class _Figures:
    """What `prometheus_client` asks for the figures."""

    def __init__(
        self,
        house: Mapping[str, object],
        reports: Sequence[SourceReport],
        waits: Waits | None,
        usage: Usage,
    ) -> None:
        self._house, self._reports, self._waits, self._usage = house, reports, waits, usage

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        for field, (name, meaning, divisor) in _HOUSE_GAUGES.items():
            value = self._house.get(field)
            if isinstance(value, int | float):
                yield GaugeMetricFamily(f"hubbub_{name}", meaning, value=value / divisor)
        yield from self._counters()
        yield from self._gauges()
        yield from self._by_kind()
        if self._waits:
            yield from _deletions(self._waits)
        for field, (name, meaning) in _TENANT_COUNTERS.items():
            family = CounterMetricFamily(f"hubbub_{name}", meaning, labels=["tenant"])
            for tenant, spent in self._usage.since_start.items():
                family.add_metric([tenant], getattr(spent, field))
            yield family

    def _counters(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily

        for fields, part in ((_COUNTERS, "counts"), (_VITAL_COUNTERS, "vitals")):
            for field, (name, meaning) in fields.items():
                family = CounterMetricFamily(f"hubbub_source_{name}", meaning, labels=["source"])
                for report in self._reports:
                    holder = report.counts if part == "counts" else report.counts.vitals
                    family.add_metric([report.name], getattr(holder, field))
                yield family
        dropped = CounterMetricFamily(
            "hubbub_source_dropped", "Messages left out, by reason.", labels=["source", "reason"]
        )
        for report in self._reports:
            for reason, number in report.counts.reasons.items():
                dropped.add_metric([report.name, reason], number)
        yield dropped

    def _gauges(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily

        up = GaugeMetricFamily("hubbub_source_live", "1 while a source is read live.", labels=["source"])
        refused = GaugeMetricFamily(
            "hubbub_source_refused", "1 while the platform does not let us in.", labels=["source"]
        )
        missed = GaugeMetricFamily(
            "hubbub_source_missed_seconds", "Time of which events may be missing for good.", labels=["source"]
        )
        age = GaugeMetricFamily(
            "hubbub_source_report_age_seconds", "Since these figures were written.", labels=["source"]
        )
        lag = GaugeMetricFamily(
            "hubbub_source_lag_seconds",
            "The platform's own lag up to our receiving an event, and ours up to its being archived.",
            labels=["source", "whose"],
        )
        for report in self._reports:
            vitals, age_s = report.counts.vitals, (now_us() - report.updated_us) / US_PER_S
            up.add_metric([report.name], float(report.state(now_us()) == "live"))
            refused.add_metric([report.name], float(vitals.refused is not None))
            missed.add_metric([report.name], vitals.missed_s)
            age.add_metric([report.name], age_s)
            for whose, lag_ms in (("platform", vitals.platform_lag_ms), ("own", vitals.own_lag_ms)):
                if lag_ms is not None:
                    lag.add_metric([report.name, whose], lag_ms / 1000)
        yield from (up, refused, missed, age, lag)

    def _by_kind(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily

        labels = ["source", "kind"]
        rate = GaugeMetricFamily("hubbub_source_rate_per_second", "Over the last minute.", labels=labels)
        usual = GaugeMetricFamily("hubbub_source_usual_rate_per_second", "Over half an hour.", labels=labels)
        silent = GaugeMetricFamily("hubbub_source_silent", "1 where far too little has come.", labels=labels)
        thin = GaugeMetricFamily("hubbub_source_thin", "1 where far less comes than usual.", labels=labels)
        for report in self._reports:
            for kind, figures in report.counts.vitals.rates.items():
                rate.add_metric([report.name, kind], figures.recent_per_s)
                usual.add_metric([report.name, kind], figures.usual_per_s)
                silent.add_metric([report.name, kind], float(kind in report.counts.vitals.silent))
                thin.add_metric([report.name, kind], float(kind in report.counts.vitals.thin))
        yield from (rate, usual, silent, thin)


def _deletions(waits: Waits) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily

    yield HistogramMetricFamily(
        "hubbub_deletion_seconds",
        "From our receiving a deletion to its post being gone from search and answers.",
        buckets=list(zip([*map(str, BOUNDS_S), "+Inf"], waits.num_within, strict=True)),
        sum_value=waits.sum_s,
    )
    oldest_us = waits.oldest_unerased_us
    yield GaugeMetricFamily(
        "hubbub_deletion_oldest_unerased_seconds",
        "Age of the oldest deletion whose text may still be on the disk; 0 if none is.",
        value=(now_us() - oldest_us) / US_PER_S if oldest_us else 0.0,
    )
