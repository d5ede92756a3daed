"""Kill -9 the whole house at any moment, also while it seals slices or compacts the archive; then count.

    python -m benchmarks.house_crash --rounds 20

Each round `hubbub serve` or `hubbub follow` takes posts, edits, deletions, account and consent events from
a growing file or a pipe, and says over HTTP how far it is; then it is killed, all of its processes at once
or only the first, at random, or when it seals or compacts. At once no post may be back whose deletion was
folded. After a restart that reads the rest, archive and index must hold exactly what a dictionary holds:
asked over HTTP, and again after both were closed and opened.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import httpx2
import msgspec

from benchmarks.index_crash import is_sealing
from benchmarks.made_events import Living, event_of
from benchmarks.report import show
from hubbub.config import Config
from hubbub.index import open_index
from hubbub.posts import Edit, Event, Post
from hubbub.server.house import Status
from hubbub.server.remote import read_address
from hubbub.stream import open_archive

SETTINGS = Config(embedder="hashed:64", slice_posts=1500, erase_s=8, flush_ms=50, port=0)
MODES = tuple((verb, source) for verb in ("serve", "follow") for source in ("file", "pipe"))
AIMS = ("any moment", "sealing", "compacting")
WRONG = ("lost", "doubled", "back", "orphans")
PATIENCE_S = 90.0
NUM_SAMPLED = 1000


class Process:
    """`hubbub` at work on a data directory, in a process group of its own, fed until it is killed."""

    def __init__(self, data: Path, verb: str, source: str, first_seq: int, rng: random.Random) -> None:
        self.data, self.source, self.rng = data, source, rng
        self.next_seq = first_seq
        self._file = data / f"from-{first_seq}.ndjson"
        self._is_over = threading.Event()
        self._feeder: threading.Thread | None = None
        self.start(verb)

    def start(self, verb: str) -> None:
        """Start it (again) over the same file or a new pipe."""
        (self.data / "address.json").unlink(missing_ok=True)
        self._file.touch()
        name = "-" if self.source == "pipe" else str(self._file)
        names = [name] if verb == "follow" else ["--port", "0", "--follow", name]
        command = [sys.executable, "-m", "hubbub.cli.main", verb, *names, "--tail", "--data", str(self.data)]
        settings = {f"HUBBUB_{key.upper()}": str(getattr(SETTINGS, key)) for key in _SET}
        with open(self.data / "said", "w") as said:
            self.popen = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if self.source == "pipe" else subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env={**os.environ, **settings},
                start_new_session=True,
            )

    def feed(self) -> None:
        """Begin to write events, in uneven bursts that also end within a line."""
        target = self.popen.stdin if self.source == "pipe" else open(self._file, "ab")
        assert target
        self._feeder = threading.Thread(target=self._feed, args=(target,))
        self._feeder.start()

    def _feed(self, target: IO[bytes]) -> None:
        with contextlib.suppress(BrokenPipeError), target:
            while not self._is_over.is_set():
                size = self.rng.choice((1, 3, 40, 300))
                seqs = range(self.next_seq, self.next_seq + size)
                data = b"".join(msgspec.json.encode(event_of(seq)) + b"\n" for seq in seqs)
                cut = self.rng.randrange(len(data))
                for part in (data[:cut], data[cut:]):
                    target.write(part)
                    target.flush()
                    time.sleep(self.rng.uniform(0, 0.03))
                self.next_seq = seqs.stop

    def kill(self, is_whole: bool) -> bool:
        """Kill -9 all processes or only the first; False if another one does not follow it."""
        (os.killpg if is_whole else os.kill)(self.popen.pid, signal.SIGKILL)
        self.popen.wait()
        self._is_over.set()
        if self._feeder:
            self._feeder.join()
        is_empty = _comes(lambda: not _is_group_alive(self.popen.pid))
        if not is_empty:
            os.killpg(self.popen.pid, signal.SIGKILL)
        return is_empty

    def end(self) -> None:
        """Ask it to leave in order."""
        self.popen.send_signal(signal.SIGINT)
        self.popen.communicate(timeout=PATIENCE_S)

    @contextlib.contextmanager
    def asked(self) -> Iterator[httpx2.Client]:
        """Reach it over HTTP once it answers."""
        _comes(lambda: read_address(self.data) is not None or self.popen.poll() is not None)
        address = read_address(self.data)
        if address is None or self.popen.poll() is not None:
            said = (self.data / "said").read_text()[-2000:]
            raise SystemExit(f"it does not answer, exit code {self.popen.returncode}; it said:\n{said}")
        with httpx2.Client(base_url=address.url, timeout=PATIENCE_S, trust_env=False) as client:
            yield client


_SET = ("embedder", "slice_posts", "erase_s", "flush_ms")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=5.0, help="longest life of a house")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = measure(options.rounds, options.seconds, options.seed)
    show(rows, options.json)
    if any(row[what] for row in rows for what in WRONG):
        sys.exit(1)


def measure(rounds: int, seconds: float, seed: int) -> list[dict[str, object]]:
    """Run the rounds on one directory; one row a way of running."""
    rng = random.Random(seed)
    counts = {mode: dict.fromkeys(("rounds", "events", *AIMS[1:], *WRONG), 0) for mode in MODES}
    with tempfile.TemporaryDirectory(prefix="hubbub-crash-", ignore_cleanup_errors=True) as name:
        living = Living()
        for number in range(rounds):
            mode = MODES[number % len(MODES)]
            run_round(Path(name), mode, AIMS[number % len(AIMS)], seconds, living, rng, counts[mode])
    return [{"run as": f"{verb} a {source}", **counts[verb, source]} for verb, source in MODES]


def run_round(
    data: Path,
    mode: tuple[str, str],
    aim: str,
    seconds: float,
    living: Living,
    rng: random.Random,
    row: dict[str, int],
) -> None:
    """Let a house live, kill it, restart it, compare."""
    began_seq = living.seq
    process = Process(data, *mode, began_seq + 1, rng)
    with process.asked() as client:
        process.feed()
        said = live(data, client, aim, time.monotonic() + rng.uniform(0.3, seconds), seconds)
    row["sealing"] += is_sealing(data / "index")
    row["compacting"] += is_compacting(data)
    row["orphans"] += not process.kill(is_whole=rng.random() < 0.7)
    gone = list(living.advance(said.index_position).gone)
    if rng.random() < 0.5:
        blame(row, "back", num_back_in_opened(data, gone), "right after the kill")
    process.start("serve")
    with process.asked() as client:
        blame(row, "back", len(fetch(client, sample(rng, gone))), "right after the restart")
        archived = status(client).last_seq if mode[1] == "pipe" else process.next_seq - 1
        blame(row, "lost", max(0, said.last_seq - archived), "acknowledged, not in the archive")
        is_done = _comes(lambda: status(client).index_position >= archived)
        blame(row, "lost", 0 if is_done else archived - status(client).index_position, "never indexed")
        compare_asked(client, living.advance(archived), rng, row)
    process.end()
    compare_opened(data, living, row)
    row["rounds"] += 1
    row["events"] += archived - began_seq


def live(data: Path, client: httpx2.Client, aim: str, end_s: float, seconds: float) -> Status:
    """Wait for the moment to kill; return what was acknowledged by then."""
    said = status(client)
    dues: dict[str, Callable[[], bool]] = {
        "any moment": lambda: True,
        "sealing": lambda: is_sealing(data / "index"),
        "compacting": lambda: is_compacting(data),
    }
    is_due = dues[aim]
    next_look_s = 0.0
    while time.monotonic() < end_s or (not is_due() and time.monotonic() < end_s + seconds):
        if time.monotonic() > next_look_s:
            said = status(client)
            next_look_s = time.monotonic() + 0.05
        time.sleep(0.0005)
    return said


def is_compacting(data: Path) -> bool:
    return any((data / "archive").glob("*.tmp"))


def status(client: httpx2.Client) -> Status:
    return msgspec.convert(client.get("/api/status").raise_for_status().json()["house"], Status)


def fetch(client: httpx2.Client, ids: list[str]) -> dict[str, Post]:
    found: dict[str, Post] = {}
    for start in range(0, len(ids), 100):
        answer = client.get("/api/posts", params={"id": ids[start : start + 100]}).raise_for_status().json()
        found.update({post["id"]: msgspec.convert(post, Post) for post in answer["posts"]})
    return found


def compare_asked(client: httpx2.Client, living: Living, rng: random.Random, row: dict[str, int]) -> None:
    """Compare samples over HTTP: fetched by id, and found by the word that only one post has."""
    visible, gone = living.visible(), living.gone
    chosen = sample(rng, list(visible))
    found = fetch(client, chosen)
    missing = [identity for identity in chosen if found.get(identity) != visible[identity]]
    blame(row, "lost", len(missing), f"by /api/posts, as {missing[:3]}")
    blame(row, "back", len(fetch(client, sample(rng, list(gone)))), "by /api/posts")
    blame(row, "doubled", max(0, status(client).num_posts - len(living.posts)), "posts by /api/status")
    for identity in chosen[:20]:
        (word,) = (word for word in visible[identity].text.split() if word.startswith("only"))
        hits = client.get("/api/search", params={"q": f'"{word}"'}).raise_for_status().json()["hits"]
        is_missing = identity not in [hit["post"]["id"] for hit in hits]
        blame(row, "lost", is_missing, f"by /api/search for {word}")
        blame(row, "doubled", max(0, len(hits) - 1), f"by /api/search for {word}")


def compare_opened(data: Path, living: Living, row: dict[str, int]) -> None:
    """Compare everything in the closed and opened archive and index."""
    with open_archive(data / "archive", "r") as archive:
        archived = list(archive.read())
    seqs = [seq for seq, _ in archived]
    # What is gone, or was edited since, may have been erased.
    other = [
        seq
        for seq, event in archived
        if event != event_of(seq) and (_is_living(event_of(seq), living) or not _is_blank(event))
    ]
    blame(row, "lost", len(other), f"other events in the archive, as {other[:3]}")
    blame(row, "lost", len(set(range(1, living.seq + 1)) - set(seqs)), "not in the archive")
    blame(row, "doubled", len(seqs) - len(set(seqs)) + (max(seqs) > living.seq), "in the archive")
    visible = living.visible()
    index = open_index(f"edge:{data / 'index'}", SETTINGS.embedder, slice_posts=SETTINGS.slice_posts)
    found = index.fetch([*visible, *living.gone])
    missing = [identity for identity, post in visible.items() if found.get(identity) != post]
    blame(row, "lost", len(missing), f"in the opened index, as {missing[:3]}")
    blame(row, "back", sum(identity in found for identity in living.gone), "in the opened index")
    blame(row, "doubled", max(0, index.stats().num_posts - len(living.posts)), "in the opened index")
    index.close()


def blame(row: dict[str, int], what: str, number: int, where: str) -> None:
    """Count violations, and say on stderr where they were seen."""
    row[what] += number
    if number:
        print(f"{what}: {number} {where}", file=sys.stderr)


def _post(event: Event) -> Post | None:
    return event.post if isinstance(event, Edit) else event if isinstance(event, Post) else None


def _is_living(event: Event, living: Living) -> bool:
    post = _post(event)
    return post is not None and living.posts.get(post.id) == post


def _is_blank(event: Event) -> bool:
    post = _post(event)
    return post is not None and not post.text


def num_back_in_opened(data: Path, gone: list[str]) -> int:
    index = open_index(f"edge:{data / 'index'}", SETTINGS.embedder, slice_posts=SETTINGS.slice_posts)
    num_back = len(index.fetch(gone))
    index.close()
    return num_back


def sample(rng: random.Random, ids: list[str]) -> list[str]:
    return rng.sample(sorted(ids), min(NUM_SAMPLED, len(ids)))


def _is_group_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _comes(is_so: Callable[[], bool]) -> bool:
    end_s = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > end_s:
            return False
        time.sleep(0.02)
    return True


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
