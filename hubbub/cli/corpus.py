"""`hubbub corpus`: build a training corpus from an archive, keep deletions out of it, look at it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from hubbub.cli.interrupts import interruptible
from hubbub.cli.lazy import LazyVerbs
from hubbub.cli.options import json_option
from hubbub.cli.output import format_table, print_json, print_note, progress
from hubbub.config import Config
from hubbub.errors import InvalidInput
from hubbub.units import US_PER_DAY, US_PER_S, format_time, parse_duration_us

if TYPE_CHECKING:
    from hubbub.corpus.manifest import Manifest
    from hubbub.corpus.settings import CorpusSettings
    from hubbub.stream import Archive


@click.group(cls=LazyVerbs)
def corpus() -> None:
    """Build a training corpus from an archive, keep deletions out of it, look at it."""


@corpus.command()
@click.argument("archive")
@click.argument("directory", metavar="DIR")
@click.option("--vocab", type=click.IntRange(262, 1 << 20), help="Entries of the tokenizer [default: 8192].")
@click.option("--tokenizer", metavar="DIR", help="Use this tokenizer.json instead of training one.")
@click.option("--lang", multiple=True, metavar="CODE", help="Keep only this language; may be repeated.")
@click.option("--blocked", multiple=True, metavar="AUTHOR", help="Leave this author out; may be repeated.")
@click.option(
    "--max-author-share", type=click.FloatRange(0, 1), help="Cut this share of authors down to the next."
)
@click.option("--held-out-days", type=click.FloatRange(0), help="Hold the newest days out for evaluation.")
@click.option(
    "--against",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Leave out what shares eight words in a row with a line of this file; may be repeated.",
)
@click.option("--set", "sets", multiple=True, metavar="NAME=VALUE", help="Any other setting.")
@click.option("--processes", type=click.IntRange(1), default=1, show_default=True, help="Use so many.")
@click.option("--part", metavar="I/N", help="Do one of N parts; then run the same command without --part.")
@json_option
def build(
    archive: str, directory: str, part: str | None, processes: int, as_json: bool, **flags: Any
) -> None:
    """Fold an archive into a corpus; what was there before stays until the new one is whole.

    Only posts whose authors expressly allow it get in. Interrupted, the same command goes on where it was.
    ARCHIVE is the directory of an archive, or the data directory that holds one.
    """
    from hubbub.corpus.build import build_corpus, build_part

    with open_events(archive) as events, progress() as line:
        settings = _read_settings(events, flags)
        if part is not None:
            number, parts = _read_part(part)
            build_part(events.read(), directory, settings, part=number, parts=parts, tell=line.show)
            print_note(f"part {part} is done; once all are, run the same command without --part")
            return
        report = build_corpus(events.read(), directory, settings, processes=processes, tell=line.show)
    if as_json:
        print_json(report)
        return
    rows = [("posts in the archive", report.num_posts), *report.dropped.items()]
    click.echo(format_table(("what", "posts"), [*rows, ("in the corpus", report.num_kept)]))
    print_note(f"keep deletions out of it from now on: hubbub corpus follow {archive} {directory}")


@corpus.command()
@click.argument("archive")
@click.argument("directory", metavar="DIR")
@click.option(
    "--erase",
    "erase_after",
    metavar="TIME",
    default=f"{Config().erase_s}s",
    show_default=True,
    help="Have deleted text off the disk so long after.",
)
@click.option("--once", is_flag=True, help="Note what there is, and end.")
@json_option
def follow(archive: str, directory: str, erase_after: str, once: bool, as_json: bool) -> None:
    """Note deletions from the archive as they come, within a second, until interrupted.

    Trainers that have the corpus open leave the posts out of their next batch. Run it as long as the corpus
    exists; it goes on where it was.
    """
    from hubbub.corpus.deletions import DeletionFold, follow_deletions

    stop, found = threading.Event(), DeletionFold(directory)
    began = found.mark
    with open_events(archive) as events, progress() as line, interruptible(stop):
        last_seq = events.last_seq

        def tell(mark: int, dead: int) -> None:
            line.show(f"{dead:,} posts deleted; read up to event {mark:,}")
            if once and mark >= last_seq:
                stop.set()

        if once and began >= last_seq:
            stop.set()
        erase_s = parse_duration_us(erase_after) / US_PER_S
        num_dead = follow_deletions(directory, events, stop, compact_s=erase_s, tell=tell)
    told = {"deletion_mark": found.mark, "num_events": found.mark - began, "num_dead": num_dead}
    if as_json:
        print_json(told)
    else:
        print_note(f"{num_dead:,} posts deleted by {found.mark - began:,} events, up to {found.mark:,}")


@corpus.command()
@click.argument("directory", metavar="DIR")
@json_option
def compact(directory: str, as_json: bool) -> None:
    """Rewrite what holds deleted posts without them; trainers go on meanwhile."""
    from hubbub.corpus.compaction import compact_corpus

    report = compact_corpus(directory)
    if as_json:
        print_json(report)
    else:
        click.echo(
            f"{report.num_posts:,} posts removed from {report.num_shards} shards, "
            f"{report.freed_bytes / 1e6:,.1f} MB freed, {report.took_s:.2f} s"
        )


@corpus.command()
@click.argument("directory", metavar="DIR")
@click.option("--verify", is_flag=True, help="Read every file and compare its hash.")
@json_option
def show(directory: str, verify: bool, as_json: bool) -> None:
    """Show what a corpus holds; exit code 1 where a file is damaged."""
    from hubbub.corpus.reader import open_corpus

    opened = open_corpus(directory, verify=verify)
    manifest, mark = opened.manifest, opened.deletion_mark
    dead = sum(int(shard.flags().sum()) for shard in opened.shards())
    left = sum(note.num_pieces for note in manifest.shards)
    if as_json:
        told = {"deletion_mark": mark, "num_alive": left - dead, "num_dead": manifest.num_posts - left + dead}
        print_json({**told, "num_on_disk": left, **msgspec.to_builtins(manifest)})
        return
    rows = [*_describe(manifest), ("deletions noted up to event", f"{mark:,}")]
    rows += [("posts alive", f"{left - dead:,}"), ("posts deleted, still on the disk", f"{dead:,}")]
    click.echo(format_table(("what", "value"), rows))
    if dead:
        print_note(f"hubbub corpus compact {directory} removes them from the disk")


@corpus.command()
@click.argument("directory", metavar="DIR")
@click.option("--html", "path", metavar="FILE", help="The page [default: report.html in DIR].")
@click.option("--samples", type=click.IntRange(0, 200), default=12, show_default=True, help="Show so many.")
@json_option
def stats(directory: str, path: str | None, samples: int, as_json: bool) -> None:
    """Write a page with pictures: what was dropped and why, languages, authors, lengths, days, samples.

    The samples are living posts. The page in DIR goes at the next compaction, since a deletion cannot reach
    into it; one that you name yourself is yours to remove.
    """
    from hubbub.corpus.compaction import REPORT
    from hubbub.corpus.reader import open_corpus
    from hubbub.corpus.report import report_of
    from hubbub.corpus.statistics import gather
    from hubbub.report import write_report

    opened = open_corpus(directory, verify=False)
    found = gather(opened, num_samples=samples)
    if as_json:
        print_json(found)
    if path or not as_json:
        page = Path(path) if path else Path(directory) / REPORT
        write_report(report_of(opened.manifest, found), page)
        print_note(f"written: {page}")


def _describe(manifest: Manifest) -> list[tuple[str, str]]:
    about = manifest.about
    return [
        ("corpus", manifest.id),
        ("posts", f"{manifest.num_posts:,} of {about.num_posts:,}"),
        ("documents", f"{manifest.num_documents:,}, {manifest.num_held_out:,} of them held out"),
        ("tokens", f"{manifest.num_tokens:,}, vocabulary {manifest.vocab_size:,}"),
        ("received", f"{format_time(manifest.first_us)} to {format_time(manifest.last_us)}"),
        ("languages", ", ".join(manifest.langs[:12]) + " ..." * (len(manifest.langs) > 12)),
        ("archive read up to event", f"{about.archive_position:,}"),
    ]


def open_events(path: str) -> Archive:
    """Open an archive to read, or the one in a data directory."""
    from hubbub.stream import open_archive

    inner = Path(path) / "archive"
    return open_archive(inner if inner.is_dir() else path, "r")


def _read_settings(archive: Archive, flags: Mapping[str, Any]) -> CorpusSettings:
    """Turn flags into settings; what was not given keeps its default."""
    from hubbub.corpus.settings import CorpusSettings

    chosen: dict[str, Any] = dict(_read_set(each) for each in flags["sets"])
    named = {"vocab": "vocab_size", "tokenizer": "tokenizer", "max_author_share": "active_share"}
    chosen |= {name: flags[flag] for flag, name in named.items() if flags[flag] is not None}
    chosen |= {
        name: flags[flag] for flag, name in {"lang": "languages", "blocked": "blocked"}.items() if flags[flag]
    }
    if flags["against"]:
        lines = (
            line for path in flags["against"] for line in path.read_text("utf-8", "replace").splitlines()
        )
        chosen["evaluation"] = tuple(line for line in lines if line.strip())
    if flags["held_out_days"] is not None:
        newest = max((event.received_us for _, event in archive.read(archive.last_seq - 1)), default=0)
        # Whole days, so that every part of a build comes to the same time.
        today_us = newest // US_PER_DAY * US_PER_DAY
        chosen["held_out_from_us"] = today_us + US_PER_DAY - int(flags["held_out_days"] * US_PER_DAY)
    try:
        return msgspec.convert(chosen, CorpusSettings, strict=False)
    except msgspec.ValidationError as error:
        known = ", ".join(CorpusSettings.__struct_fields__)
        raise InvalidInput(f"--set: {error}; settings are {known}") from None


def _read_set(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise InvalidInput(f"--set {text!r}: give NAME=VALUE, such as min_words=3")
    return name, value


def _read_part(text: str) -> tuple[int, int]:
    try:
        number, parts = (int(each) for each in text.split("/"))
    except ValueError:
        raise InvalidInput(f"--part {text!r}: give I/N, such as 1/16") from None
    return number, parts
