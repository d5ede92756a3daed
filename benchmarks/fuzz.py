"""Broken frames thrown at every decoder, and at the framing around each.

    python -m benchmarks.fuzz --seconds 600 --format all

Frames are sound shapes of each platform, broken as JSON trees (types swapped, names twice, absurd numbers,
deep nesting, half surrogates, texts of 10 MB) and as bytes (flipped, cut, spliced, no UTF-8). For each one:
no exception, less than a second of processor time, everything counted, and every event that comes out is fit
to keep. Events go into an archive, and some into an index. Faulty inputs are written to `--save`.
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.fuzz_targets import TARGETS, Target, open_target
from benchmarks.report import show
from hubbub.index import Index
from hubbub.index.embedding import open_embedder
from hubbub.index.sqlite import SqliteBackend
from hubbub.index.state import State
from hubbub.posts import Edit, Event, Post
from hubbub.stream import open_archive
from hubbub.stream.counts import Counts
from hubbub.stream.decode.cleanse import MAX_NAME_CHARS, MAX_TEXT_CHARS, MAX_TIME_US
from hubbub.stream.live.link import Disconnected

MAX_S = 1.0
"""Processor time for one input."""
_MAX_SHARE, _SPARE_BYTES = 200, 100_000
"""The events of one input are at most so many times as long as it, and this."""
_MAX_BYTES = 3 << 30
"""All the memory that the process may have: what asks for more fails."""
_FOLDED = 0.05
_RENEW_EVENTS = 20_000
"""After so many events archive and index begin anew."""


class Keeper:
    """Keeps events as the house does; raises whatever that raises."""

    def __init__(self, room: Path) -> None:
        self._room, self._number = room, 0
        self._open()

    def _open(self) -> None:
        self._num_events, self._number = 0, self._number + 1
        self._directory = self._room / str(self._number)
        self._archive = open_archive(self._directory, flush_ms=3_600_000)
        self._index = Index(SqliteBackend(None, 0), State(None), open_embedder("none"))

    def keep(self, events: Sequence[Event], is_folded: bool) -> None:
        """Append; fold what the archive then says."""
        before = self._archive.last_seq
        self._archive.append(events)
        if is_folded:
            self._index.fold(self._archive.read(before))
        self._num_events += len(events)
        if self._num_events > _RENEW_EVENTS:
            self.close()
            self._open()

    def close(self) -> None:
        """Throw everything away."""
        self._index.close()
        self._archive.close()
        shutil.rmtree(self._directory)


def complaints(event: Event) -> list[str]:
    """Say what of an event is not fit to keep."""
    found = [] if 0 <= event.received_us <= MAX_TIME_US else ["received_us"]
    fields = msgspec.structs.asdict(event)
    if isinstance(event, Edit):
        found += complaints(event.post)
    for name in ("id", "replaces", "author"):
        if (
            name in fields
            and not fields[name]
            and not (name == "author" and "id" in fields and not isinstance(event, Post))
        ):
            found.append(f"empty {name}")
    if (
        isinstance(event, Post)
        and event.claimed_us is not None
        and not 0 <= event.claimed_us <= event.received_us
    ):
        found.append("claimed_us")
    for name, value in fields.items():
        limit = MAX_TEXT_CHARS if name in ("text", "media") else 2 * MAX_NAME_CHARS
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and (
                len(text) > limit or "\0" in text or text != text.encode("utf-8", "replace").decode()
            ):
                found.append(name)
    return found


class Fuzzer:
    """Throws inputs at one target."""

    def __init__(self, target: Target, keeper: Keeper, rng: random.Random, save: Path | None) -> None:
        self._target, self._keeper, self._rng, self._save = target, keeper, rng, save
        self.numbers: Counter[str] = Counter()
        self.faults: dict[str, bytes] = {}
        self.slowest_s = 0.0

    def run(self, seconds: float) -> None:
        """Go on for so long."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self.take(self._target.make())

    def take(self, data: bytes) -> None:
        """Throw one."""
        self.numbers["inputs"] += 1
        before = _counted(self._target.counts)
        began_s = time.thread_time()
        try:
            events = self._target.take(data)
            spent_s = time.thread_time() - began_s
            self._check(data, events, spent_s)
            if (
                self._target.counts
                and data.strip()
                and not events
                and _counted(self._target.counts) == before
            ):
                self._note("nothing came out and nothing was counted", data)
            if events:
                self._keeper.keep(events, self._rng.random() < _FOLDED)
        except Disconnected:
            self.numbers["broken off"] += 1
        except Exception as error:
            places = [f for f in traceback.extract_tb(error.__traceback__) if "/hubbub/" in f.filename]
            place = f"{Path(places[-1].filename).name}:{places[-1].lineno}" if places else "?"
            self._note(f"{type(error).__name__} at {place}: {error!s:.100}", data)

    def _check(self, data: bytes, events: Sequence[Event], spent_s: float) -> None:
        self.slowest_s = max(self.slowest_s, spent_s)
        self.numbers["events"] += len(events)
        if spent_s > MAX_S:
            self._note("too slow", data)
        for event in events:
            for complaint in complaints(event):
                self._note(f"{type(event).__name__}: {complaint}", data)
        num_bytes = sum(len(msgspec.msgpack.encode(event)) for event in events)
        if num_bytes > _MAX_SHARE * len(data) + _SPARE_BYTES:
            self._note("events much longer than their line", data)

    def _note(self, fault: str, data: bytes) -> None:
        kind = fault.partition(": ")[0] if " at " in fault else fault
        known = next((name for name in self.faults if name.startswith(kind)), None)
        if known and len(self.faults[known]) <= len(data):
            return
        self.faults.pop(known or "", None)
        self.faults[fault] = data
        if self._save:
            self._save.mkdir(parents=True, exist_ok=True)
            (self._save / "".join(c if c.isalnum() else "_" for c in kind)[:80]).write_bytes(data)


def _counted(counts: Counts | None) -> int:
    return counts.num_malformed + counts.num_dropped + counts.num_duplicates if counts else 0


def fuzz(
    name: str, seconds: float, seed: int, seeds: list[bytes] | None = None, save: Path | None = None
) -> Fuzzer:
    """Fuzz one target."""
    rng = random.Random(f"{seed} {name}")
    room = Path(
        tempfile.mkdtemp(prefix="hubbub-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
    )
    target, keeper = open_target(name, rng, room, seeds or []), Keeper(room)
    fuzzer = Fuzzer(target, keeper, rng, save)
    try:
        fuzzer.run(seconds)
    finally:
        keeper.close()
        target.close()
        shutil.rmtree(room)
    return fuzzer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600, help="for each format")
    parser.add_argument("--format", default="all", choices=["all", *TARGETS])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seed-files", type=Path, nargs="*", default=[], help="recorded frames, one a line")
    parser.add_argument("--save", type=Path, help="a folder for faulty inputs")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    seeds = [line for path in args.seed_files for line in path.read_bytes().splitlines()]
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_BYTES, _MAX_BYTES))
    rows, is_faulty = [], False
    for name in TARGETS if args.format == "all" else [args.format]:
        began_s = time.process_time()
        fuzzer = fuzz(name, args.seconds, args.seed, seeds, args.save / name if args.save else None)
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        row: dict[str, object] = {
            "format": name,
            "inputs": fuzzer.numbers["inputs"],
            "events": fuzzer.numbers["events"],
        }
        row |= {"broken off": fuzzer.numbers["broken off"], "slowest ms": round(1000 * fuzzer.slowest_s)}
        row |= {
            "cpu s": round(time.process_time() - began_s),
            "peak MiB": peak_mib,
            "faults": len(fuzzer.faults),
        }
        rows.append(row)
        print(row, *fuzzer.faults, sep="\n", file=sys.stderr, flush=True)
        is_faulty |= bool(fuzzer.faults)
    show(rows, args.json)
    sys.exit(is_faulty)


if __name__ == "__main__":
    main()
