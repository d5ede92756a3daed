"""Whether every quote is alive and exact when shown, while posts are deleted, edited and hidden underneath.

    python -m benchmarks.citations --posts ../shared/data/posts/*.ndjson.gz --questions 1000

Asks questions made of words of the posts. Before every single call that the assistant makes of the index, and
between any two events of an answer, chance deletes, edits or suspends what was found or cited. What is shown
is compared with the benchmark's own record of the truth, not with the index. A second pass asks undisturbed,
for the times.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from benchmarks.made_posts import read_posts
from benchmarks.report import percentile, show
from hubbub.assistant import Answer, Citation, Done, Found, Retraction, Sentence, Shown, ask
from hubbub.index import Hit, Index, Query, open_index
from hubbub.posts import AccountEvent, Deletion, Edit, Event, Post, PostId
from hubbub.units import US_PER_S

BATCH = 512
MEDDLING = 0.15
"""Chance of a deletion, edit or suspension at each opportunity; an answer offers about a dozen."""
SUSPENDED_AT_ONCE = 20

QUESTIONS = (
    "What is happening in {}?",
    "What is happening with {} today?",
    "What do people say about {}?",
    "Is it true that {}?",
    "When was {}?",
    "How many {}?",
    "{}",
    "{} and {}",
    "Was passiert in {}?",
    "Was sagen die Leute zu {}?",
    "Stimmt es, dass {}?",
    "What is happening?",
)


class Truth:
    """Which posts are alive and what they say, by the benchmark's own book."""

    def __init__(self, posts: Iterable[Post]) -> None:
        self.texts = {post.id: post.text for post in posts}
        self.suspended: set[str] = set()

    def holds(self, citation: Citation) -> bool:
        """Tell whether a quote is, to the letter, in a post that is alive and visible now."""
        text = self.texts.get(citation.post)
        return (
            text is not None
            and citation.author not in self.suspended
            and text[citation.start : citation.end] == citation.quote
            and bool(citation.quote)
        )


class Meddler:
    """An index under which chance changes the world before every call."""

    def __init__(self, index: Index, truth: Truth, newest_us: int, rng: random.Random) -> None:
        self.index = index
        self.truth = truth
        self.rng = rng
        self.now_us = newest_us
        self.seq = index.position
        self.targets: list[Citation] = []
        self.counts: Counter[str] = Counter()

    def search(self, query: Query) -> list[Hit]:
        """Search, after a change."""
        self.meddle()
        return self.index.search(query)

    def near_words(self, word: str) -> Sequence[str]:
        """Return what a word that hardly a post holds may be a slip for."""
        return self.index.near_words(word)

    def fetch(self, ids: Iterable[PostId], for_prompt: bool = False) -> Mapping[PostId, Post]:
        """Look posts up, after a change that likes to hit one of them."""
        wanted = list(ids)
        self.meddle(wanted)
        return self.index.fetch(wanted, for_prompt=for_prompt)

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Embed, after a change."""
        self.meddle()
        return self.index.embed(texts)

    def meddle(self, wanted: Sequence[PostId] = ()) -> None:
        """By chance delete, edit or suspend something that was found or is about to be shown."""
        living = [item for item in self.targets if item.post in self.truth.texts]
        preferred = [item for item in living if item.post in wanted]
        if living and self.rng.random() < MEDDLING:
            target = self.rng.choice(preferred or living)
            change = self.rng.choice((self.delete, self.delete, self.edit, self.suspend))
            change(target)

    def delete(self, target: Citation) -> None:
        """Delete a post for good."""
        self.truth.texts.pop(target.post)
        self.fold(Deletion(id=target.post, received_us=self.tick()))
        self.counts["deletions"] += 1

    def edit(self, target: Citation) -> None:
        """Change one character somewhere, or put one in front: offsets shift by one."""
        text = self.truth.texts[target.post]
        place = self.rng.randrange(len(text) + 1)
        changed = text[:place] + "\U0001f30a" + text[place + self.rng.randint(0, 1) :]
        self.truth.texts[target.post] = changed
        post = Post(
            id=target.post, author=target.author, handle=target.handle, text=changed, received_us=self.tick()
        )
        self.fold(Edit(post=post, replaces=target.post))
        self.counts["edits"] += 1

    def suspend(self, target: Citation) -> None:
        """Hide all of an author's posts; the longest suspended comes back."""
        self.truth.suspended.add(target.author)
        self.fold(AccountEvent(author=target.author, status="suspended", received_us=self.tick()))
        self.counts["suspensions"] += 1
        if len(self.truth.suspended) > SUSPENDED_AT_ONCE:
            back = self.rng.choice(sorted(self.truth.suspended))
            self.truth.suspended.discard(back)
            self.fold(AccountEvent(author=back, status="restored", received_us=self.tick()))

    def fold(self, event: Event) -> None:
        """Let the index know at once."""
        self.seq += 1
        self.index.fold([(self.seq, event)])

    def tick(self) -> int:
        """Return a time after all others."""
        self.now_us += 1
        return self.now_us


class Tally(msgspec.Struct):
    """What was shown, and what of it was wrong."""

    answers: int = 0
    sentences: int = 0
    citations: int = 0
    exact_and_alive: int = 0
    retractions: int = 0
    wrong_at_the_end: int = 0
    dropped: dict[str, int] = {}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--posts", nargs="+", required=True, metavar="FILE", help="NDJSON of real posts")
    parser.add_argument("--questions", type=int, default=1_000)
    parser.add_argument("--timed", type=int, default=200, help="questions asked undisturbed, for the times")
    parser.add_argument("--limit", type=int, default=0, help="posts at most; 0 = all")
    parser.add_argument("--index", help="edge:DIR, sqlite:DIR ...; default: edge in a temporary directory")
    parser.add_argument("--embedder", default="static")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    posts = sorted(read_posts(options.posts), key=lambda post: post.received_us)
    if options.limit:
        posts = sorted(rng.sample(posts, min(options.limit, len(posts))), key=lambda post: post.received_us)
    with tempfile.TemporaryDirectory() as directory:
        index = open_index(options.index or f"edge:{directory}", options.embedder)
        try:
            for start in range(0, len(posts), BATCH):
                index.fold(enumerate(posts[start : start + BATCH], start + 1))
            rows = [disturbed(index, posts, options.questions, rng), timed(index, posts, options.timed, rng)]
        finally:
            index.close()
    merged = {key: value for row in rows for key, value in row.items()}
    show([merged] if options.json else [{"what": key, "value": merged[key]} for key in merged], options.json)
    if merged["exact and alive"] != merged["citations"] or merged["wrong at the end"]:
        sys.exit(1)


def disturbed(index: Index, posts: Sequence[Post], number: int, rng: random.Random) -> dict[str, object]:
    """Ask while the world changes, and compare all that is shown with the truth."""
    truth = Truth(posts)
    meddler = Meddler(index, truth, posts[-1].received_us, rng)
    meddler.seq = len(posts)
    tally = Tally()
    for question, clock_us in questions(posts, number, rng):
        follow(meddler, truth, question, clock_us, tally)
    return {
        "posts": len(posts),
        "answers": tally.answers,
        "sentences shown": tally.sentences,
        "citations": tally.citations,
        "exact and alive": tally.exact_and_alive,
        "percent": 100.0 * tally.exact_and_alive / max(tally.citations, 1),
        "retractions": tally.retractions,
        "wrong at the end": tally.wrong_at_the_end,
        **dict(meddler.counts),
        **{f"dropped: {reason}": count for reason, count in sorted(tally.dropped.items())},
    }


def follow(meddler: Meddler, truth: Truth, question: str, clock_us: int, tally: Tally) -> None:
    """Follow one answer event by event."""
    meddler.targets = []
    shown: dict[int, Sentence] = {}
    for event in ask(meddler, question, clock_us=clock_us):
        if isinstance(event, Found):
            meddler.targets = list(event.posts)
        elif isinstance(event, Shown):
            shown[event.sentence.id] = event.sentence
            tally.sentences += 1
            tally.citations += len(event.sentence.citations)
            tally.exact_and_alive += sum(map(truth.holds, event.sentence.citations))
            meddler.targets += event.sentence.citations
        elif isinstance(event, Retraction):
            tally.retractions += 1
            shown.pop(event.sentence)
        elif isinstance(event, Done):
            finish(event.answer, shown, truth, tally)
            return
        meddler.meddle()


def finish(answer: Answer, shown: Mapping[int, Sentence], truth: Truth, tally: Tally) -> None:
    """Compare the finished answer with what was shown and not taken back, and with the truth now."""
    tally.answers += 1
    for reason, count in answer.report.dropped.items():
        tally.dropped[reason] = tally.dropped.get(reason, 0) + count
    is_same = {sentence.id for sentence in answer.sentences} == set(shown)
    is_true = all(truth.holds(citation) for sentence in answer.sentences for citation in sentence.citations)
    tally.wrong_at_the_end += not (is_same and is_true)


def timed(index: Index, posts: Sequence[Post], number: int, rng: random.Random) -> dict[str, object]:
    """Ask undisturbed and take the times that the answers report."""
    evidence, first, total = [], [], []
    for question, clock_us in questions(posts, number, rng):
        for event in ask(index, question, clock_us=clock_us):
            if isinstance(event, Done):
                report = event.answer.report
                evidence.append(report.first_evidence_ms or 0.0)
                first.append(report.first_sentence_ms or 0.0)
                total.append(report.total_ms or 0.0)
    times = {"first evidence": evidence, "first sentence": first, "whole answer": total}
    return {
        f"{name} p{percent} ms": percentile(values, percent)
        for name, values in times.items()
        for percent in (50, 95)
        if values
    }


def questions(posts: Sequence[Post], number: int, rng: random.Random) -> Iterator[tuple[str, int]]:
    """Make questions of words that posts use, asked soon after them."""
    for _ in range(number):
        place = rng.randrange(len(posts))
        words = re.findall(r"#?[^\W\d_]{4,}", posts[place].text) or ["news"]
        form = rng.choice(QUESTIONS)
        topics = [
            " ".join(rng.sample(words, min(len(words), rng.choice((1, 1, 2, 3)))))
            for _ in range(form.count("{}"))
        ]
        yield form.format(*topics), posts[place].received_us + rng.randrange(6 * 3600) * US_PER_S


if __name__ == "__main__":
    main()
