"""How many posts a second go the whole path of `hubbub follow`: decode, archive, embed, index, two processes.

    python -m benchmarks.ingest --posts ../shared/data/posts/*.ndjson.gz --number 200000

The clock runs from the command's start to its end: every post is archived, flushed and searchable then.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.made_posts import make_posts, read_posts, write_posts
from benchmarks.report import show


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--posts", nargs="+", required=True, metavar="FILE", help="NDJSON of real posts")
    parser.add_argument("--number", type=int, default=200_000)
    parser.add_argument("--index", default="edge")
    parser.add_argument("--embedder", default="static")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory) / "made.ndjson")
        write_posts(
            path,
            make_posts(
                read_posts(options.posts), options.number, start_us=1_700_000_000_000_000, posts_per_s=5800
            ),
        )
        show([measure(path, directory, options)], options.json)


def measure(path: str, directory: str, options: argparse.Namespace) -> dict[str, object]:
    """Run `hubbub follow` once and time it."""
    data = str(Path(directory) / "data")
    environment = {**os.environ, "HUBBUB_INDEX": options.index, "HUBBUB_EMBEDDER": options.embedder}
    command = [sys.executable, "-m", "hubbub.cli.main"]
    start_s = time.monotonic()
    done = subprocess.run(
        [*command, "follow", path, "--data", data, "--json"], env=environment, check=True, capture_output=True
    )
    wall_s = time.monotonic() - start_s
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    shown = subprocess.run(
        [*command, "index", "show", "--data", data, "--json"],
        env=environment,
        check=True,
        capture_output=True,
    )
    num_indexed = json.loads(shown.stdout)["num_posts"]
    if num_indexed != options.number or json.loads(done.stdout)["num_events"] != options.number:
        raise SystemExit(f"{num_indexed} posts are searchable, not {options.number}: {done.stderr.decode()}")
    return {
        "posts": options.number,
        "seconds": wall_s,
        "posts/s": round(options.number / wall_s),
        "CPU us/post": (used.ru_utime + used.ru_stime) / options.number * 1e6,
        "peak MiB": round(used.ru_maxrss / 1024),
        "bar posts/s": 5800,
    }


if __name__ == "__main__":
    main()
