"""Names of days, months, numbers, units and parts of a day in English and German; no reading of text."""

from __future__ import annotations

from datetime import timedelta

DAYS = {
    name: day
    for day, names in enumerate(
        (
            "monday mon montag",
            "tuesday tue dienstag",
            "wednesday wed mittwoch",
            "thursday thu donnerstag",
            "friday fri freitag",
            "saturday sat samstag sonnabend",
            "sunday sonntag",
        )
    )
    for name in names.split()
}
MONTHS = {
    name: month
    for month, names in enumerate(
        (
            "january jan januar jänner",
            "february feb februar",
            "march mar märz maerz",
            "april apr",
            "may mai",
            "june jun juni",
            "july jul juli",
            "august aug",
            "september sept sep",
            "october oct oktober okt",
            "november nov",
            "december dec dezember dez",
        ),
        1,
    )
    for name in names.split()
}
NUMBERS = {
    word: value
    for value, names in {
        1: "a an one ein eine einem einer eins",
        2: "two couple zwei paar",
        3: "few three drei wenigen",
        4: "four vier",
        5: "five fünf",
        6: "six sechs",
        7: "seven sieben",
        8: "eight acht",
        9: "nine neun",
        10: "ten zehn",
        12: "twelve zwölf",
        24: "twenty-four vierundzwanzig",
    }.items()
    for word in names.split()
}
UNITS = {
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "st": timedelta(hours=1),
    "d": timedelta(days=1),
    "t": timedelta(days=1),
    "w": timedelta(weeks=1),
    "mo": timedelta(days=30),
}
# Hours after midnight that the word covers; above 24 it runs into the next day.
PARTS = {
    "morning": (5, 12),
    "morgen": (5, 12),
    "früh": (5, 12),
    "vormittag": (8, 12),
    "noon": (11, 14),
    "mittag": (11, 14),
    "afternoon": (12, 18),
    "nachmittag": (12, 18),
    "evening": (17, 24),
    "abend": (17, 24),
    "night": (18, 30),
    "nacht": (18, 30),
}
