"""Citation precision and recall: are an answer's quotes to the point, and is the right post among them?

    python -m benchmarks.citation_quality --data ../shared/data [--sample 200] [--index edge:DIR]

After ALCE (arXiv 2305.14627), which asks of each sentence whether its citations support it, and of each
citation whether it is to the point. Sentences are quotes here, so support is checked to the letter (`exact`);
the honest difficulty is whether they are to the point, and that is judged by people's labels, not by us:

- **precision**: of all sentences that tell something (notes do not), the share of which *every* cited post is
  gold for the question: the post that it was written about, those that a fact-checker matched with the claim,
  posts graded relevant or labelled as of the disaster, or a copy of one. What nobody judged counts as wrong,
  and so does everything that is told where nothing answers.
- **of these**: the same of the sentences that are told as an answer (`asserted`), without those of answers
  that begin with "perhaps no answer, but the closest" or "nobody says or denies it outright"; and **their
  recall**, the share of questions to which such a sentence cites a gold post.
- **wrong, unjudged**: of the wrong sentences on topics, the share whose wrong posts no assessor ever saw (the
  "holes" of pooled judgements); for reading, nothing is corrected by it.
- **recall**: of the questions that have gold posts, the share whose answer cites one.
- **answer**: of questions for a fact, the share of answers whose quotes hold an annotator's answer.
- **abstained**: of questions that nothing answers, the share to which nothing was asserted.

Each is counted twice: **strict**, as above, and **fair**, without what is the data's doing and not the
answer's (questions that their words do not determine, posts that nobody judged): `citation_quality_fair`
defines it.

The same for plain BM25 with its best post quoted blindly (no abstaining), in the same run.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from benchmarks.citation_quality_fair import unfair
from benchmarks.citation_sets import Asked, World, read_world
from benchmarks.report import show
from benchmarks.tweetqa import plain_bm25
from hubbub.assistant import answer
from hubbub.assistant.model import open_model
from hubbub.assistant.voices import collapse
from hubbub.assistant.wordforms import words
from hubbub.index import Index, open_index
from hubbub.index.rerank import open_reranker
from hubbub.posts import Post

BATCH = 512
_BM25_DEPTH = 2_000


class Line(msgspec.Struct, frozen=True):
    """One sentence of an answer: its cited posts and quotes, and whether it is told as the answer."""

    cited: tuple[tuple[str, str], ...]
    is_asserted: bool = True


Told: TypeAlias = list[Line]


class Outcome(msgspec.Struct, frozen=True):
    """What became of one question."""

    asked: Asked
    num_told: int
    num_right: int
    num_asserted: int
    num_asserted_right: int
    num_exact: int
    num_unjudged: int
    is_found: bool
    is_asserted: bool
    has_answer: bool


class Judge:
    """Knows every post, and so what is gold and what is a copy of it."""

    def __init__(self, posts: Sequence[Post]) -> None:
        self._posts = {post.id: post for post in posts}

    def rate(self, asked: Asked, told: Told, *, is_fair: bool = False) -> Outcome:
        """Compare what was told with what people judged."""
        cited = {post for line in told for post, _ in line.cited}
        gold = {post for post in cited if post in asked.gold or self._is_copy(post, asked, is_fair)}
        if is_fair:
            told = [line for line in told if not _is_unjudged(line, asked, gold)]
        quotes = " ".join(f" {' '.join(words(quote))} " for line in told for _, quote in line.cited)
        right = [line for line in told if all(post in gold for post, _ in line.cited)]
        return Outcome(
            asked=asked,
            num_told=len(told),
            num_right=len(right),
            num_asserted=sum(line.is_asserted for line in told),
            num_asserted_right=sum(line.is_asserted for line in right),
            num_exact=sum(
                all(quote in self._posts[post].text for post, quote in line.cited) for line in told
            ),
            num_unjudged=sum(_is_unjudged(line, asked, gold) for line in told if line not in right),
            is_found=bool(gold),
            is_asserted=any(line.is_asserted and post in gold for line in told for post, _ in line.cited),
            has_answer=any(f" {' '.join(words(text))} " in quotes for text in asked.answers),
        )

    def _is_copy(self, post: str, asked: Asked, is_fair: bool) -> bool:
        """Tell whether a post is word for word, or nearly, one of those that are gold."""
        if len(asked.gold) > 10 and not (is_fair and asked.judged is not None):
            return False  # topics and disasters were judged post by post, topics not all of them
        gold = [self._posts[other] for other in asked.gold]
        return any(len(collapse([self._posts[post], other], [1.0, 1.0])) == 1 for other in gold)


def _is_unjudged(line: Line, asked: Asked, gold: set[str]) -> bool:
    """Tell whether no assessor looked at any of the posts that make a sentence wrong."""
    wrong = {post for post, _ in line.cited} - gold
    return bool(wrong) and asked.judged is not None and not wrong & asked.judged


def main() -> None:
    options = _arguments().parse_args()
    world = read_world(Path(options.data), options.sample)
    kinds = options.only or {item.kind for item in world.asked}
    chosen = tuple(item for item in world.asked if item.kind in kinds and options.half in (None, _half(item)))
    world = msgspec.structs.replace(world, asked=chosen)
    judge, left_out = Judge(world.posts), unfair(world.asked, world.posts)
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as directory:
        index = open_index(options.index or f"edge:{directory}", options.embedder)
        try:
            index.reranker = open_reranker(options.rerank)
            fold(index, world.posts)
            writers = {options.model: house(index, options.model)}
            if not options.no_baseline:
                writers["BM25, best post"] = baseline(world)
            for name, write in writers.items():
                told = [(asked, write(asked)) for asked in world.asked]
                outcomes = [judge.rate(asked, lines) for asked, lines in told]
                fair = [judge.rate(*pair, is_fair=True) for pair in told if pair[0] not in left_out]
                rows += [*table(name, "strict", outcomes), *table(name, "fair", fair)]
                if options.trace:
                    trace(options.trace, name, outcomes)
        finally:
            index.close()
    show(rows, options.json)
    if any(row["exact"] not in (1.0, "-") for row in rows):
        sys.exit(1)


def fold(index: Index, posts: Sequence[Post]) -> None:
    """Make all posts searchable; an index that was kept goes on where it was."""
    for start in range(0, index.position, BATCH):  # another sample leaves other posts out
        ids = [post.id for post in posts[start : min(start + BATCH, index.position)]]
        if len(index.fetch(ids)) < len(ids):
            raise SystemExit("--index was made for another --sample or --data; name a fresh directory")
    for start in range(index.position, len(posts), BATCH):
        index.fold(enumerate(posts[start : start + BATCH], start + 1))
    index.flush()


def house(index: Index, spec: str) -> Callable[[Asked], Told]:
    """Return the product: its answers without their notes."""
    model = open_model(spec)
    writers: Counter[str] = Counter()

    def write(asked: Asked) -> Told:
        said = answer(index, asked.text, clock_us=asked.clock_us, model=model)
        if model:
            writers[said.report.writer] += 1
            print(f"who wrote: {dict(writers)}; refused there: {said.report.dropped}", file=sys.stderr)
        return [
            Line(
                tuple((citation.post, citation.quote) for citation in sentence.citations),
                not sentence.is_doubtful,
            )
            for sentence in said.sentences
            if sentence.kind != "note"
        ]

    return write


def baseline(world: World) -> Callable[[Asked], Told]:
    """Return the yardstick: the best post of plain BM25 that was there by then, quoted whole."""
    search = plain_bm25(world.posts, depth=_BM25_DEPTH)
    posts = {post.id: post for post in world.posts}

    def write(asked: Asked) -> Told:
        known = (posts[found] for found in search(asked.text))
        return [Line(((post.id, post.text),)) for post in known if post.received_us <= asked.clock_us][:1]

    return write


def table(name: str, measure: str, outcomes: Sequence[Outcome]) -> Iterator[dict[str, object]]:
    """Sum up by set, then over all, on the half that was tuned on and on the other."""
    for half in ("tuned on", "held out"):
        of_half = [item for item in outcomes if _half(item.asked) == half]
        for kind in (*dict.fromkeys(item.asked.kind for item in of_half), *(["all"] if of_half else [])):
            chosen = [item for item in of_half if kind in ("all", item.asked.kind)]
            yield {"writer": name, "measure": measure, "half": half, "set": kind, **_sums(chosen)}


def _half(asked: Asked) -> str:
    return "held out" if asked.is_held_out else "tuned on"


def _sums(chosen: Sequence[Outcome]) -> dict[str, object]:
    told = sum(item.num_told for item in chosen)
    asserted = sum(item.num_asserted for item in chosen)
    answerable = [item for item in chosen if item.asked.gold]
    facts = [item for item in chosen if item.asked.answers]
    pooled = [item for item in chosen if item.asked.judged is not None]
    empty = [item for item in chosen if not item.asked.gold]
    return {
        "questions": len(chosen),
        "sentences": told,
        "exact": _share(sum(item.num_exact for item in chosen), told),
        "precision": _share(sum(item.num_right for item in chosen), told),
        "wrong, unjudged": _share(
            sum(item.num_unjudged for item in pooled), sum(item.num_told - item.num_right for item in pooled)
        ),
        "asserted": asserted,
        "of these": _share(sum(item.num_asserted_right for item in chosen), asserted),
        "recall": _share(sum(item.is_found for item in answerable), len(answerable)),
        "their recall": _share(sum(item.is_asserted for item in answerable), len(answerable)),
        "answer": _share(sum(item.has_answer for item in facts), len(facts)),
        "abstained": _share(sum(not item.num_asserted for item in empty), len(empty)),
    }


def _share(part: int, whole: int) -> float | str:
    return part / whole if whole else "-"


def trace(path: str, name: str, outcomes: Sequence[Outcome]) -> None:
    """Write what became of each question, one line of JSON each."""
    with open(path, "a", encoding="utf-8") as file:
        for item in outcomes:
            fields = {"kind": item.asked.kind, "asked": item.asked.text, "held_out": item.asked.is_held_out}
            counts = {"told": item.num_told, "right": item.num_right, "found": item.is_found}
            print(json.dumps({"writer": name, **fields, **counts}), file=file)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, metavar="DIR", help="folder with posts/ and qa/")
    parser.add_argument("--sample", type=int, default=200, help="questions of each set that is sampled")
    parser.add_argument("--only", nargs="+", metavar="SET", help="these sets only")
    parser.add_argument("--index", help="edge:DIR, kept for the next run; default: a temporary one")
    parser.add_argument("--embedder", default="static")
    parser.add_argument("--model", default="quotes", help="quotes, URL#NAME or a .gguf file")
    parser.add_argument("--rerank", default="none", choices=["none", "minilm"])
    parser.add_argument("--half", choices=["tuned on", "held out"], help="the questions of this half only")
    parser.add_argument("--no-baseline", action="store_true")
    parser.add_argument("--trace", metavar="FILE", help="append what became of each question")
    parser.add_argument("--json", action="store_true")
    return parser


if __name__ == "__main__":
    main()
