"""Names of days, months, numbers, units and parts of a day in English and German; no reading of text."""

from __future__ import annotations

from datetime import timedelta

DAYS = {
    name: day
    for day, names in enumerate(
        """monday mon montag,tuesday tue dienstag,wednesday wed mittwoch,thursday thu donnerstag,\
friday fri freitag,saturday sat samstag sonnabend,sunday sonntag""".split(",")
    )
    for name in names.split()
}
MONTHS = {
    name: month
    for month, names in enumerate(
        """january jan januar j\u00e4nner,february feb februar,march mar m\u00e4rz maerz,april apr,may mai,\
june jun juni,july jul juli,august aug,september sept sep,\
october oct oktober okt,november nov,december dec dezember dez""".split(","),
        1,
    )
    for name in names.split()
}
NUMBERS = {
    word: value
    for value, names in enumerate(
        """a an one ein eine einem einer eins,two couple zwei paar,few three drei wenigen,four vier,\
five f\u00fcnf,six sechs,seven sieben,eight acht,nine neun,ten zehn""".split(","),
        1,
    )
    for word in names.split()
} | {"twelve": 12, "zw\u00f6lf": 12, "twenty-four": 24, "vierundzwanzig": 24}
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
    name: hours
    for names, hours in (
        ("morning morgen fr\u00fch", (5, 12)),
        ("vormittag", (8, 12)),
        ("noon mittag", (11, 14)),
        ("afternoon nachmittag", (12, 18)),
        ("evening abend", (17, 24)),
        ("night nacht", (18, 30)),
    )
    for name in names.split()
}
