"""Standing questions for the real events and facts that became known during them; no posts, no detector.

Fixed before anything was tuned, from the events' Wikipedia articles. A fact is told once an alert quotes a
span that matches its pattern.
"""

from __future__ import annotations

from typing import NamedTuple


class Watched(NamedTuple):
    """One stream, what a subscriber asks, and facts by pattern."""

    stream: str
    question: str
    facts: tuple[str, ...]


WATCHED = (
    Watched(
        "2013_Boston_Bombings",
        "Boston marathon bombing",
        (
            r"explo|bomb",
            r"8[- ]?year|eight[- ]year",
            r"(photo|image|picture|video)s? of .*suspect|suspects? .*(photo|image|picture)",
            r"\bmit\b",
            r"watertown",
            r"custody|captured|caught|arrested|got him",
        ),
    ),
    Watched("2013_West_Texas_Explosion", "explosion in West, Texas", (r"fertili[sz]er", r"memorial")),
    Watched(
        "2013_Oklahoma_Tornado",
        "Oklahoma tornado",
        (r"\bmoore\b", r"school|plaza tower", r"\b(24|51|91)\b", r"red cross|donat"),
    ),
    Watched(
        "2013_Alberta_Floods",
        "Calgary flood",
        (r"evacuat", r"saddledome", r"high river", r"stampede", r"power"),
    ),
    Watched(
        "2013_Queensland_Floods",
        "Queensland floods",
        (r"bundaberg", r"tornado", r"brisbane", r"evacuat"),
    ),
    Watched(
        "2012_Sandy_Hurricane",
        "hurricane Sandy",
        (r"landfall", r"without power|power out|lost power", r"crane", r"stock exchange|nyse", r"bounty"),
    ),
    Watched(
        "hurricane_harvey_2017",
        "hurricane Harvey",
        (r"landfall", r"arkema|chemical plant", r"trump", r"curfew"),
    ),
    Watched("hurricane_irma_2017", "hurricane Irma", (r"barbuda", r"keys", r"cuba", r"nursing home")),
    Watched("hurricane_maria_2017", "hurricane Maria", (r"dominica\b", r"power", r"dam\b", r"san juan")),
    Watched("hurricane_florence_2018", "hurricane Florence", (r"landfall", r"new bern", r"coal ash|nuclear")),
    Watched("california_wildfires_2018", "California wildfires", (r"malibu", r"paradise", r"death toll")),
    Watched("ottawashooting", "Ottawa shooting", (r"soldier", r"parliament", r"cirillo")),
    Watched("sydneysiege", "Sydney siege", (r"hostage", r"flag", r"escape|flee|\bran\b")),
    Watched("charliehebdo", "Charlie Hebdo", (r"dead|killed", r"brothers|kouachi", r"hostage")),
    Watched("germanwings-crash", "Germanwings crash", (r"black box", r"co-?pilot", r"\b1(42|44|48|50)\b")),
)
