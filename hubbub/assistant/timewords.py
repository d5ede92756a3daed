"""Time words of a question ("since Monday", "vor zwei Stunden") as a window on our clock; no other words."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

import msgspec

from hubbub.assistant.timenames import DAYS, MONTHS, NUMBERS, PARTS, UNITS
from hubbub.units import US_PER_S, to_datetime

Span = tuple[datetime, datetime]


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """The time that a question asks about, and the question without its time words."""

    rest: str
    from_us: int | None = None
    """Inclusive; None = no beginning named."""
    to_us: int | None = None
    """Exclusive; None = no end named."""
    words: str = ""
    """The time words as they were typed."""


def find_window(text: str, clock_us: int, zone: tzinfo = UTC) -> Window:
    """Find the first time expression of a question and count it from the clock; days begin in `zone`.

    A bare number of a year or an hour is left alone; nothing found gives an open window.
    """
    now = to_datetime(clock_us).astimezone(zone)
    is_plan = _PLANS.search(text) is not None and not _PAST.search(text)
    for pattern, read in _EXPRESSIONS:
        match = pattern.search(text)
        if match and read is _weekday and is_plan and not match["last"]:
            continue  # "is the school open on Monday" was posted before Monday
        span = _read(read, match, now) if match else None
        if match and span:
            return _window(text, match, span, now)
    return Window(rest=text)


_PLANS = re.compile(
    r"^\W*(?:(?:when|where|what time|who|how|why)\s+)?(?:is|are|will|does|do|can|may|shall)\b"
    r"|^\W*(?:what|which)(?:\s+\w+){0,3}\s+(?:is|are|will|does|do|can)\b"
    r"|\b(?:next|coming|upcoming|kommende[nrs]?|n\u00e4chste[nrs]?)\b"
    r"|\b(?:ist|sind|wird|werden|f\u00e4llt|fallen|f\u00e4hrt|fahren|findet|finden|kommt|beginnt|startet|\u00f6ffnet"
    r"|\u00f6ffnen|schlie\u00dft|kann|darf|muss|soll|gibt|geht|bleibt|bleiben|haben|hat)\b",
    re.IGNORECASE,
)
_PAST = re.compile(
    r"\b(?:since|until|before|after|happened|happening|been|did|was|were|had|news|seit|bis|vor|nach|war|waren|hatte"
    r"|passiert|geschehen|los|gewesen|wurden?|ge[a-z\u00e4\u00f6\u00fc]{3,}(?:t|en))\b",
    re.IGNORECASE,
)


def _read(
    read: Callable[[re.Match[str], datetime], Span | None], match: re.Match[str], now: datetime
) -> Span | None:
    try:
        return read(match, now)
    except (ValueError, OverflowError):  # 31 February, or a million weeks ago
        return None


def _window(text: str, match: re.Match[str], span: Span, now: datetime) -> Window:
    start, end = match.span()
    begin: datetime | None
    stop: datetime | None
    begin, stop = span[0], min(span[1], now)
    lead = _LEAD.search(text[:start])
    if lead:
        start = lead.start()
        word = lead[1].casefold()
        if word in _SINCE:
            stop = None
        elif word in _UNTIL:
            begin, stop = None, (span[1] if word in _INCLUSIVE else span[0])
    if stop is not None and stop >= now:
        stop = None
    return Window(
        rest=re.sub(r"\s+", " ", text[:start] + " " + text[end:]).strip(),
        from_us=None if begin is None else _us(begin),
        to_us=None if stop is None else _us(stop),
        words=text[start:end].strip(),
    )


def _us(moment: datetime) -> int:
    return int(moment.timestamp()) * US_PER_S


_SINCE = {"since", "seit", "ab", "after", "seit dem", "ab dem", "nach dem", "nach"}
_UNTIL = {"until", "till", "before", "bis", "bis zum", "vor dem", "up to"}
_INCLUSIVE = {"until", "till", "bis", "bis zum", "up to"}
_LEAD = re.compile(
    r"\b(since|after|until|till|before|up to|seit dem|seit|ab dem|ab|nach dem|nach|bis zum|bis|vor dem"
    r"|on the|on|of|from|in the|in|for|am|vom|von|im)\s+$",
    re.IGNORECASE,
)

_UNIT = (
    r"(?P<unit>min(?:ute)?[ns]?|hours?|hrs?|h|stunden?|std|days?|tag(?:en|e)?"
    r"|weeks?|wochen?|months?|monat(?:en|e)?)\b"
)
_COUNT = r"(?P<count>\d{1,4}|" + "|".join(sorted(NUMBERS, key=len, reverse=True)) + r")(?: of)?"


_PLURAL = re.compile(
    r"(?:hour|hr|minute|min|day|week|month)s$|tagen$|(?:stund|woch|nat)en$|monate$|minuten$|tage$"
)


def _length(match: re.Match[str]) -> timedelta:
    unit = match["unit"].casefold()
    length = next(UNITS[key] for key in ("min", "mo", "h", "st", "d", "t", "w") if unit.startswith(key))
    groups = match.groupdict()
    # "in the last hours" names no number: three, as "a few" does
    word = (groups["count"] or groups.get("count2") or ("3" if _PLURAL.search(unit) else "1")).casefold()
    return length * (int(word) if word.isdecimal() else NUMBERS[word])


def _midnight(now: datetime, days: int = 0) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=days)


def _last(match: re.Match[str], now: datetime) -> Span:
    return now - _length(match), now


def _ago(match: re.Match[str], now: datetime) -> Span:
    """Two hours ago is meant loosely: a quarter of the distance, and a quarter hour at least, either way."""
    length = _length(match)
    slack = max(length / 4, timedelta(minutes=15))
    return now - length - slack, now - length + slack


_EVENING, _SMALL_HOURS = 17, 5


def _part(match: re.Match[str], now: datetime) -> Span | None:
    """A part of a day; `night` runs into the next morning, so the last one may have begun the day before."""
    first, last = PARTS[match["part"].casefold()]
    day = (match["day"] or "").casefold()
    back = 1 if day in {"yesterday", "gestern"} else 0
    if last > 24 and (day in {"last", "letzte", "letzter"} or now.hour < first):
        back = 1
    if first == _EVENING and now.hour < _SMALL_HOURS:  # asked after midnight, the evening just gone
        back = 1
    start = _midnight(now, -back)
    if not back and start + timedelta(hours=first) > now:  # "this evening" asked at noon: the whole day
        return start, now
    return start + timedelta(hours=first), start + timedelta(hours=last)


def _day(match: re.Match[str], now: datetime) -> Span:
    word = match["day"].casefold()
    back = {"today": 0, "heute": 0, "yesterday": 1, "gestern": 1, "vorgestern": 2}.get(word)
    if word == "tonight":
        evening = _midnight(now, -1 if now.hour < 6 else 0) + timedelta(hours=17)
        return (evening if evening < now else _midnight(now)), now
    if back is None:
        back = 2
    return _midnight(now, -back), _midnight(now, 1 - back)


def _weekday(match: re.Match[str], now: datetime) -> Span:
    back = (now.weekday() - DAYS[match["weekday"].casefold()]) % 7
    if back == 0 and match["last"]:
        back = 7
    return _midnight(now, -back), _midnight(now, 1 - back)


def _calendar(match: re.Match[str], now: datetime) -> Span:
    """This or the last week, month, year or weekend."""
    is_last = match["which"].casefold().startswith(("last", "letzt", "vorig", "previous"))
    unit = match["unit"].casefold()
    monday = _midnight(now, -now.weekday())
    if unit in {"week", "woche"}:
        start = monday - timedelta(weeks=int(is_last))
        return start, start + timedelta(weeks=1)
    if unit in {"weekend", "wochenende"}:
        start = monday + timedelta(days=5 - 7 * int(is_last or now.weekday() < 5))
        return start, start + timedelta(days=2)
    first = _midnight(now).replace(day=1)
    if unit in {"month", "monat"}:
        return ((first - timedelta(days=1)).replace(day=1), first) if is_last else (first, now)
    year = first.replace(month=1)
    return (year.replace(year=year.year - 1), year) if is_last else (year, now)


def _date(match: re.Match[str], now: datetime) -> Span:
    """A calendar day; without a year it is the latest one that has come."""
    month = match["month"].casefold().rstrip(".")
    number = int(month) if month.isdecimal() else MONTHS[month]
    year = match["year"]
    full = (int(year) + 2000 if len(year) == 2 else int(year)) if year else now.year
    day = _midnight(now).replace(year=full, month=number, day=int(match["dom"]))
    if not year and day > now:
        day = day.replace(year=full - 1)
    return day, day + timedelta(days=1)


def _hour(match: re.Match[str], now: datetime) -> Span:
    """A time of day, the latest one that has come; it lasts an hour."""
    moment = _midnight(now) + _time_of_day(match["hour"], match["minute"], match["half"])
    if moment > now:
        moment -= timedelta(days=1)
    return moment, moment + timedelta(hours=1)


def _time_of_day(hour: str, minute: str | None, half: str | None) -> timedelta:
    """Read 9 pm, 21:30, 24; raises ValueError where no clock shows it."""
    number = int(hour)
    if half:
        number = number % 12 + (12 if half[0] in "pP" else 0)
    if number > 24 or int(minute or 0) > 59:
        raise ValueError("no such hour")
    return timedelta(hours=number, minutes=int(minute or 0))


def _clock(match: re.Match[str], now: datetime) -> Span:
    """At a time of day is meant loosely: from a quarter of an hour before it to three quarters after."""
    start, _ = _hour(match, now)
    return start - timedelta(minutes=15), start + timedelta(minutes=45)


def _midnight_span(match: re.Match[str], now: datetime) -> Span:
    return _midnight(now) - timedelta(minutes=30), _midnight(now) + timedelta(minutes=30)


def _between(match: re.Match[str], now: datetime) -> Span | None:
    """From one hour to another, the latest that have come; `pm` may stand behind the second alone."""
    if not (match["half2"] or match["minute"] or match["minute2"] or "uhr" in match[0].casefold()):
        return None  # "from 2 to 3 people"
    last = _time_of_day(match["hour2"], match["minute2"], match["half2"])
    first = _time_of_day(match["hour"], match["minute"], match["half"] or match["half2"])
    if first > last and not match["half"]:
        first = _time_of_day(match["hour"], match["minute"], None)  # "from 11 to 1 pm"
    start = _midnight(now) + first
    if start > now:
        start -= timedelta(days=1)
    return start, start + (last - first if last > first else last - first + timedelta(days=1))


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_NAMED_MONTH = r"(?P<month>" + "|".join(sorted(MONTHS, key=len, reverse=True)) + r")\b\.?"
_YEAR = r"(?:,?\s+(?P<year>(?:19|20)\d\d)\b)?"
_TIME = r"(?P<hour>\d{1,2})(?:[:.](?P<minute>\d\d))?\s*(?P<half>[ap]\.?m\b\.?)?"
_EXPRESSIONS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], datetime], Span | None]], ...] = (
    (_compile(r"\b(?P<year>(?:19|20)\d\d)-(?P<month>\d{1,2})-(?P<dom>\d{1,2})(?:T[\d:]+Z?)?\b"), _date),
    (_compile(r"\b(?P<dom>\d{1,2})\.\s?(?P<month>\d{1,2})\.(?P<year>(?:19|20)?\d\d)?(?!\d)"), _date),
    (_compile(r"\b(?P<dom>\d{1,2})(?:st|nd|rd|th|\.)?\s+(?:of\s+)?" + _NAMED_MONTH + _YEAR), _date),
    (_compile(r"\b" + _NAMED_MONTH + r"\s+(?P<dom>\d{1,2})(?:st|nd|rd|th)?\b(?!:)" + _YEAR), _date),
    (
        _compile(
            # "last week" alone is a calendar week, "the last week" and "last 2 weeks" are not
            r"\b(?:(?:in|during|over|within|for)\s+)?(?:the\s+(?:last|past)\s+(?:" + _COUNT + r"\s+)?"
            r"|past\s+"
            r"|last\s+(?=hour|minute|\w+\s+(?:min|h|day|week|month)))(?:"
            + _COUNT.replace("count", "count2")
            + r"\s+)?"
            + _UNIT
        ),
        _last,
    ),
    (
        _compile(
            r"\b(?:in|während)?\s*de[nr]\s+(?:letzten|vergangenen|letzter|vergangener)\s+(?:"
            + _COUNT
            + r"\s+)?"
            + _UNIT
        ),
        _last,
    ),
    (
        _compile(
            r"\b(?:between|from|zwischen|von)\s+"
            + _TIME
            + r"(?:\s*Uhr)?\s*(?:and|to|until|till|und|bis|-|\u2013)\s*"
            + _TIME.replace(">", "2>")
            + r"(?:\s*Uhr\b)?(?![\w.:]*\d)"
        ),
        _between,
    ),
    (_compile(r"\b(?:since|seit|for)\s+" + _COUNT + r"\s+" + _UNIT + r"(?!\s+ago)"), _last),
    (_compile(r"\b" + _COUNT + r"\s+" + _UNIT + r"\s+ago\b"), _ago),
    (_compile(r"\bvor\s+" + _COUNT + r"\s+" + _UNIT), _ago),
    (
        _compile(
            r"\b(?P<day>this|last|yesterday|heute|gestern|letzte|letzter|diesen|diese|dieser)\s+"
            r"(?P<part>morning|afternoon|evening|night|früh|morgen|vormittag|mittag|nachmittag|abend"
            r"|nacht)\b"
        ),
        _part,
    ),
    (_compile(r"\b(?P<day>day before yesterday|today|tonight|yesterday|vorgestern|heute|gestern)\b"), _day),
    (
        _compile(
            r"\b(?P<which>this|last|previous|diese[nrs]?|letzte[nrs]?|vorige[nrs]?)\s+"
            r"(?P<unit>week|weekend|month|year|woche|wochenende|monat|jahr)\b"
        ),
        _calendar,
    ),
    (
        _compile(
            r"\b(?P<last>(?:last|letzten|vergangenen|letzte)\s+)?(?P<weekday>"
            + "|".join(name for name in DAYS if len(name) > 3)
            + r")s?\b"
        ),
        _weekday,
    ),
    (
        _compile(
            r"(?<=since |after |until "
            r"|efore )(?P<hour>\d{1,2})(?::(?P<minute>\d\d))?\s*(?P<half>[ap]\.?m\b\.?)?"
        ),
        _hour,
    ),
    (_compile(r"\b(?P<hour>\d{1,2})(?::(?P<minute>\d\d))?\s*(?P<half>[ap]\.?m\b\.?)"), _hour),
    (_compile(r"\b(?P<hour>\d{1,2})(?:[:.](?P<minute>\d\d))?(?P<half>)\s*Uhr\b"), _hour),
    (_compile(r"\b(?:at|around|about|um|gegen)\s+(?P<hour>\d{1,2}):(?P<minute>\d\d)(?P<half>)\b"), _clock),
    (_compile(r"\b(?:at|around|about|um|gegen)\s+(?:midnight|mitternacht)\b"), _midnight_span),
)
