"""Alerts on real events: how many a day at each level, how many repeat another, how soon after a new fact.

    python -m benchmarks.alerts --posts ../shared/data/posts/{crisislex_t6,humaid_6events,...}.ndjson.gz

Each event's posts are replayed on their own clock into an index; a standing question is asked from the
first post on, at all three levels. `repeats` are alerts whose quote shares half of its letters in fours with
that of an earlier alert: a measure that the detector does not use. `on topic` is by the data's own labels. A
fact's delay counts from the third post that names the question's topic and the fact.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from benchmarks.alerts_truth import WATCHED, Watched
from benchmarks.report import show
from hubbub.errors import InvalidInput
from hubbub.index import Index, open_index
from hubbub.posts import Post
from hubbub.server.alerts.novelty import LEVELS, Novelty
from hubbub.server.alerts.standing import Standing, Standings
from hubbub.server.alerts.subject import Alert, Subject
from hubbub.stream.decode.hubbub import decode_hubbub
from hubbub.units import US_PER_DAY, US_PER_MINUTE, format_time

NUM_QUESTIONS = (1, 64, 1000)
TICK_US = US_PER_MINUTE
"""A server looks four times a second; here each look costs a fold of its own."""
_NOISE = re.compile(r"https?://\S+|[@#]\w+|\W+")


class Labelled(msgspec.Struct, frozen=True):
    """A post, and whether the data calls it on topic (None: it does not say)."""

    post: Post
    is_on_topic: bool | None


class Told(msgspec.Struct):
    """What one level told of one event."""

    event: str
    novelty: Novelty
    alerts: list[Alert] = []
    spent_s: float = 0.0
    num_looks: int = 0


def main() -> None:
    args = _arguments().parse_args()
    rows: list[dict[str, object]] = []
    every: list[tuple[Told, float, dict[str, float | None], dict[str, bool | None]]] = []
    last: list[Labelled] = []
    for watched, posts in read_events(args.posts):
        if args.only and not re.search(args.only, watched.stream):
            continue
        told, about = replay(watched, posts)
        last = posts
        days = max((posts[-1].post.received_us - posts[0].post.received_us) / US_PER_DAY, 1.0)
        labels = {item.post.id: item.is_on_topic for item in posts}
        for one in told:
            facts = {fact: delay_of(fact, about, one.alerts) for fact in watched.facts}
            every.append((one, days, facts, labels))
            if args.events:
                rows.append({"event": watched.stream} | summarise([every[-1]]))
            for alert in one.alerts if args.list == one.novelty else ():
                quotes = [citation.quote for citation in alert.sentence.citations]
                print(
                    format_time(alert.made_us),
                    alert.kind,
                    alert.novelty,
                    alert.sentence.num_voices,
                    *quotes,
                    sep=" | ",
                )
            if args.list == one.novelty:
                print(watched.stream, facts)
    for novelty in LEVELS:
        rows.append({"event": "all"} | summarise([item for item in every if item[0].novelty == novelty]))
    show(rows, args.json)
    show([measure_matching(last, number) for number in NUM_QUESTIONS], args.json)


def measure_matching(posts: Sequence[Labelled], number: int) -> dict[str, object]:
    """Measure what a post costs that meets so many questions of two of the stream's commonest words."""
    rng = random.Random(1)
    said = Counter(word for item in posts for word in item.post.text.lower().split() if word.isalpha())
    common = [word for word, _ in said.most_common(600) if len(word) > 4]
    standings = Standings()
    with tempfile.TemporaryDirectory() as directory:
        index = open_index(f"sqlite:{directory}", "none")
        while len(standings) < number:
            with suppress(InvalidInput):  # two words that say nothing
                standings.add(len(standings), Standing(" ".join(rng.sample(common, 2)), 0, index))
        index.close()
    began_s = time.process_time()
    num_about = sum(len(standings.match(item.post)) for item in posts)
    spent_s = time.process_time() - began_s
    return {
        "questions": number,
        "us/post": round(spent_s * 1e6 / len(posts)),
        "questions a post is about": round(num_about / len(posts), 2),
    }


def replay(watched: Watched, posts: Sequence[Labelled]) -> tuple[list[Told], list[Post]]:
    """Fold an event's posts and look every minute; also what was about the topic."""
    with tempfile.TemporaryDirectory() as directory:
        index = open_index(f"sqlite:{directory}", "static")
        try:
            return _replay(index, watched, posts)
        finally:
            index.close()


def _replay(index: Index, watched: Watched, posts: Sequence[Labelled]) -> tuple[list[Told], list[Post]]:
    start_us = posts[0].post.received_us
    told = [Told(event=watched.stream, novelty=novelty) for novelty in LEVELS]
    standings = Standings()
    subjects = [
        Subject(index, Standing(watched.question, start_us, index), LEVELS[one.novelty]) for one in told
    ]
    standings.add(0, subjects[0].standing)
    every: list[Post] = []
    seq = 0
    while seq < len(posts):
        at_us = posts[seq].post.received_us + TICK_US
        batch = []
        while seq < len(posts) and posts[seq].post.received_us <= at_us:
            batch.append((seq + 1, posts[seq].post))
            seq += 1
        index.fold(batch)
        about = [post for _, post in batch if standings.match(post)]
        every += about
        for one, subject in zip(told, subjects, strict=True):
            began_s = time.process_time()
            for post in about:
                subject.take(post)
            is_look = subject.memory.is_ripe and at_us >= subject.next_us
            if alert := subject.look(at_us):
                one.alerts.append(alert)
            one.num_looks += is_look
            one.spent_s += time.process_time() - began_s
    return told, every


def delay_of(fact: str, about: Sequence[Post], alerts: Sequence[Alert]) -> float | None:
    """Return the minutes from a fact's third post to the first alert that quotes it; None if none does.

    -1 where fewer than three posts name topic and fact.
    """
    pattern = re.compile(fact, re.IGNORECASE)
    times = [post.received_us for post in about if pattern.search(post.text)]
    quoting = [
        alert.made_us
        for alert in alerts
        if any(pattern.search(citation.quote) for citation in alert.sentence.citations)
    ]
    if len(times) < 3:
        return -1.0
    return None if not quoting else max(quoting[0] - times[2], 0) / US_PER_MINUTE


def summarise(
    items: Sequence[tuple[Told, float, dict[str, float | None], dict[str, bool | None]]],
) -> dict[str, object]:
    """Make one row."""
    alerts = [alert for told, _, _, _ in items for alert in told.alerts]
    delays = [delay for _, _, facts, _ in items for delay in facts.values() if delay != -1.0]
    found = [delay for delay in delays if delay is not None]
    num_repeats = sum(repeats(told.alerts) for told, _, _, _ in items)
    labels = [
        labels[citation.post]
        for told, _, _, labels in items
        for alert in told.alerts
        for citation in alert.sentence.citations
        if labels[citation.post] is not None
    ]
    num_looks = sum(told.num_looks for told, _, _, _ in items)
    return {
        "novelty": items[0][0].novelty,
        "days": round(sum(days for _, days, _, _ in items), 1),
        "alerts": len(alerts),
        "a day": round(len(alerts) / sum(days for _, days, _, _ in items), 1),
        "repeats %": round(100 * num_repeats / max(len(alerts), 1), 1),
        "on topic %": round(100 * sum(map(bool, labels)) / len(labels), 1) if labels else "",
        "facts told": f"{len(found)} of {len(delays)}",
        "delay min p50": round(statistics.median(found), 1) if found else "",
        "look ms": round(1000 * sum(told.spent_s for told, _, _, _ in items) / max(num_looks, 1), 1),
    }


def repeats(alerts: Sequence[Alert]) -> int:
    """Count the alerts whose first quote is nearly that of an earlier one."""
    seen: list[set[str]] = []
    number = 0
    for alert in alerts:
        plain = " ".join(_NOISE.sub(" ", alert.sentence.citations[0].quote.lower()).split())
        fours = {plain[n : n + 4] for n in range(max(len(plain) - 3, 1))}
        number += any(2 * len(fours & other) >= len(fours | other) for other in seen)
        seen.append(fours)
    return number


def read_events(paths: Sequence[str]) -> Iterator[tuple[Watched, list[Labelled]]]:
    """Read the posts of each watched event, by time."""
    events: dict[str, list[Labelled]] = {}
    for path in paths:
        for line in gzip.open(path) if path.endswith(".gz") else Path(path).open("rb"):
            fields = json.loads(line)
            (post,) = decode_hubbub(line)
            label = fields.get("label")
            is_on_topic = {"on-topic": True, "off-topic": False}.get(label)
            assert isinstance(post, Post)
            events.setdefault(fields.get("event", ""), []).append(Labelled(post, is_on_topic))
    for watched in WATCHED:
        if posts := events.get(watched.stream):
            yield watched, sorted(posts, key=lambda item: (item.post.received_us, item.post.id))


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.alerts",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--posts", nargs="+", required=True, metavar="FILE", help="post lines; .gz is unpacked"
    )
    parser.add_argument("--only", help="only events whose name matches this pattern")
    parser.add_argument("--events", action="store_true", help="a row for each event, too")
    parser.add_argument("--list", choices=list(LEVELS), help="also print the alerts of this level")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    return parser


if __name__ == "__main__":
    main()
