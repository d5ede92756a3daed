"""`hubbub status`: how the sources and the index of a data directory are doing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from hubbub.cli.options import data_option, json_option, read_settings
from hubbub.cli.output import format_table, print_json, print_note
from hubbub.errors import HubbubError
from hubbub.server.remote import RemoteHouse, read_address
from hubbub.stream import open_archive
from hubbub.stream.report import SourceReport, read_reports
from hubbub.units import now_us, to_datetime

_HEADER = "source,state,lag,own lag,per s,events,malformed,dropped,twice,breaks,gaps,cursor".split(",")


@click.command()
@data_option
@json_option
def status(as_json: bool, **flags: Any) -> None:
    """Show each source (state, lag of the platform and our own, rates, losses) and the index."""
    config = read_settings(**flags)
    directory = Path(config.data)
    with open_archive(directory / "archive", "r") as archive:
        last_seq = archive.last_seq
    reports = list(read_reports(directory / "archive"))
    house = {"last_seq": last_seq, **_ask_owner(directory)}
    if as_json:
        for report in reports:
            print_json(
                {"source": report.name, "state": report.state(now_us()), **msgspec.to_builtins(report)}
            )
        print_json({"house": house})
        return
    if reports:
        click.echo(format_table(_HEADER, [_row(report) for report in reports]))
    for report in reports:
        _print_notes(report)
    click.echo(_describe(house))


def _ask_owner(directory: Path) -> Mapping[str, object]:
    """Return what the process that keeps the index says; nothing if there is none, or it does not answer."""
    address = read_address(directory)
    if address is None:
        return {}
    try:
        with RemoteHouse(address.url) as remote:
            return remote.status()
    except HubbubError:
        return {}


def _row(report: SourceReport) -> tuple[object, ...]:
    counts, vitals = report.counts, report.counts.vitals
    return (
        report.name,
        report.state(now_us()),
        _format_ms(vitals.platform_lag_ms),
        _format_ms(vitals.own_lag_ms),
        f"{sum(rate.recent_per_s for rate in vitals.rates.values()):.1f}" if vitals.rates else "-",
        counts.num_events,
        counts.num_malformed,
        counts.num_dropped,
        counts.num_duplicates,
        vitals.num_breaks,
        vitals.num_gaps,
        report.cursor or "-",
    )


def _print_notes(report: SourceReport) -> None:
    """Say what an operator must know, on stderr."""
    vitals = report.counts.vitals
    for what, said in (
        ("refused", vitals.refused),
        ("last break", vitals.last_break if vitals.last_break != vitals.refused else None),
        ("last gap", vitals.last_gap),
    ):
        if said:
            print_note(f"{report.name}: {what}: {said}")
    for what, kinds in (("silent", vitals.silent), ("far less than usual", vitals.thin)):
        if kinds:
            print_note(f"{report.name}: {what}: {', '.join(kinds)}")


def _describe(house: Mapping[str, object]) -> str:
    parts = [f"archive: {house['last_seq']:,} events"]
    if "num_posts" in house:
        parts.append(f"index: {house['num_posts']:,} posts, up to event {house['index_position']:,}")
        deleted_us = house.get("last_deletion_us")
        if isinstance(deleted_us, int):
            parts.append(f"last deletion: {to_datetime(deleted_us):%Y-%m-%d %H:%M:%S} UTC")
    else:
        parts.append("index: no process keeps it now")
    return "; ".join(parts)


def _format_ms(lag_ms: float | None) -> str:
    if lag_ms is None:
        return "-"
    return f"{lag_ms:.0f} ms" if abs(lag_ms) < 10_000 else f"{lag_ms / 1000:.0f} s"
