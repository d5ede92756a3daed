"""The bursts that the real posts must show, fixed before anything was tuned; no posts, no detector.

Starts are UTC and come from outside the data (the events' Wikipedia articles), except where `start` is None:
floods and storms that rise slowly have no minute, so theirs is the first half hour in which posts labelled
on-topic are at least 20 and three times the mean of the six hours before.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Burst(NamedTuple):
    """One thing that happened; a story is about it if one of its terms matches `pattern`."""

    stream: str
    name: str
    pattern: str
    start: str | None
    is_required: bool = True
    """Whether it must be found; what is not required is only no false one."""

    def matches(self, terms: tuple[str, ...]) -> bool:
        """Tell whether one of these terms names it."""
        return any(re.search(self.pattern, term) for term in terms)


_EGYPT = r"egypt|mubarak|cairo|tahrir|jan25|suez|alexandria|aljazeera|al jazeera|protest|internet|suleiman"
_BOWL = r"super ?bowl|packers|steelers|halftime|aguilera|black eyed|fergie|anthem|usher|commercial|touchdown"

BURSTS = (
    Burst("2011", "Packers and Bears play", r"packers|bears|cutler|nfc|rodgers", "2011-01-23T20:00"),
    Burst("2011", "Steelers and Jets play", r"steelers|jets|sanchez|afc|big ben", "2011-01-23T23:30"),
    Burst("2011", "Domodedovo is bombed", r"moscow|domodedovo|airport|russia|explosion", "2011-01-24T13:32"),
    Burst("2011", "Egypt's day of rage", _EGYPT, "2011-01-25T12:00"),
    Burst("2011", "Oscar nominations", r"oscar|academy award|king'?s? speech|nominat", "2011-01-25T13:38"),
    Burst("2011", "State of the Union", r"sotu|state union|obama|union address", "2011-01-26T02:00"),
    Burst("2011", "Egypt cuts the internet", r"internet|egypt|jan25", "2011-01-27T22:34"),
    Burst("2011", "Egypt's Friday of anger", _EGYPT, "2011-01-28T11:00"),
    Burst("2011", "Mubarak speaks at night", r"mubarak|speech|egypt|government", "2011-01-28T22:20"),
    Burst("2011", "Mubarak will not stand again", r"mubarak|speech|egypt|elections?", "2011-02-01T21:00"),
    Burst("2011", "Camels on Tahrir", _EGYPT, "2011-02-02T12:00"),
    Burst("2011", "Super Bowl", _BOWL, "2011-02-06T23:30"),
    Burst("2011", "AOL buys the Huffington Post", r"aol|huffington|huffpo", "2011-02-07T05:00"),
    # Known to have happened, too small here to be required.
    Burst("2011", "Jack LaLanne dies", r"lalanne", "2011-01-24T00:00", False),
    Burst("2011", "Australia Day", r"australia", "2011-01-25T13:00", False),
    Burst("2011", "Tunisia", r"tunisia|ben ali", "2011-01-23T00:00", False),
    Burst(
        "2011", "snow in the north east", r"snow|blizzard|storm|winter|groundhog", "2011-01-26T12:00", False
    ),
    Burst("2011", "Royal Rumble", r"rumble|wwe", "2011-01-31T00:00", False),
    Burst(
        "2011",
        "transfer deadline",
        r"torres|chelsea|carroll|liverpool|suarez|deadline|transfer",
        "2011-01-31T12:00",
        False,
    ),
    Burst("2011", "cyclone Yasi", r"yasi|cyclone|queensland", "2011-02-02T00:00", False),
    Burst("2011", "Chinese new year", r"new year|chinese|rabbit|lunar|imlek|gong", "2011-02-02T12:00", False),
    Burst("2011", "Gary Moore dies", r"gary moore", "2011-02-06T12:00", False),
    Burst("2011", "SAG awards", r"\bsag\b|sagawards|sag awards", "2011-01-31T00:00", False),
    Burst(
        "2012_Sandy_Hurricane",
        "Sandy",
        r"sandy|hurricane|storm|frankenstorm|evacuat|landfall|flood|power|wind",
        None,
    ),
    Burst(
        "2013_Queensland_Floods",
        "Queensland floods",
        r"flood|queensland|qld|bundaberg|brisbane|bigwet|oswald|tornado|rain|storm",
        None,
    ),
    Burst(
        "2013_Boston_Bombings",
        "Boston",
        r"boston|marathon|bomb|explosion|mit\b|watertown|suspect|fbi|manhunt",
        "2013-04-15T18:49",
    ),
    Burst(
        "2013_West_Texas_Explosion",
        "West, Texas",
        r"\bwest\b|texas|waco|explosion|fertili[sz]er|plant|blast",
        "2013-04-18T00:50",
    ),
    Burst("2013_Oklahoma_Tornado", "Moore tornado", r"oklahoma|tornado|moore|okc", "2013-05-20T19:56"),
    Burst(
        "2013_Alberta_Floods",
        "Alberta floods",
        r"flood|calgary|yyc|alberta|high river|abflood|stampede|evacuat",
        None,
    ),
)

SHOWN_BEFORE_H = 24
"""A story about a burst so long before it (people look forward to a match) is no false one."""
SHOWN_AFTER_H = 7 * 24
"""Nor is one so long after."""
