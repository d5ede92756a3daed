"""From a deletion on the platform to its absence everywhere: on the page and the API, then on the disk.

    python -m benchmarks.deletion --seconds 120
    python -m benchmarks.deletion --disk --erase-s 20 --seconds 30

Runs `hubbub serve` over a real socket on a fake Jetstream that posts and deletes at the given rates, while
questions stay open. Every probe is a post that all surfaces of `deletion_surfaces.py` show; then its author
deletes it (every fifth time: the whole account goes), and each surface is watched until it is gone. Times run
from the platform's sending: `told` to the end of the first look without the post, `asked` to its beginning,
so that whoever asks later is not shown it; writing an answer takes its time. A leak is a surface that shows
a post again, or still after `GIVE_UP_S`.

`--disk` deletes marked posts under the same load and looks for the marks in every file of the data directory,
and in the archive's events (its frames may be compressed), until they are gone.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import anyio
import anyio.to_thread
import httpx2

from benchmarks.deletion_surfaces import SURFACES, Surface, Target, read_events
from benchmarks.report import percentile, show
from hubbub.posts import Post
from hubbub.server.remote import read_address
from hubbub.stream import open_archive
from tests.platforms.jetstream import FakeJetstream

BAR_MS = 1000
SHOWN_S, GIVE_UP_S = 20.0, 5.0
"""So long a surface may take to show a post, and to lose it."""
LINGER_S = 0.5
"""So long a surface that said gone is watched for showing the post again."""
PAUSE_S, IDLE_PAUSE_S = 0.03, 0.3
"""Between looks while a change is awaited, and while none is."""
NUM_MARKS = 20
COMMAND = [sys.executable, "-m", "hubbub.cli.main"]
SAID = (
    "the ferry to the harbour is late tonight, the boat waits and all passengers are stuck on board for "
    "forty minutes."
)
WORDS = (
    "bridge market river lantern quarter rain tram bakery square harbour clock garden ferry tower mill "
    "concert bicycle library storm window museum orchard valley station coffee painter island letter school"
).split()


class Load:
    """Posts and deletions on the fake platform at given rates, from a thread."""

    def __init__(self, fake: FakeJetstream, posts_per_s: float, deletions_per_s: float) -> None:
        self._fake, self._rates = fake, (posts_per_s, deletions_per_s)
        self._rng = random.Random(7)
        self._standing: deque[tuple[str, str]] = deque(maxlen=5000)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load")
        self.num_posts = self.num_deletions = 0

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        start_s = time.monotonic()
        while not self._is_over.wait(0.01):
            passed_s = time.monotonic() - start_s
            while self.num_posts < passed_s * self._rates[0]:
                self._post()
            while self.num_deletions < passed_s * self._rates[1] and len(self._standing) > 500:
                self.num_deletions += 1
                did, key = self._standing.popleft()
                self._fake.delete(did, key)

    def _post(self) -> None:
        self.num_posts += 1
        did, key = f"did:plc:load{self._rng.randrange(2000)}", f"k{self.num_posts}"
        text = " ".join(self._rng.choices(WORDS, k=12)) + f" number {self.num_posts}"
        self._fake.post(did, key, text, langs=["en"])
        if self._rng.random() < 0.5:
            self._standing.append((did, key))


@contextlib.contextmanager
def serving(data: Path, fake: FakeJetstream, erase_s: float | None = None) -> Iterator[str]:
    """Run `hubbub serve` on the fake platform; yields its address."""
    environment = {**os.environ, **({"HUBBUB_ERASE_S": f"{erase_s:g}"} if erase_s else {})}
    command = [*COMMAND, "serve", "--port", "0", "--data", str(data), "--follow", fake.url]
    server = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while (address := read_address(data)) is None or not fake.seen:
            if server.poll() is not None:
                raise SystemExit(f"`hubbub serve` ended with exit code {server.returncode}")
            time.sleep(0.02)
        yield address.url
    finally:
        server.terminate()
        server.wait()


class Sight:
    """What one surface showed of one post; times in monotonic seconds."""

    def __init__(self) -> None:
        self.was_seen = False
        self.gone_s: float | None = None
        """When a look that showed nothing came back."""
        self.asked_s: float | None = None
        """When that look was begun."""
        self.num_back = 0
        self._deleted_s: float | None = None
        self._begun = anyio.Event()

    def note(self, is_shown: bool, began_s: float | None = None) -> None:
        """Take in a look, and when it was begun if it had to be asked for."""
        self.was_seen |= is_shown
        if self._deleted_s is None:
            return
        if not is_shown and self.gone_s is None:
            self.gone_s = time.monotonic()
            self.asked_s = max(self._deleted_s, self.gone_s if began_s is None else began_s)
        self.num_back += is_shown and self.gone_s is not None

    async def pause(self) -> None:
        """Wait until it is worth looking again; not longer than for the deletion."""
        is_idle = self.was_seen and self._deleted_s is None
        with anyio.move_on_after(IDLE_PAUSE_S if is_idle else PAUSE_S):
            await self._begun.wait()
            await anyio.sleep(PAUSE_S)

    def begin(self, deleted_s: float) -> None:
        """Count from here."""
        self._deleted_s = deleted_s
        self._begun.set()


class Probes:
    """Lets posts appear on every surface and die, one after the other."""

    def __init__(self, fake: FakeJetstream, url: str, options: argparse.Namespace) -> None:
        self._fake, self._url, self._options = fake, url, options
        self._times_ms: dict[str, list[float]] = defaultdict(list)
        self._asked_ms: dict[str, list[float]] = defaultdict(list)
        self._leaks: dict[str, int] = defaultdict(int)
        self._unseen: dict[str, int] = defaultdict(int)
        self._number = 0
        self.num_struck = 0
        """Retractions in the other open answers."""

    async def run(self) -> None:
        """Probe for as long as asked, with other answers open."""
        async with self._client() as client, anyio.create_task_group() as group:
            for number in range(self._options.open):
                group.start_soon(self._keep_open, client, number)
            end_s = time.monotonic() + self._options.seconds
            while time.monotonic() < end_s:
                self._number += 1
                await self._probe(client, self._number)
            group.cancel_scope.cancel()

    async def _keep_open(self, client: httpx2.AsyncClient, number: int) -> None:
        """Ask about what the load is about, read on for a while, ask again."""
        while True:
            params = {"q": f"What about the {WORDS[number]} and the {random.choice(WORDS)}?"}
            with anyio.move_on_after(20):
                async with client.stream("GET", "/api/ask", params=params) as response:
                    async for kind, _ in read_events(response):
                        self.num_struck += kind in ("retraction", "gone")
            await anyio.sleep(1)

    async def _probe(self, client: httpx2.AsyncClient, number: int) -> None:
        author, key = f"did:plc:probe{number}x{os.getpid()}", f"p{number}"
        word, seal = f"zubrin{number}q{os.getpid()}", f"seal{number}w{random.randrange(1 << 40):010x}"
        target = Target(f"at://{author}/app.bsky.feed.post/{key}", author, word, seal)
        sights = {surface.name: Sight() for surface in SURFACES}
        async with anyio.create_task_group() as group:

            async def open_all(is_wanted: Callable[[Surface], bool]) -> None:
                opened = [surface for surface in SURFACES if is_wanted(surface)]
                for surface in opened:
                    group.start_soon(surface.watch, client, target, sights[surface.name])
                await _until(lambda: all(sights[s.name].was_seen or s.is_rare for s in opened), SHOWN_S)

            self._fake.post(author, key, f"{word} {seal}: {SAID}", langs=["en"])
            await open_all(lambda surface: not surface.needs_post)
            await open_all(lambda surface: surface.needs_post and not surface.is_last)
            await open_all(lambda surface: surface.is_last)
            deleted_s = time.monotonic()
            for sight in sights.values():
                sight.begin(deleted_s)
            if number % 5:
                self._fake.delete(author, key)
            else:
                self._fake.account(author, False, "deleted")
            await _until(lambda: all(s.gone_s is not None for s in sights.values() if s.was_seen))
            await anyio.sleep(LINGER_S)
            group.cancel_scope.cancel()
        self._take(sights, deleted_s)

    def _take(self, sights: dict[str, Sight], deleted_s: float) -> None:
        rare = {surface.name for surface in SURFACES if surface.is_rare}
        for name, sight in sights.items():
            if not sight.was_seen:
                self._unseen[name] += name not in rare
                continue
            self._leaks[name] += sight.num_back + (sight.gone_s is None)
            if sight.gone_s is not None and sight.asked_s is not None:
                self._times_ms[name].append((sight.gone_s - deleted_s) * 1000)
                self._asked_ms[name].append((sight.asked_s - deleted_s) * 1000)

    @contextlib.asynccontextmanager
    async def _client(self) -> AsyncIterator[httpx2.AsyncClient]:
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=2)
        async with httpx2.AsyncClient(
            base_url=self._url, timeout=30, limits=limits, trust_env=False
        ) as client:
            yield client

    def rows(self) -> list[dict[str, object]]:
        """One row a surface, and one over all."""
        names = [surface.name for surface in SURFACES]
        asked, told = (
            {**times, "all": [time_ms for name in names for time_ms in times[name]]}
            for times in (self._asked_ms, self._times_ms)
        )
        return [
            {
                "surface": name,
                "number": len(told.get(name, [])),
                **_percentiles("asked", asked.get(name, [])),
                **_percentiles("told", told.get(name, [])),
                "bar ms": BAR_MS,
                "leaks": sum(self._leaks.values()) if name == "all" else self._leaks[name],
                "not shown before": sum(self._unseen.values()) if name == "all" else self._unseen[name],
            }
            for name in (*names, "all")
        ]


def _percentiles(what: str, times_ms: list[float]) -> dict[str, object]:
    return {f"{what} p{p}": round(percentile(times_ms, p)) if times_ms else "-" for p in (50, 95, 99)}


async def _until(is_so: Callable[[], bool], patience_s: float = GIVE_UP_S) -> None:
    with anyio.move_on_after(patience_s):
        while not is_so():
            await anyio.sleep(PAUSE_S / 4)


def measure_surfaces(options: argparse.Namespace) -> list[dict[str, object]]:
    """Time how soon deletions reach every surface."""
    with tempfile.TemporaryDirectory() as directory, FakeJetstream() as fake:
        with serving(Path(directory) / "data", fake) as url:
            probes = Probes(fake, url, options)
            with Load(fake, options.rate, options.deletions) as load:
                time.sleep(options.warm_up)
                anyio.run(probes.run)
            rows = probes.rows()
            _tell_server(url, read_address(Path(directory) / "data").pid)
            print(
                f"{load.num_posts:,} posts, {load.num_deletions:,} deletions beside the probes; "
                f"{probes.num_struck:,} retractions in {options.open} other open answers",
                file=sys.stderr,
            )
            return rows


def _tell_server(url: str, pid: int) -> None:
    """Print how the server fared, by its own receipts and by the system's clock."""
    run_s, wait_s = _schedule(pid)
    print(
        f"the server's threads ran {run_s:.0f} s and waited {wait_s:.0f} s for a processor", file=sys.stderr
    )
    try:
        params = {"limit": "1000"}
        told = httpx2.get(url + "/api/deletions", params=params, trust_env=False).json()["summary"]
    except httpx2.HTTPError as error:
        print(f"its receipts could not be read: {error!r}", file=sys.stderr)
        return
    print(
        f"by its receipts, the last {told['num_receipts']:,}: received to gone p50 "
        f"{told['gone_p50_ms']:.0f} ms, p99 {told['gone_p99_ms']:.0f} ms",
        file=sys.stderr,
    )


def _schedule(pid: int) -> tuple[float, float]:
    """Return for how long the threads of a process ran, and waited to run since others did."""
    stats = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(int(stat[0]) for stat in stats) / 1e9, sum(int(stat[1]) for stat in stats) / 1e9


def measure_disk(options: argparse.Namespace) -> list[dict[str, object]]:
    """Time how soon deleted texts leave each kind of file."""
    with tempfile.TemporaryDirectory() as directory, FakeJetstream() as fake:
        data = Path(directory) / "data"
        with serving(data, fake, options.erase_s), Load(fake, options.rate, options.deletions):
            marks = {f"mark{number}w{random.randrange(1 << 60):015x}": number for number in range(NUM_MARKS)}
            for mark, number in marks.items():
                fake.post(
                    f"did:plc:marked{number}", "m", f"{mark} is what I should not have said", langs=["en"]
                )
                time.sleep(options.seconds / NUM_MARKS)
            time.sleep(options.warm_up)
            num_before = defaultdict(set)
            for place, mark in look_for(marks, data):
                num_before[place].add(mark)
            start_s = time.monotonic()
            for number in marks.values():
                fake.delete(f"did:plc:marked{number}", "m")
            gone_s = _watch_disk(marks, data, start_s, options.erase_s * 3)
            print(_summary(data, options.erase_s), file=sys.stderr)
    return [
        {
            "place": place,
            "marks before": len(num_before[place]),
            "gone after s": "never" if gone_s.get(place, 0) < 0 else round(gone_s.get(place, 0.0), 1),
            "deadline s": options.erase_s,
        }
        for place in sorted(num_before.keys() | gone_s.keys())
    ]


def _watch_disk(marks: dict[str, int], data: Path, start_s: float, patience_s: float) -> dict[str, float]:
    """Return when each kind of place had its last mark; -1 where it has some still."""
    last_s: dict[str, float] = {}
    found: set[str] = set()
    while time.monotonic() - start_s < patience_s:
        found = {place for place, _ in look_for(marks, data)}
        looked_s = time.monotonic() - start_s
        last_s |= dict.fromkeys(found, looked_s)
        if not found:
            break
        time.sleep(0.25)
    return {place: -1.0 if place in found else at_s for place, at_s in last_s.items()}


def look_for(marks: dict[str, int], data: Path) -> Iterator[tuple[str, str]]:
    """Yield (kind of place, mark) for every mark that is anywhere in a file or in the archive's events."""
    needles = {mark.encode(): mark for mark in marks}
    paths = [Path(parent, name) for parent, _, names in os.walk(data) for name in names]
    for path in paths:  # some go while we look
        with contextlib.suppress(OSError):
            text = path.read_bytes()
            if b"mark" in text:
                yield from (
                    (_kind_of(path.relative_to(data)), m) for needle, m in needles.items() if needle in text
                )
    with open_archive(data / "archive", "r") as archive:
        for _, event in archive.read():
            if isinstance(event, Post) and event.text.split(" ")[0] in marks:
                yield "archive, events", event.text.split()[0]


def _kind_of(path: Path) -> str:
    if path.parts[0] != "index":
        return f"{path.parts[0]}, *{path.suffix}"
    if "wal" in path.parts:
        return "index, write-ahead log"
    return "index, segments" if "segments" in path.parts else f"index, {path.name}"


def _summary(data: Path, erase_s: float) -> str:
    """Return what `hubbub deletions` says in its last line."""
    command = [*COMMAND, "deletions", "--limit", "1", "--data", str(data)]
    environment = {**os.environ, "HUBBUB_ERASE_S": f"{erase_s:g}"}
    printed = subprocess.run(command, capture_output=True, text=True, env=environment).stdout
    return printed.strip().splitlines()[-1]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--rate", type=float, default=500.0, help="posts a second beside the probes")
    parser.add_argument("--deletions", type=float, default=50.0, help="deletions a second beside the probes")
    parser.add_argument("--open", type=int, default=8, help="other answers that stay open")
    parser.add_argument("--warm-up", type=float, default=10.0, metavar="SECONDS")
    parser.add_argument("--disk", action="store_true", help="time the files instead")
    parser.add_argument("--erase-s", type=float, default=20.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = measure_disk(options) if options.disk else measure_surfaces(options)
    show(rows, options.json)
    if any(row.get("leaks") or row.get("gone after s") == "never" for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
