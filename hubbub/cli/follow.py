"""`hubbub follow`: posts from files, pipes and platforms into the archive, and from there into the index."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import msgspec

from hubbub.cli.interrupts import interruptible
from hubbub.cli.options import data_options, json_option, read_settings
from hubbub.cli.output import format_table, print_json, print_note, progress
from hubbub.cli.sources import open_sources, source_options, take_source_options
from hubbub.errors import HubbubError
from hubbub.server.house import erase_in_time
from hubbub.server.indexer import Indexer
from hubbub.stream import Archive, Counts, Source, open_archive
from hubbub.stream import follow as follow_source
from hubbub.stream.follow import refusal_of

COMPLAIN_S = 60.0


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="FILE|-|bluesky|URL ...")
@source_options
@click.option("--no-index", is_flag=True, help="Only archive; `ask` or `serve` will index later.")
@data_options
@json_option
def follow(sources: tuple[str, ...], no_index: bool, as_json: bool, **flags: Any) -> None:
    """Read posts into the archive and the index; what is not a post is counted, never fatal.

    A source is a file of lines, - for standard input, bluesky, wss://HOST/subscribe,
    mastodon://HOST?stream=public, or x:// (tokens come from HUBBUB_MASTODON_TOKEN and HUBBUB_X_TOKEN).
    """
    options = take_source_options(flags)
    config = read_settings(**flags)
    opened = open_sources(config, sources, options)
    with open_archive(Path(config.data) / "archive", "w", flush_ms=config.flush_ms) as archive:
        if archive.repair is not None:
            print_note(f"the archive had a torn tail, now repaired: {archive.repair}")
        indexer = None if no_index else Indexer(config)
        try:
            counts = _follow_all(opened.sources, archive, config.erase_s, indexer)
        except BaseException:
            if indexer is not None:
                with suppress(HubbubError):  # the first failure is the one to tell
                    _finish(indexer)
            raise
        if indexer is not None:
            _finish(indexer)
    _print_counts(dict(zip(sources, counts.values(), strict=True)), as_json)


def _follow_all(
    sources: Sequence[Source], archive: Archive, erase_s: float, indexer: Indexer | None
) -> dict[str, Counts]:
    """Follow each source in a thread of its own until all have ended, one fails or somebody interrupts.

    Raises:
        PlatformError: all that are left were refused.
    """
    stop, is_over = threading.Event(), threading.Event()
    counts = {source.name: Counts() for source in sources}
    failures: list[BaseException] = []

    def guard(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)
            stop.set()

    def read(source: Source) -> None:
        guard(lambda: follow_source(source, archive, stop=stop, counts=counts[source.name]))

    def erase() -> None:
        guard(lambda: erase_in_time(archive, erase_s, is_over))

    threads = [threading.Thread(target=read, args=(source,), name=source.name) for source in sources]
    keeper = threading.Thread(target=erase, name="erase")
    complaints = Complaints()
    with progress() as line, interruptible(stop):
        for thread in (keeper, *threads):
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.1)
                line.show("; ".join(count.describe() for count in counts.values()))
                complaints.tell(counts)
                if indexer is not None and indexer.has_failed:
                    stop.set()
                guard(lambda: _check_refusals(counts, stop))
        is_over.set()
        keeper.join()
    if failures:
        raise failures[0]
    return counts


def _check_refusals(counts: Mapping[str, Counts], stop: threading.Event) -> None:
    refusal = None if stop.is_set() else refusal_of(counts.values())
    if refusal is not None:
        raise refusal


class Complaints:
    """Says on stderr when a platform cannot be read, of each source at most once a minute."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[int, float]] = {}

    def tell(self, counts: Mapping[str, Counts]) -> None:
        """Say what has gone wrong since the last time."""
        for name, count in counts.items():
            vitals = count.vitals
            num_told, next_s = self._told.get(name, (0, 0.0))
            if vitals.num_breaks > num_told and time.monotonic() >= next_s:
                self._told[name] = (vitals.num_breaks, time.monotonic() + COMPLAIN_S)
                whose = "refused" if vitals.state == "refused" else "trying again"
                print_note(f"{name}: {whose}: {vitals.last_break}")


def _finish(indexer: Indexer) -> None:
    with progress() as line:
        while not indexer.finish(timeout_s=0.2):
            line.show("indexing what has arrived ...")
    if indexer.is_redundant:
        print_note("another hubbub process keeps this index and is indexing these posts")


def _print_counts(counts: dict[str, Counts], as_json: bool) -> None:
    if as_json:
        for name, count in counts.items():
            print_json({"source": name, **msgspec.to_builtins(count)})
        return
    for count in counts.values():
        for complaint in count.errors:
            print_note(complaint)
    rows = [
        (name, c.num_lines, c.num_events, c.num_malformed, c.num_dropped, c.num_duplicates)
        for name, c in counts.items()
    ]
    click.echo(format_table(("source", "lines", "events", "malformed", "dropped", "duplicates"), rows))
