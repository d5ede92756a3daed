"""TweetQA: find the one post that a question was written about.

    python -m benchmarks.tweetqa --posts posts.ndjson.gz --questions qa.train.ndjson.gz [--sample N] [--json]

Only questions that search can answer (`rare_shared` >= 1), a fixed sample of them, in their own words, all
posts in the index at once (undated ones on 1 January 2016). The first row is a plain BM25 over the same posts
(text and author, whole words, k1 .9, b .4, 34 stop words), the last is the product's default; `--json` prints
that row alone.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from benchmarks.report import percentile, show
from benchmarks.trec_microblog import open_text
from hubbub.index import open_index
from hubbub.index.query import Query
from hubbub.index.ranking import Ranking
from hubbub.index.rerank import open_reranker
from hubbub.index.stopwords import STOP_WORDS
from hubbub.posts import Post
from hubbub.units import US_PER_S, parse_time_us

DEPTH = 20
_UNDATED = "2016-01-01"
ROWS = {
    "words": Ranking(dense=0.0, feedback_posts=0, recency=0.0),
    "likeness": Ranking(lexical=0.0, dense=1.0, feedback_posts=0, recency=0.0),
    "words + likeness": Ranking(),
}
PRODUCT = "words + likeness"


class Question(msgspec.Struct, frozen=True):
    """A question and the post it was written about."""

    text: str
    post: str


def main() -> None:
    args = _arguments().parse_args()
    posts, questions = read_posts(args.posts), read_questions(args.questions, args.sample)
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        index = open_index(f"{args.backend}:{directory}", args.embedder)
        index.fold(enumerate(posts, 1))

        def search(text: str) -> list[str]:
            return [hit.post.id for hit in index.search(Query(text=text, limit=DEPTH))]

        if not args.json:
            rows.append(score("plain BM25", plain_bm25(posts), questions))
        for name in [PRODUCT] if args.json else ROWS:
            index.ranking = ROWS[name]
            rows.append(score(name, search, questions))
        if args.rerank:
            index.reranker = open_reranker("minilm")
            rows.append(score("the same, best 50 reranked by MiniLM", search, questions))
        index.close()
    if args.json:
        print(json.dumps({key: value for key, value in rows[-1].items() if key != "ranking"}))
    else:
        show(rows, False)


def score(
    name: str, search: Callable[[str], Sequence[str]], questions: Sequence[Question]
) -> dict[str, object]:
    """Ask every question and average where its post stands."""
    ranks, times_ms = [], []
    for question in questions:
        began = time.perf_counter()
        found = list(search(question.text))
        times_ms.append((time.perf_counter() - began) * 1000)
        ranks.append(found.index(question.post) + 1 if question.post in found else math.inf)
    num = len(questions)
    return {
        "ranking": name,
        "r1": round(sum(rank <= 1 for rank in ranks) / num, 4),
        "r5": round(sum(rank <= 5 for rank in ranks) / num, 4),
        "mrr": round(sum(1 / rank for rank in ranks) / num, 4),
        "questions": num,
        "p50_ms": round(percentile(times_ms, 50), 2),
    }


def read_posts(path: str) -> list[Post]:
    """Read the posts in the order of their days."""
    with open_text(path) as lines:
        rows = sorted(
            (json.loads(line) for line in lines), key=lambda row: (row.get("date", _UNDATED), row["id"])
        )
    return [
        Post(
            id=row["id"],
            author=row.get("author", "unknown"),
            handle=row.get("author"),
            name=row.get("author_name"),
            text=row["text"],
            received_us=parse_time_us(row.get("date", _UNDATED)) + number % 86_400 * US_PER_S,
        )
        for number, row in enumerate(rows)
    ]


def read_questions(path: str, sample: int) -> list[Question]:
    """Read the questions that search can answer and draw a fixed sample."""
    with open_text(path) as lines:
        rows = [json.loads(line) for line in lines]
    able = [Question(row["question"], row["post"]) for row in rows if row["rare_shared"] >= 1]
    return random.Random(1).sample(able, min(sample, len(able)))


def plain_bm25(
    posts: Sequence[Post], k1: float = 0.9, b: float = 0.4, depth: int = DEPTH
) -> Callable[[str], list[str]]:
    """Build the yardstick: Okapi BM25 over whole lower-cased words of text and author, no stems."""
    held: dict[str, dict[int, int]] = {}
    lengths = []
    for number, post in enumerate(posts):
        counts = Counter(_plain_words(f"{post.text} {post.handle or ''} {post.name or ''}"))
        lengths.append(sum(counts.values()))
        for word, count in counts.items():
            held.setdefault(word, {})[number] = count
    mean = sum(lengths) / len(lengths)

    def search(text: str) -> list[str]:
        scores: Counter[int] = Counter()
        for word in _plain_words(text):
            having = held.get(word, {})
            idf = math.log(1 + (len(posts) - len(having) + 0.5) / (len(having) + 0.5))
            for number, count in having.items():
                damping = k1 * (1 - b + b * lengths[number] / mean)
                scores[number] += idf * count * (k1 + 1) / (count + damping)
        return [posts[number].id for number, _ in scores.most_common(depth)]

    return search


def _plain_words(text: str) -> list[str]:
    return [word for word in re.findall(r"\w+", text.lower()) if word not in STOP_WORDS["en"]]


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--posts", required=True, help="NDJSON: id, date, author, author_name, text")
    parser.add_argument("--questions", required=True, help="NDJSON: question, post, rare_shared")
    parser.add_argument("--sample", type=int, default=2000)
    parser.add_argument("--backend", default="edge", choices=("edge", "sqlite"))
    parser.add_argument("--embedder", default="static")
    parser.add_argument(
        "--rerank", action="store_true", help="one more row, looked at again by MiniLM (slow)"
    )
    parser.add_argument("--json", action="store_true", help="the product's row only, as one JSON object")
    return parser


if __name__ == "__main__":
    main()
