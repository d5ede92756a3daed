"""Names that a country has in the other language that we write: posts about it may be in either."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from hubbub.assistant.wordforms import fold


def other_name(name: str, lang: str) -> str | None:
    """Return the German name of a country for its English one (`lang` en), or the reverse; None if alike."""
    return _names(lang).get(fold(name))


@cache
def _names(lang: str) -> dict[str, str]:
    table = files("hubbub.assistant").joinpath("territories.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines() if line and line[0] != "#"]
    return (
        {fold(german): english for german, english in rows}
        if lang == "de"
        else {fold(english): german for german, english in rows}
    )
