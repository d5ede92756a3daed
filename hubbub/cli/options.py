"""Flags that several verbs share, and how they become settings or an open house."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hubbub.cli.output import print_note, progress
from hubbub.config import Config, read_config
from hubbub.errors import HubbubError, InUse, InvalidInput
from hubbub.units import now_us, parse_duration_us, parse_time_us

if TYPE_CHECKING:
    from hubbub.server.house import House
    from hubbub.server.remote import RemoteHouse

Command = TypeVar("Command", bound=Callable[..., Any])


data_option = click.option(
    "--data", metavar="DIR", help="Directory of the archive and the index [default: .hubbub]."
)
_INDEX_OPTIONS = (
    click.option(
        "--embedder", metavar="NAME", help="static (default), none, or a table made by `index learn`."
    ),
    click.option("--index", metavar="NAME", help="edge (default), sqlite, or the URL of a Qdrant server."),
    data_option,
)


def data_options(command: Command) -> Command:
    """Add --data, --index and --embedder."""
    for option in _INDEX_OPTIONS:
        command = option(command)
    return command


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one value a line.")


model_option = click.option(
    "--model",
    metavar="NAME",
    help="quotes (default), an OpenAI-compatible URL as URL#model, or a .gguf file.",
)
rerank_option = click.option(
    "--rerank",
    type=click.Choice(["none", "minilm"]),
    help="minilm looks again at the best posts (pip install 'hubbub[rerank]') [default: none].",
)


def read_settings(**flags: object) -> Config:
    """Merge the flags over environment and file."""
    return read_config(flags)


class Moment(click.ParamType[int]):
    """A time: ISO 8601, or a duration that means that long ago."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the value as microseconds since 1970 UTC."""
        if isinstance(value, int):
            return value
        try:
            return now_us() - parse_duration_us(value)
        except InvalidInput:
            pass
        try:
            return parse_time_us(value)
        except InvalidInput as error:
            self.fail(str(error), param, ctx)


@contextmanager
def open_house(config: Config) -> Iterator[House | RemoteHouse]:
    """Open the data directory, or reach the process that owns it; folds what is new first.

    Raises:
        HubbubError: there is no archive yet, or its owner does not answer.
    """
    from hubbub.server.house import House
    from hubbub.server.remote import RemoteHouse, read_address

    _require_archive(config)
    try:
        house = House(config)
    except InUse:
        address = read_address(Path(config.data))
        if address is None:
            raise
        if (config.model, config.rerank) != (Config().model, Config().rerank):
            print_note(
                f"{address.url} keeps this index and answers with the --model and --rerank it was given"
            )
        with RemoteHouse(address.url) as remote:
            yield remote
        return
    with house:
        _catch_up(house)
        yield house


@contextmanager
def open_local(config: Config) -> Iterator[House]:
    """Open the data directory in this process and fold what is new.

    Raises:
        InUse: another process owns the index.
        HubbubError: there is no archive yet.
    """
    from hubbub.server.house import House

    _require_archive(config)
    with House(config) as house:
        _catch_up(house)
        yield house


def _require_archive(config: Config) -> None:
    if not (Path(config.data) / "archive").is_dir():
        raise HubbubError(
            f"no archive in {config.data!r}; fill it first: hubbub follow FILE.ndjson --data {config.data}"
        )


def _catch_up(house: House) -> None:
    last_seq = house.archive.last_seq
    with progress() as line:
        while not house.wait_until_folded(last_seq, timeout_s=0.2):
            line.show(f"indexing {house.status().index_position:,} of {last_seq:,}")
    if house.archive.last_seq == 0:
        print_note("the archive is empty")
