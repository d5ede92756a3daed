"""Questions with gold posts over real posts: facts, claims, topics, disasters, and such as nothing answers.

Reads only; what is asked of them and how it is counted is in `citation_quality`.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from benchmarks import trec_microblog, tweetqa
from benchmarks.made_posts import read_posts
from hubbub.posts import Post
from hubbub.units import US_PER_HOUR, US_PER_S, parse_time_us

SetName: TypeAlias = Literal["facts", "vague facts", "claims", "topics", "disasters", "unanswerable"]

_AFTER_FACTS_US = parse_time_us("2018-01-01")
_AFTER_CLAIMS_US = parse_time_us("2020-12-31")
_UNDATED = "2020-01-01"
_HOURS = (3, 6, 12, 24, 36, 48)
_DISASTERS = {
    "2012_Sandy_Hurricane": ("What is happening with Sandy?", "What do people say about the hurricane?"),
    "2013_Boston_Bombings": ("What is happening in Boston?", "What is known about the Boston explosions?"),
    "2013_Queensland_Floods": (
        "What is happening in Queensland?",
        "What is the latest on the Brisbane floods?",
    ),
    "2013_West_Texas_Explosion": (
        "What is happening in West, Texas?",
        "What do people say about the Texas explosion?",
    ),
    "2013_Oklahoma_Tornado": ("What is happening in Oklahoma?", "What is the latest on the tornado?"),
    "2013_Alberta_Floods": ("What is happening in Calgary?", "What is known about the Alberta flood?"),
}
"""Two questions each, asked so many hours after the event's first relevant post."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A question as it is put to the house, and what a right answer to it quotes."""

    kind: SetName
    text: str
    clock_us: int
    gold: frozenset[str]
    """Ids of posts that are judged relevant; empty where nothing in the index answers."""
    answers: tuple[str, ...] = ()
    """The annotators' answers, of facts only."""
    judged: frozenset[str] | None = None
    """Ids of all posts that an assessor looked at, of topics only; what is missing was never judged."""

    @property
    def is_held_out(self) -> bool:
        """Whether it is in the half that nothing was tuned on: by the question's own digest."""
        return hashlib.blake2b(self.text.lower().encode(), digest_size=1).digest()[0] % 2 == 1


class World(msgspec.Struct, frozen=True, kw_only=True):
    """All posts in order of time, and all questions."""

    posts: tuple[Post, ...]
    asked: tuple[Asked, ...]


def read_world(data: Path, sample: int) -> World:
    """Read the sets under `data` (its README names them); `sample` questions of each that is sampled."""
    rng = random.Random(7)
    qa = data / "qa"
    facts = tweetqa.read_posts(str(qa / "tweetqa" / "posts.ndjson.gz"))
    answered, unanswered = _facts(qa / "tweetqa" / "qa.train.ndjson.gz", sample, rng)
    left_out = {post for _, post in unanswered}
    claims, tweets = _claims(qa / "checkthat2020", sample, rng)
    trec = qa / "trec-microblog"
    disasters = read_posts([str(data / "posts" / "crisislex_t6.ndjson.gz")])
    asked = [
        *answered,
        *(item for item, _ in unanswered),
        *claims,
        *(item for year in (2011, 2012) for item in _topics(trec, year)),
        *_disasters(data / "posts" / "crisislex_t6.ndjson.gz", disasters),
    ]
    corpus = trec_microblog.read_corpus(str(trec / "corpus.tweets2011.ndjson.gz"))
    posts = [_with_author(post) for post in (*facts, *tweets, *corpus, *disasters) if post.id not in left_out]
    return World(posts=tuple(sorted(posts, key=lambda post: post.received_us)), asked=tuple(asked))


def _with_author(post: Post) -> Post:
    """Give a post without a known author one of its own: 85,375 of one sample are not one account's."""
    is_known = post.author.rpartition("/")[2] != "unknown"
    return post if is_known else msgspec.structs.replace(post, author=f"unknown:{post.id}")


def _facts(path: Path, sample: int, rng: random.Random) -> tuple[list[Asked], list[tuple[Asked, str]]]:
    """Draw questions that share two rare words with their post, half as many that share one (vague).

    Of a further half as many the post is left out of the index: nothing answers them.
    """
    with trec_microblog.open_text(str(path)) as lines:
        rows = [json.loads(line) for line in lines]
    half = sample // 2
    clear = rng.sample([row for row in rows if row["rare_shared"] >= 2], sample + half)
    vague = rng.sample([row for row in rows if row["rare_shared"] == 1], half)
    left_out = {row["post"] for row in clear[sample:]}
    answered = [
        Asked(
            kind="facts" if row["rare_shared"] >= 2 else "vague facts",
            text=row["question"],
            clock_us=_AFTER_FACTS_US,
            gold=frozenset({row["post"]}),
            answers=tuple(row["answers"]),
        )
        for row in (*clear[:sample], *vague)
        if row["post"] not in left_out
    ]
    empty = Asked(kind="unanswerable", text="", clock_us=_AFTER_FACTS_US, gold=frozenset())
    unanswered = [
        (msgspec.structs.replace(empty, text=row["question"]), row["post"]) for row in clear[sample:]
    ]
    return answered, unanswered


def _claims(folder: Path, sample: int, rng: random.Random) -> tuple[list[Asked], list[Post]]:
    """Ask whether checked claims are true: those that some post makes, and half as many that none does."""
    with trec_microblog.open_text(str(folder / "tweets.ndjson.gz")) as lines:
        tweets = [_tweet(json.loads(line), number) for number, line in enumerate(lines)]
    with trec_microblog.open_text(str(folder / "claims.ndjson.gz")) as lines:
        claims = {row["id"]: row["claim"] for row in map(json.loads, lines)}
    gold: dict[str, set[str]] = {}
    for line in (folder / "qrels.tsv").read_text().splitlines()[1:]:
        tweet, claim, _ = line.split("\t")
        gold.setdefault(claim, set()).add(tweet)
    made = rng.sample(sorted(gold), min(sample, len(gold)))
    unmade = rng.sample(sorted(claims.keys() - gold.keys()), sample // 2)
    return [
        Asked(
            kind="claims" if claim in gold else "unanswerable",
            text=f"Is it true that {claims[claim].rstrip('.')}?",
            clock_us=_AFTER_CLAIMS_US,
            gold=frozenset(gold.get(claim, ())),
        )
        for claim in (*made, *unmade)
    ], tweets


def _tweet(row: dict[str, str], number: int) -> Post:
    return Post(
        id=row["id"],
        author=row.get("author", f"unknown{number}"),
        handle=row.get("author"),
        name=row.get("author_name"),
        text=row["text"],
        received_us=parse_time_us(row.get("date", _UNDATED)) + number * US_PER_S,
    )


def _topics(folder: Path, year: int) -> Iterator[Asked]:
    qrels = trec_microblog.read_qrels(str(folder / f"qrels.{year}.incorpus.txt.gz"))
    for topic in trec_microblog.read_topics(str(folder / f"topics.{year}.tsv")):
        gold = {f"x://status/{post}" for post, grade in qrels[topic.number].items() if grade > 0}
        if gold:
            yield Asked(
                kind="topics",
                text=f"What do posts say about {topic.text}?",
                clock_us=trec_microblog.id_time_us(topic.last_id),
                gold=frozenset(gold),
                judged=frozenset(f"x://status/{post}" for post in qrels[topic.number]),
            )


def _disasters(path: Path, posts: Sequence[Post]) -> Iterator[Asked]:
    events: dict[str, set[str]] = {}
    with trec_microblog.open_text(str(path)) as lines:
        for row in map(json.loads, lines):
            if row["label"] == "on-topic":
                events.setdefault(row["event"], set()).add(f"ndjson:{row['id']}")
    for event, texts in _DISASTERS.items():
        of_event = {post.id: post for post in posts if post.id in events[event]}
        start_us = min(post.received_us for post in of_event.values())
        for text in texts:
            for hours in _HOURS:
                yield Asked(
                    kind="disasters",
                    text=text,
                    clock_us=start_us + hours * US_PER_HOUR,
                    gold=frozenset(of_event),
                )
