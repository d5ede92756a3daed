"""TREC Microblog: topics asked of the real index in their own minute of a replayed stream.

    python -m benchmarks.trec_microblog --corpus C.ndjson.gz --topics T.tsv --qrels Q.txt.gz [--json]

Posts are folded in the order of their ids; each topic is asked when exactly the posts with ids up to its
query tweet's are in the index, at the topic's time, in its own words. Unjudged posts count as not relevant,
grades of 1 and more as relevant. The last row is the product's default; `--json` prints that row alone.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
import time
from collections.abc import Sequence
from typing import IO

import msgspec

from benchmarks.measures import average_precision, ndcg, precision
from benchmarks.report import percentile, show
from hubbub.index import Index, open_index
from hubbub.index.query import Query
from hubbub.index.ranking import Ranking
from hubbub.index.rerank import Reranker, open_reranker
from hubbub.posts import Post

DEPTH = 1000
"""Posts of a result that average precision looks at, as in the track."""

ROWS = {
    "words": Ranking(dense=0.0, feedback_posts=0, recency=0.0),
    "likeness": Ranking(lexical=0.0, dense=1.0, feedback_posts=0, recency=0.0),
    "words + likeness": Ranking(feedback_posts=0),
    "words, widened": Ranking(dense=0.0),
    "words + likeness, widened": Ranking(),
}
PRODUCT = "words + likeness, widened"
RERANKED = "the same, best 50 reranked by MiniLM"


class Topic(msgspec.Struct, frozen=True):
    """One question of the track."""

    number: int
    text: str
    last_id: int
    """Posts with greater ids were not yet written when it was asked."""


def main() -> None:
    args = _arguments().parse_args()
    qrels = read_qrels(args.qrels)
    topics = [topic for topic in read_topics(args.topics) if any(g > 0 for g in qrels[topic.number].values())]
    rows = {PRODUCT: ROWS[PRODUCT]} if args.json else ROWS
    with tempfile.TemporaryDirectory() as directory:
        index = open_index(f"{args.backend}:{directory}", args.embedder)
        results = replay(index, args.corpus, topics, rows, open_reranker("minilm") if args.rerank else None)
        index.close()
    table = [summarize(name, topics, qrels, found) for name, found in results.items()]
    if args.json:
        print(json.dumps({key: table[0][key] for key in ("map", "p30", "ndcg10", "topics", "p50_ms")}))
    else:
        show(table, False)


def replay(
    index: Index,
    corpus: str,
    topics: Sequence[Topic],
    rows: dict[str, Ranking],
    reranker: Reranker | None = None,
) -> dict[str, dict[int, tuple[list[int], float]]]:
    """Fold the corpus and ask each topic in its minute; per row and topic: ids in order, and milliseconds."""
    results: dict[str, dict[int, tuple[list[int], float]]] = {name: {} for name in rows}
    if reranker:
        results[RERANKED] = {}
    posts = read_corpus(corpus)
    seq = 0
    for topic in sorted(topics, key=lambda topic: topic.last_id):
        due = posts[seq : _count_up_to(posts, topic.last_id)]
        index.fold((seq + number + 1, post) for number, post in enumerate(due))
        seq += len(due)
        for name, ranking in rows.items():
            index.ranking = ranking
            results[name][topic.number] = ask(index, topic)
        if reranker:
            index.ranking, index.reranker = ROWS[PRODUCT], reranker
            results[RERANKED][topic.number] = ask(index, topic)
            index.reranker = None
    return results


def ask(index: Index, topic: Topic) -> tuple[list[int], float]:
    """Return the ids found at the track's depth, and how long the product's own depth takes, milliseconds."""
    now_us = id_time_us(topic.last_id)
    found = index.search(Query(text=topic.text, limit=DEPTH, now_us=now_us))
    began = time.perf_counter()
    index.search(Query(text=topic.text, now_us=now_us))
    return [int(hit.post.id.rpartition("/")[2]) for hit in found], (time.perf_counter() - began) * 1000


def summarize(
    name: str,
    topics: Sequence[Topic],
    qrels: dict[int, dict[int, int]],
    results: dict[int, tuple[list[int], float]],
) -> dict[str, object]:
    """Average the measures over the topics."""
    num = len(topics)
    of = [(results[topic.number][0], qrels[topic.number]) for topic in topics]
    times_ms = [results[topic.number][1] for topic in topics]
    return {
        "ranking": name,
        "map": round(sum(average_precision(found, grades) for found, grades in of) / num, 4),
        "p30": round(sum(precision(found, grades, 30) for found, grades in of) / num, 4),
        "ndcg10": round(sum(ndcg(found, grades, 10) for found, grades in of) / num, 4),
        "topics": num,
        "p50_ms": round(percentile(times_ms, 50), 2),
        "p99_ms": round(percentile(times_ms, 99), 2),
    }


def read_corpus(path: str) -> list[Post]:
    """Read the posts, sorted by id; what they lack (authors) stays empty."""
    posts = []
    with open_text(path) as lines:
        for line in lines:
            fields = json.loads(line)
            posts.append(
                Post(
                    id=f"x://status/{fields['id']}",
                    author=f"x://user/{fields.get('author', 'unknown')}",
                    handle=fields.get("author"),
                    text=fields["text"],
                    hashtags=tuple(fields.get("hashtags", ())),
                    mentions=tuple(fields.get("mentions", ())),
                    links=tuple(fields.get("urls", ())),
                    received_us=id_time_us(int(fields["id"])),
                )
            )
    return sorted(posts, key=lambda post: int(post.id.rpartition("/")[2]))


def read_topics(path: str) -> list[Topic]:
    """Read number, text, time and query tweet of each topic."""
    with open_text(path) as lines:
        parts = [line.rstrip("\n").split("\t") for line in lines if line.strip()]
    return [Topic(int(number), text, int(last_id)) for number, text, _, last_id in parts]


def read_qrels(path: str) -> dict[int, dict[int, int]]:
    """Read grade by topic and post; a topic without judgements has none."""
    grades: dict[int, dict[int, int]] = _Grades()
    with open_text(path) as lines:
        for line in lines:
            topic, _, post, grade = line.split()
            grades.setdefault(int(topic), {})[int(post)] = int(grade)
    return grades


def id_time_us(post_id: int) -> int:
    """Return the time in a snowflake id, microseconds since 1970 (shared/data/README.md)."""
    return ((post_id >> 22) + 1_288_834_974_657) * 1000


def open_text(path: str) -> IO[str]:
    """Open a text file, gzipped or not."""
    return gzip.open(path, "rt", encoding="utf-8") if path.endswith(".gz") else open(path, encoding="utf-8")


class _Grades(dict[int, dict[int, int]]):
    def __missing__(self, topic: int) -> dict[int, int]:
        return {}


def _count_up_to(posts: Sequence[Post], last_id: int) -> int:
    low, high = 0, len(posts)
    while low < high:
        middle = (low + high) // 2
        low, high = (
            (middle + 1, high) if int(posts[middle].id.rpartition("/")[2]) <= last_id else (low, middle)
        )
    return low


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--corpus", required=True, help="NDJSON posts: id, text, urls, hashtags (.gz or plain)"
    )
    parser.add_argument("--topics", required=True, help="TSV: number, query, time, query tweet id")
    parser.add_argument("--qrels", required=True, help="number, 0, id, grade")
    parser.add_argument("--backend", default="edge", choices=("edge", "sqlite"))
    parser.add_argument("--embedder", default="static")
    parser.add_argument(
        "--rerank", action="store_true", help="one more row, looked at again by MiniLM (slow)"
    )
    parser.add_argument("--json", action="store_true", help="the product's row only, as one JSON object")
    return parser


if __name__ == "__main__":
    main()
