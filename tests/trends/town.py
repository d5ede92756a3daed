"""An invented town that talks about nothing for ten hours, until something happens; many authors."""

from __future__ import annotations

from hubbub.posts import Event, Post
from hubbub.server.topics import topic_terms
from hubbub.trends import Trends

START_US = 1_773_446_400_000_000
MINUTE_US = 60_000_000
NOW_US = START_US + 600 * MINUTE_US
CHATTER = "coffee bus rain garden cheese window bicycle market music lantern soup river".split()
FIRE = (
    "the paper mill is burning, black smoke everywhere",
    "huge smoke above the paper mill right now",
    "paper mill on fire, sirens all over town",
    "is anyone near the paper mill? I see flames",
    "fire at the paper mill, stay away from dock road",
    "they are evacuating people around the paper mill",
    "my uncle works at the paper mill, does anybody know more?",
    "can smell it from here, paper mill is going up",
)


def say(name, text, at_us=NOW_US - 5 * MINUTE_US, author=None, **fields) -> Post:
    return Post(id=f"x:{name}", author=author or f"author of {name}", text=text, received_us=at_us, **fields)


def chatter(num_minutes=600, prefix="talk") -> list[Event]:
    """Two posts a minute, by many, about everyday things."""
    return [
        say(
            f"{prefix}{number}",
            f"{CHATTER[number * 7 % 12]} {CHATTER[number * 5 % 11]} {prefix}{number}",
            START_US + number * MINUTE_US // 2,
        )
        for number in range(num_minutes * 2)
    ]


def fire(**fields) -> list[Event]:
    return [say(f"fire{n}", text, NOW_US - (20 - 2 * n) * MINUTE_US, **fields) for n, text in enumerate(FIRE)]


def fold(*events: Event, trends: Trends | None = None) -> Trends:
    trends = trends or Trends(topic_terms)
    trends.fold(enumerate(events, trends.position + 1))
    return trends


def rising(*events: Event) -> list[str]:
    """The leading terms of what rises after a quiet day and then these events."""
    return [term for trend in fold(*chatter(), *events).rising(NOW_US) for term in trend.terms]
