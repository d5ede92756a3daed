"""From what a person names on the command line to sources that can be followed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from hubbub.cli.options import Moment
from hubbub.config import Config
from hubbub.errors import InvalidInput
from hubbub.server.house import REPLAY_MARK
from hubbub.stream import FORMATS, NdjsonSource, ReplayClock, ReplaySource, Source
from hubbub.stream.live import is_live, open_live

Command = TypeVar("Command", bound=Callable[..., Any])


class SourceOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the named files are read."""

    line_format: str
    tail: bool
    replay: bool
    speed: float
    from_us: int | None
    until_us: int | None


class OpenedSources(msgspec.Struct, frozen=True, kw_only=True):
    """Sources ready to be followed, and the clock that a replay runs by."""

    sources: Sequence[Source]
    clock: ReplayClock | None


def source_options(command: Command) -> Command:
    """Add the flags that say how files are read; `take_source_options` collects them."""
    for option in (
        click.option("--until", "until_us", type=Moment(), help="Replay up to this time."),
        click.option("--from", "from_us", type=Moment(), help="Replay from this time on."),
        click.option(
            "--speed", type=float, default=float("inf"), help="Replay so many times faster; inf: no pauses."
        ),
        click.option(
            "--replay", is_flag=True, help="Play in time order; recorded times stand for the receipt."
        ),
        click.option("--tail", is_flag=True, help="Wait for more at the end of a file."),
        click.option(
            "--format", "line_format", type=click.Choice(FORMATS), default=FORMATS[0], show_default=True
        ),
    ):
        command = option(command)
    return command


def take_source_options(flags: dict[str, Any]) -> SourceOptions:
    """Take the flags of `source_options` out of all flags."""
    return SourceOptions(**{name: flags.pop(name) for name in SourceOptions.__struct_fields__})


def open_sources(config: Config, names: Sequence[str], options: SourceOptions) -> OpenedSources:
    """Open files and platforms for following; marks the data directory when a file is replayed.

    Raises:
        InvalidInput: a file is missing, an address cannot be followed, the same is named twice, or a replay
            is mixed with what was live.
    """
    if not options.replay:
        _refuse_replay_flags(options)
        live = [_open(config, name, options) for name in names]
        if len({source.name for source in live}) != len(live):
            raise InvalidInput(f"the same source is named twice in {', '.join(names)}; name each once")
        return OpenedSources(sources=live, clock=None)
    for name in filter(is_live, names):
        raise InvalidInput(f"{name!r} is live and cannot be replayed; leave --replay out")
    if len(names) > 1:
        raise InvalidInput("a replay plays one file, since all share one clock; join the files first")
    clock = ReplayClock(options.speed, options.from_us or 0)
    sources = [
        ReplaySource(
            name, options.line_format, from_us=options.from_us, until_us=options.until_us, clock=clock
        )
        for name in names
    ]
    if names:
        _mark_replay(config)
    return OpenedSources(sources=sources, clock=clock if names else None)


def _open(config: Config, name: str, options: SourceOptions) -> Source:
    if is_live(name):
        return open_live(name, Path(config.data) / "platforms", Path(config.data) / "archive")
    return NdjsonSource(name, options.line_format, is_growing=options.tail)


def _refuse_replay_flags(options: SourceOptions) -> None:
    for flag, value in (("--from", options.from_us), ("--until", options.until_us)):
        if value is not None:
            raise InvalidInput(f"{flag} belongs to --replay; add --replay or leave {flag} out")


def _mark_replay(config: Config) -> None:
    directory = Path(config.data)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / REPLAY_MARK).touch()
