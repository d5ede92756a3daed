"""Follows a faulty fake Jetstream and restarts in between: nothing may be lost, doubled or out of order.

    python -m benchmarks.resume --runs 1000

Each run has a platform of its own, whose connections are cut in mid-frame, repeat, reorder, begin earlier
than asked, send nonsense, or refuse; and four times the follower ends, in order or (`--kill`) by kill -9, and
a new one goes on. In the end the archive is compared with what happened, account by account.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from benchmarks.report import show
from hubbub.posts import AccountEvent, ConsentEvent, Deletion, Edit, Event, Post
from hubbub.stream import follow, open_archive
from hubbub.stream.decode.bluesky_record import PROFILE
from hubbub.stream.decode.jetstream import decode_jetstream
from hubbub.stream.live import open_live
from hubbub.units import now_us
from tests.platforms.jetstream import FakeJetstream, Faults

T = TypeVar("T")
PARTS = 4
"""So many followers, one after the other, before the last one."""
WAIT_S = 300.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--events", type=int, default=400, help="events on the platform in each run")
    parser.add_argument("--kill", action="store_true", help="kill -9 instead of stopping in order; slower")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--follow", nargs=2, metavar=("URL", "DIRECTORY"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.follow:
        follow_until(options.follow[0], Path(options.follow[1]), threading.Event())
    totals: Counter[str] = Counter(runs=options.runs)
    for number in range(options.runs):
        seed = options.seed * 100_003 + number
        found = run(seed, options.events, is_killing=options.kill)
        totals.update(found)
        if found["lost"] or found["doubled"] or found["authors out of order"]:
            print(f"seed {seed}: {dict(found)}", file=sys.stderr)
    names = ("runs", "events", "connections", "followers", "lost", "doubled", "authors out of order")
    bars = {"lost": "0", "doubled": "0", "authors out of order": "0", "runs": "1,000"}
    show([{"what": n, "number": totals[n], "bar": bars.get(n, "")} for n in names], options.json)


def run(seed: int, num_events: int, *, is_killing: bool = False) -> Counter[str]:
    """Let one platform be followed with faults and restarts, and count what is wrong."""
    chance = random.Random(seed)
    directory = Path(tempfile.mkdtemp(prefix="hubbub-resume-"))
    tick_us = chance.choice((1000, 100_000))
    try:
        with FakeJetstream(seed=seed, tick_us=tick_us, start_us=now_us()) as fake:
            is_v2 = chance.random() < 0.3
            fake.plan.extend(_faults(chance, num_events, is_v2) for _ in range(chance.randrange(1, 7)))
            url = f"{fake.v2_url if is_v2 else fake.url}#wait=0.01"
            story = Story(fake, chance)
            for _ in range(PARTS):
                with _following(url, directory, is_killing):
                    story.begin()
                    story.go_on(num_events // PARTS)
                    time.sleep(chance.choice((0, 0.01, 0.05)))
                story.go_on(chance.choice((0, 5)))
            fake.plan.clear()
            with _following(url, directory, is_killing):
                story.end(directory)
            return _compare(fake, is_v2, directory)
    finally:
        shutil.rmtree(directory)


def _faults(chance: random.Random, num_events: int, is_v2: bool) -> Faults:
    faults = Faults(
        duplicate=chance.choice((0, 0, 0.05)),
        reorder=chance.choice((0, 0, 0 if is_v2 else 0.1)),
        garbage=chance.choice((0, 0, 0.05)),
        rewind=chance.choice((0, 0, 30)),
    )
    kind = chance.randrange(4)
    if kind == 0:
        faults.refuse = (503, {"error": "busy"})
    elif kind == 1 and is_v2:
        faults.error_after = chance.randrange(num_events)
    else:
        faults.cut_after = chance.randrange(num_events)
    return faults


class Story:
    """What people do on the platform: post, edit, delete, come and go, withdraw consent."""

    def __init__(self, fake: FakeJetstream, chance: random.Random) -> None:
        self._fake, self._chance = fake, chance
        self._keys: list[tuple[str, str]] = []
        self._states: dict[str, int] = {}
        self._num_seen = 0
        self._number = 0

    def begin(self) -> None:
        """Wait for the first follower: what happened before need not be known. Mostly for others too."""
        _wait(lambda: any(peer.is_open for peer in self._fake.seen))
        if self._chance.random() < 0.8:
            _wait(lambda: len(self._fake.seen) > self._num_seen)
        self._num_seen = len(self._fake.seen)

    def go_on(self, number: int) -> None:
        """Let so many things happen."""
        for _ in range(number):
            self._number += 1
            self._happen()

    def end(self, directory: Path) -> None:
        """Let a last post be made and wait until it is archived."""
        self._number += 1
        key = f"last{self._number}"
        self._fake.post("did:plc:last", key, "the end")
        with open_archive(directory / "archive", "r") as archive:
            after = 0

            def has_ended() -> bool:
                nonlocal after
                for seq, event in archive.read(after=after):
                    after = seq
                    if isinstance(event, Post) and event.id.endswith(key):
                        return True
                return False

            _wait(has_ended)

    def _happen(self) -> None:
        chance, fake = self._chance, self._fake
        did = f"did:plc:a{chance.randrange(7)}"
        kind = chance.random()
        if kind < 0.6 or not self._keys:
            self._keys.append((did, f"k{self._number}"))
            fake.post(did, f"k{self._number}", f"words {self._number}")
        elif kind < 0.75:
            fake.post(*chance.choice(self._keys), f"other words {self._number}", "update")
        elif kind < 0.9:
            fake.delete(*self._keys.pop(chance.randrange(len(self._keys))))
        elif kind < 0.95:
            changes = [(True,), (False, "suspended"), (False, "deleted")]
            fake.account(did, *self._change(f"account {did}", changes))
        else:
            profiles = [{}, {"labels": {"values": [{"val": "!no-unauthenticated"}]}}]
            fake.commit(did, PROFILE, "self", "update", self._change(f"profile {did}", profiles))

    def _change(self, what: str, states: list[T]) -> T:
        """Choose a new state: the same one again would say nothing."""
        others = [place for place in range(len(states)) if place != self._states.get(what)]
        self._states[what] = self._chance.choice(others)
        return states[self._states[what]]


def follow_until(url: str, directory: Path, stop: threading.Event) -> None:
    """Follow until stopped or killed."""
    with open_archive(directory / "archive") as archive:
        follow(open_live(url, directory / "state"), archive, stop=stop)


@contextmanager
def _following(url: str, directory: Path, is_killing: bool) -> Iterator[None]:
    if is_killing:
        command = [sys.executable, "-m", "benchmarks.resume", "--follow", url, str(directory)]
        process = subprocess.Popen(command)
        try:
            _wait(lambda: (directory / "archive").is_dir())
            yield
        finally:
            process.kill()
            process.wait()
        return
    stop = threading.Event()
    thread = threading.Thread(target=follow_until, args=(url, directory, stop))
    thread.start()
    try:
        _wait(lambda: (directory / "archive").is_dir())
        yield
    finally:
        stop.set()
        thread.join()


def _compare(fake: FakeJetstream, is_v2: bool, directory: Path) -> Counter[str]:
    happened: list[Event] = []
    for entry in fake.log:
        happened += map(_timeless, decode_jetstream(entry.v2 if is_v2 else entry.v1, 0))
    with open_archive(directory / "archive", "r") as archive:
        kept = [_timeless(event) for _, event in archive.read()]
    wanted, found = Counter(happened), Counter(kept)
    should, is_there = _by_author(happened), _by_author(dict.fromkeys(kept) if found - wanted else kept)
    return Counter(
        {
            "events": len(happened),
            "connections": len(fake.seen),
            "followers": PARTS + 1,
            "lost": (wanted - found).total(),
            "doubled": (found - wanted).total(),
            "authors out of order": sum(
                events != is_there[author] for author, events in should.items() if wanted == found
            ),
        }
    )


def _by_author(events: Iterable[Event]) -> dict[str, list[Event]]:
    by_author: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        by_author[(event.post if isinstance(event, Edit) else event).author or ""].append(event)
    return by_author


def _timeless(event: Event) -> Event:
    if isinstance(event, Edit):
        return msgspec.structs.replace(event, post=_timeless(event.post))
    if isinstance(event, Post):
        return msgspec.structs.replace(event, received_us=0, claimed_us=0)
    assert isinstance(event, Deletion | AccountEvent | ConsentEvent)
    return msgspec.structs.replace(event, received_us=0)


def _wait(is_so: Callable[[], object]) -> None:
    end_s = time.monotonic() + WAIT_S
    while not is_so():
        if time.monotonic() > end_s:
            raise SystemExit("waited in vain")
        time.sleep(0.002)


if __name__ == "__main__":
    main()
