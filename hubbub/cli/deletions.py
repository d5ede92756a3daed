"""`hubbub deletions`: what became of each deletion, and by when its text has left the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hubbub.cli.options import Moment, data_options, json_option, read_settings
from hubbub.cli.output import format_table, print_json, print_note
from hubbub.errors import HubbubError
from hubbub.server.receipts import LOOKED_AT, Receipt, Summary, read_ledger
from hubbub.stream import open_archive
from hubbub.units import US_PER_S, to_datetime

_HEADER = "what,received,archived,gone,retracted,archive erased,index erased,erase by".split(",")


@click.command()
@click.argument("post", required=False, metavar="[POST_ID]")
@click.option("--since", type=Moment(), help="Only those received since then: a time, or an age such as 2h.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Show so many.")
@data_options
@json_option
def deletions(post: str | None, since: int | None, limit: int, as_json: bool, **flags: Any) -> int:
    """Show what became of each deletion, newest first, and a summary; exit code 1 if any is overdue.

    Times behind `received` are the time that it took. `-` is not done, `done` is done at an unknown time.
    """
    config = read_settings(**flags)
    with open_archive(Path(config.data) / "archive", "r") as archive:
        ledger = read_ledger(
            archive,
            config.erase_s,
            is_index_ours=not config.index.startswith(("http", "memory")),
            limit=max(limit, LOOKED_AT),
            since_us=since,
            post=post,
        )
    if post is not None and not ledger.receipts:
        raise HubbubError(
            f"no deletion of {post!r} was received here; look at its id, or at --data {config.data!r}"
        )
    shown = ledger.receipts[:limit]
    if as_json:
        for receipt in shown:
            print_json(receipt)
        print_json({"summary": ledger.summary})
    else:
        if shown:
            click.echo(format_table(_HEADER, [_row(receipt) for receipt in shown]))
        click.echo(_describe(ledger.summary))
    if ledger.summary.is_overdue:
        print_note("deleted text is overdue on the disk: is a process running that erases it, and has room?")
    return int(ledger.summary.is_overdue)


def _row(receipt: Receipt) -> tuple[str, ...]:
    since_us, is_gone, is_erased = receipt.received_us, receipt.is_gone, receipt.is_erased
    touched = f"{receipt.num_retracted} in {_took(receipt.retracted_us, since_us)}"
    return (
        receipt.post or f"{receipt.kind} {receipt.author}",
        f"{to_datetime(since_us):%Y-%m-%d %H:%M:%S}",
        _took(receipt.archived_us, since_us, is_done=True),
        _took(receipt.gone_us, since_us, is_done=is_gone),
        touched if receipt.num_retracted else "-",
        _took(receipt.archive_erased_us, since_us, is_done=is_erased),
        _took(receipt.index_erased_us, since_us, is_done=is_erased),
        f"{to_datetime(receipt.erase_by_us):%H:%M:%S}" + " OVERDUE" * receipt.is_overdue,
    )


def _took(at_us: int | None, since_us: int, *, is_done: bool = False) -> str:
    if at_us is None:
        return "done" if is_done else "-"
    took_s = (at_us - since_us) / US_PER_S
    return f"{took_s * 1000:.0f} ms" if took_s < 10 else f"{took_s:.0f} s"


def _describe(summary: Summary) -> str:
    if not summary.num_receipts:
        return "no deletions"
    parts = [f"{summary.num_receipts:,} deletions, {summary.num_gone:,} gone"]
    if summary.gone_p50_ms is not None and summary.gone_p99_ms is not None:
        parts.append(f"received to gone: p50 {summary.gone_p50_ms:.0f} ms, p99 {summary.gone_p99_ms:.0f} ms")
    parts.append(f"{summary.num_unerased:,} not yet erased")
    if summary.oldest_unerased_us is not None:
        parts.append(f"the oldest of {to_datetime(summary.oldest_unerased_us):%Y-%m-%d %H:%M:%S} UTC")
    parts.append(f"{summary.num_overdue:,} overdue (erase_s {summary.erase_s:g})")
    return "; ".join(parts)
