"""How good a small model of one's own becomes: bits per byte, new names, and the assistant's form.

    python -m benchmarks.train_quality POSTS.ndjson.gz... [--params 3M] [--tokens 1.5M] [--weeks 4]

Takes the posts as if all their authors allowed a corpus, holds the newest out, and runs the product's own
commands: corpus, training, lessons, fine-tuning, GGUF. Then it measures:

- **bits per byte** on the newest posts, trained and taught, beside the frequency of tokens, gzip -9, and zstd
  -19 that has read the training text; **cloze**: names that no training text holds, one of some ten is right;
- **replies** to lessons of posts that were held out, as `hubbub train evaluate --lessons` counts them, beside
  quoting the record with the most words of the question;
- with `--weeks N`: what a release that is 1, 2, ... steps old needs more than a fresh one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from benchmarks.made_posts import read_posts
from benchmarks.report import show
from hubbub.posts import ConsentEvent
from hubbub.stream import open_archive

_CHANGES = ("bits per byte", "cloze", "replies")
"""What teaching changes begins so."""


def main() -> None:
    options = _arguments().parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(options.keep or scratch)
        prepare(place, options)
        rows = list(measured(place, options))
        if options.weeks:
            rows += weeks(place, options)
    show(rows, options.json)


def run(*arguments: object) -> str:
    """Run one of the product's commands; what it says goes to stderr."""
    command = [sys.executable, "-m", "hubbub.cli.main", *map(str, arguments)]
    print("+ hubbub", *arguments, file=sys.stderr)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def prepare(place: Path, options: argparse.Namespace) -> None:
    """Make archive, corpus, model, lessons and taught model; what is there from last time is taken up."""
    if not (place / "data").exists():
        posts = sorted(read_posts(options.posts), key=lambda post: post.received_us)
        posts = [msgspec.structs.replace(post, id=post.id.replace("x://", "copy://")) for post in posts]
        with open_archive(place / "data" / "archive") as archive:
            start_us = posts[0].received_us
            for author in sorted({post.author for post in posts}):
                archive.append(
                    [ConsentEvent(author=author, scope="corpus", allow=True, received_us=start_us)]
                )
            archive.append(posts)
    if not (place / "corpus").exists():
        run("corpus", "build", place / "data", place / "corpus", "--vocab", options.vocab,
            "--held-out-days", options.held_out_days)  # fmt: skip
    run("train", place / "corpus", place / "run", "--params", options.params, "--tokens", options.tokens,
        "--seq", 256)  # fmt: skip
    if not (place / "lessons").exists():
        run("train", "lessons", place / "data", place / "corpus", place / "lessons",
            "--limit", options.lessons, "--drills", options.drills)  # fmt: skip
        run("train", "lessons", place / "data", place / "corpus", place / "unseen", "--held-out",
            "--limit", options.replies)  # fmt: skip
    run("train", "sft", place / "run", place / "lessons", place / "taught", "--epochs", options.epochs)


def measured(place: Path, options: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Yield all figures of the model as trained, and of the taught one what may have changed."""
    for name, directory in (("trained", "run"), ("taught", "taught")):
        asked = ("--lessons", place / "unseen", "--replies", options.replies) if name == "taught" else ()
        told = json.loads(run("train", "evaluate", place / directory, place / "corpus", "--json", *asked))
        for what, value in told.items():
            if isinstance(value, float) and (name == "trained" or what.startswith(_CHANGES)):
                yield {"model": f"{options.params} {name}", "what": what, "value": value}


def weeks(place: Path, options: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Yield what waiting costs, over as many releases after the first."""
    manifest = json.loads((place / "corpus" / "manifest.json").read_text())
    days = (manifest["last_us"] - manifest["first_us"]) / 86_400e6 / (2 * options.weeks)
    spans = ("--first-days", days * options.weeks, "--days", days)
    corpus, out = place / "corpus", place / "weeks"
    told = run("train", "weeks", corpus, out, "--params", options.params, *spans, "--seq", 256, "--json")
    for age, value in enumerate(json.loads(told.splitlines()[-1])["staleness"]):
        yield {"model": f"{options.params} weekly", "what": f"extra bits per byte, {age} old", "value": value}


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("posts", nargs="+", metavar="FILE", help="NDJSON of posts in our format")
    parser.add_argument("--params", default="3M")
    parser.add_argument("--tokens", default="1.5M", help="to train on")
    parser.add_argument("--vocab", default="4096")
    parser.add_argument("--held-out-days", default="30")
    parser.add_argument("--lessons", default="3000", help="to make")
    parser.add_argument("--drills", default="0", help="quick ones, to make besides")
    parser.add_argument("--epochs", default="3", help="of lessons")
    parser.add_argument("--replies", type=int, default=150, help="to ask for")
    parser.add_argument("--weeks", type=int, default=0, help="releases after the first")
    parser.add_argument("--keep", metavar="DIR", help="keep all files here, and take up what is there")
    parser.add_argument("--json", action="store_true")
    return parser


if __name__ == "__main__":
    main()
