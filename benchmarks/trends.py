"""Trends on real posts: are known bursts found, how soon, and how many false ones come with them.

    python -m benchmarks.trends --posts C.ndjson.gz ... [--json] [--list]

Each stream (a file, or each `event` within a file) is replayed on its own clock, from nothing, and asked what
is rising every 5 minutes. Bursts and their starts were fixed beforehand: benchmarks/trends_truth.py. A burst
is found when a shown story has a term of its pattern, at its start or within 6 hours after; `fifth` is the
minute in which the fifth post with such a term arrived, before which no floor of five voices can be met.

A false one is a story of which no term was shown within 24 hours before, and that belongs to no listed burst,
by its terms or by half of its posts. What the list of bursts does not have counts as false even where it is
true news: `unlisted`. Reading their terms and headlines told which were news of that day
(`benchmarks/trends_judged.py`); the rest is `false`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from benchmarks.report import show
from benchmarks.trends_judged import JUDGED
from benchmarks.trends_truth import BURSTS, SHOWN_AFTER_H, SHOWN_BEFORE_H, Burst
from hubbub.posts import Post
from hubbub.server.topics import topic_terms
from hubbub.stream.decode.hubbub import decode_hubbub
from hubbub.trends import Trend, Trends
from hubbub.units import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE, format_time, parse_time_us

STEP_US = 5 * US_PER_MINUTE
LATEST_US = 6 * US_PER_HOUR
NOVEL_US = 24 * US_PER_HOUR
NUM_SHOWN = 10


class Shown(msgspec.Struct, frozen=True):
    """One story as it stood at one asking."""

    at_us: int
    rank: int
    trend: Trend


class Stream(msgspec.Struct):
    """Posts of one clock, and whether each was labelled as on the event's topic."""

    posts: list[Post] = []
    on_topic: list[bool] = []


def main() -> None:
    args = _arguments().parse_args()
    found: list[dict[str, object]] = []
    totals: list[dict[str, object]] = []
    for name, stream in read_streams(args.posts).items():
        bursts = [burst for burst in BURSTS if burst.stream == name]
        if not bursts or (args.only and args.only not in name):
            continue
        starts = {burst.name: start_of(burst, stream) for burst in bursts}
        trends = Trends(topic_terms, min_score=args.min_score, min_voices=args.min_voices)
        shown, cost_us = replay(trends, stream.posts)
        for burst in bursts:
            if burst.is_required:
                fifth = fifth_minute(burst, starts[burst.name], stream.posts)
                found.append(judge(burst, starts[burst.name], shown) | {"fifth": fifth})
        by_id = {post.id: post for post in stream.posts}
        unlisted = list(find_unlisted(shown, bursts, starts, by_id))
        totals.append(_total(name, stream, unlisted, cost_us))
        for one in unlisted if args.list else ():
            is_news = "news" if is_judged(name, one) else "FALSE"
            print(is_news, format_time(one.at_us), one.trend.score, one.trend.num_voices, one.trend.terms)
            print(*(f"    {by_id[post].text}" for post in one.trend.posts[:3]), sep="\n")
    show(found, args.json)
    show(totals, args.json)


def _total(name: str, stream: Stream, unlisted: Sequence[Shown], cost_us: float) -> dict[str, object]:
    days = (stream.posts[-1].received_us - stream.posts[0].received_us) / US_PER_DAY
    num_false = sum(not is_judged(name, one) for one in unlisted)
    return {
        "stream": name,
        "posts": len(stream.posts),
        "days": round(days, 1),
        "unlisted": len(unlisted),
        "unlisted a day": round(len(unlisted) / days, 2),
        "false": num_false,
        "false a day": round(num_false / days, 2),
        "fold us/post": round(cost_us),
    }


def is_judged(stream: str, one: Shown) -> bool:
    """Tell whether a story was read and judged to be news of its day."""
    day = format_time(one.at_us)[:10]
    return any(term in JUDGED.get((stream, day), ()) for term in one.trend.terms)


def read_streams(paths: Sequence[str]) -> dict[str, Stream]:
    """Read posts by stream: the `event` of a line, else the year of the file's first post."""
    streams: dict[str, Stream] = {}
    for path in paths:
        year = ""
        for line in gzip.open(path) if path.endswith(".gz") else Path(path).open("rb"):
            fields = json.loads(line)
            (post,) = decode_hubbub(line)
            assert isinstance(post, Post)
            year = year or fields["created_at"][:4]
            stream = streams.setdefault(fields.get("event", year), Stream())
            stream.posts.append(post)
            stream.on_topic.append(fields.get("label") == "on-topic")
    return streams


def start_of(burst: Burst, stream: Stream) -> int:
    """Return when a burst began: as listed, else from the labels as trends_truth.py tells."""
    if burst.start:
        return parse_time_us(burst.start)
    half_us = 30 * US_PER_MINUTE
    counts: dict[int, int] = {}
    for post, is_on in zip(stream.posts, stream.on_topic, strict=True):
        counts[post.received_us // half_us] = counts.get(post.received_us // half_us, 0) + is_on
    for half in range(min(counts) + 12, max(counts)):
        before = sum(counts.get(half - n, 0) for n in range(1, 13)) / 12
        if counts.get(half, 0) >= max(20, 3 * before):
            return half * half_us
    raise SystemExit(f"no half hour of {burst.stream} is a start by the labels")


def replay(trends: Trends, posts: Sequence[Post]) -> tuple[list[Shown], float]:
    """Fold the posts and ask every five minutes; also the microseconds of a post's folding."""
    shown: list[Shown] = []
    spent_s = 0.0
    seq = 0
    at_us = posts[0].received_us + STEP_US
    while seq < len(posts):
        batch: list[tuple[int, Post]] = []
        while seq < len(posts) and posts[seq].received_us <= at_us:
            batch.append((seq + 1, posts[seq]))
            seq += 1
        began_s = time.process_time()
        trends.fold(batch)
        spent_s += time.process_time() - began_s
        rising = trends.rising(at_us, hours=0.5, limit=NUM_SHOWN)
        shown += [Shown(at_us, rank, trend) for rank, trend in enumerate(rising, 1)]
        at_us += STEP_US
    return shown, spent_s * 1e6 / len(posts)


def judge(burst: Burst, start_us: int, shown: Iterable[Shown]) -> dict[str, object]:
    """Tell whether and when a burst was found."""
    for one in shown:
        if start_us <= one.at_us <= start_us + LATEST_US and burst.matches(one.trend.terms):
            minutes = (one.at_us - start_us) // US_PER_MINUTE
            found = "yes" if minutes <= 30 else "late"
            return _row(burst, start_us, found, minutes, one.rank, one.trend)
    return _row(burst, start_us, "no", "", "", None)


def fifth_minute(burst: Burst, start_us: int, posts: Sequence[Post]) -> object:
    """Return how many minutes after its start the fifth post with a term of its pattern came."""
    number = 0
    for post in posts:
        if start_us <= post.received_us <= start_us + LATEST_US:
            number += burst.matches(tuple(topic_terms(post)[1]))
            if number == 5:
                return (post.received_us - start_us) // US_PER_MINUTE
    return ""


def _row(
    burst: Burst, start_us: int, found: str, minutes: object, rank: object, trend: Trend | None
) -> dict[str, object]:
    return {
        "burst": burst.name,
        "start": format_time(start_us)[:16],
        "found": found,
        "minutes": minutes,
        "rank": rank,
        "voices": trend.num_voices if trend else "",
        "terms": ", ".join(trend.terms[:3]) if trend else "",
    }


def find_unlisted(
    shown: Iterable[Shown], bursts: Sequence[Burst], starts: dict[str, int], posts: dict[str, Post]
) -> Iterator[Shown]:
    """Yield stories that are new and of no burst."""
    last_us: dict[str, int] = {}
    for one in shown:
        is_new = all(one.at_us - last_us.get(term, 0) > NOVEL_US for term in one.trend.terms)
        last_us.update((term, one.at_us) for term in one.trend.terms)
        if is_new and not any(_belongs(one, burst, starts[burst.name], posts) for burst in bursts):
            yield one


def _belongs(one: Shown, burst: Burst, start_us: int, posts: dict[str, Post]) -> bool:
    early_us, late_us = SHOWN_BEFORE_H * US_PER_HOUR, SHOWN_AFTER_H * US_PER_HOUR
    if not start_us - early_us <= one.at_us <= start_us + late_us:
        return False
    about = sum(burst.matches(tuple(topic_terms(posts[post])[1])) for post in one.trend.posts)
    return burst.matches(one.trend.terms) or 2 * about >= len(one.trend.posts)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trends", description=__doc__)
    parser.add_argument("--posts", nargs="+", required=True, help="post lines, by time; .gz is unpacked")
    parser.add_argument("--only", help="only streams whose name holds this")
    parser.add_argument("--min-score", type=float, default=5.0)
    parser.add_argument("--min-voices", type=int, default=5)
    parser.add_argument(
        "--list", action="store_true", help="also print each unlisted one with three of its posts"
    )
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    return parser


if __name__ == "__main__":
    main()
