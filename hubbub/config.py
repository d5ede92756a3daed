"""Every knob of hubbub on one page: a TOML file, then the environment, then flags, the later one winning.

Read by the command line and the server only; parts take plain arguments.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated

import msgspec

from hubbub.errors import InvalidInput

ENV_PREFIX = "HUBBUB_"


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one house; the data directory holds them in `hubbub.toml`."""

    data: str = ".hubbub"
    """Directory that holds the archive and the index."""
    index: str = "edge"
    """Index backend: `edge` (in this process), `sqlite` (reference), or a Qdrant server's http(s) URL."""
    embedder: str = "static"
    """Text embedder: `static`, a path to a learned table, or `none` (lexical search only)."""
    rerank: str = "none"
    """Who looks again at the best posts of a search: `none`, or `minilm` (better, half a second later)."""
    host: str = "127.0.0.1"
    """Address that `serve` listens on."""
    port: int = 8888
    """Port that `serve` listens on; 0 takes a free one."""
    flush_ms: int = 1000
    """An acknowledged event survives power loss after at most this many milliseconds."""
    erase_s: int = 3600
    """The text of a deleted post has left the disk after at most this many seconds."""
    blocked: str = ""
    """File of author ids, one a line, whose posts are never shown nor put in a prompt."""
    slice_posts: Annotated[int, msgspec.Meta(ge=1)] = 32_768
    """Posts in a slice of the embedded index: smaller ones are sealed sooner, and more of them are asked."""
    model: str = "quotes"
    """Who writes: `quotes` (no model), an OpenAI-compatible URL as `URL#model`, or a path to a GGUF file."""


def read_config(flags: dict[str, object] | None = None, directory: str | None = None) -> Config:
    """Read the settings from `hubbub.toml`, `HUBBUB_*` and flags that are not None, the later one winning.

    Raises:
        InvalidInput: a key is unknown or a value has the wrong type; the message names where it stands.
    """
    given = {key: value for key, value in (flags or {}).items() if value is not None}
    data = str(given.get("data") or os.environ.get(ENV_PREFIX + "DATA") or directory or Config().data)
    values: dict[str, object] = {"data": data}
    path = Path(data) / "hubbub.toml"
    if path.is_file():
        values |= _read_file(path)
    for field in msgspec.structs.fields(Config):
        name = ENV_PREFIX + field.name.upper()
        if name in os.environ:
            values |= {field.name: _convert({field.name: os.environ[name]}, f"environment variable {name}")}
    return msgspec.convert({**values, **given, "data": data}, Config, strict=False)


def read_block_list(config: Config) -> frozenset[str]:
    """Return the author ids of the operator's block list; lines that start with # are remarks.

    Raises:
        InvalidInput: there is no such file, or it is not text.
    """
    if not config.blocked:
        return frozenset()
    try:
        lines = Path(config.blocked).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"block list {config.blocked!r}: {error}; mend the setting `blocked`") from None
    return frozenset(name for line in lines if (name := line.strip()) and not name.startswith("#"))


def _read_file(path: Path) -> dict[str, object]:
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is not TOML: {error}; mend or remove it") from None
    for key, value in values.items():
        _convert({key: value}, str(path))
    return values


def _convert(pair: dict[str, object], where: str) -> object:
    (name,) = pair
    try:
        return getattr(msgspec.convert(pair, Config, strict=False), name)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{name} = {pair[name]!r} in {where}: {error}") from None
