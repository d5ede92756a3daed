"""Lives of posts, accounts, questions, restarts and kills in random order, against a plain dictionary.

    python -m benchmarks.schedules --number 100000 --jobs 2

A schedule is ten to forty steps over three accounts of its own: posts, edits, deletions, account and consent
events, appended and folded apart; replays; answers read bit by bit, one in two by a model; sealing and
merging; erasing in the archive; closing and opening; and `kill -9`, as a copy of the directory at that
moment. A leak is a surface that shows what it must not show, a loss one that lacks what it must show. Several
schedules use one directory after the other. `--edge-share` of them run on the embedded engine (slices of 4
posts, rebuilt in this process), all others on the reference backend in SQLite, some ten times faster.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from benchmarks.report import cores, show
from benchmarks.schedule_world import World
from hubbub.assistant.answer import Citation
from hubbub.index import Query
from hubbub.posts import AccountEvent, AccountStatus, ConsentEvent, ConsentScope, Deletion, Edit, Event, Post

NUM_STEPS = 10, 40
PER_WORLD = {"sqlite": 25, "edge": 5}
"""Schedules on one directory, one after the other."""
START_US = 1_700_000_000_000_000
STATUSES: tuple[AccountStatus, ...] = ("removed", "suspended", "protected", "restored", "restored")
SCOPES: tuple[ConsentScope, ...] = ("index", "show", "prompt", "prompt", "corpus", "corpus")
SAID = (
    "the bridge is closed by the flood",
    "people wait at the bridge for a bus",
    "the bridge is open again",
)

Seen = tuple[Mapping[str, object], Mapping[str, object], bool]
"""What a surface shows, what it may show, and whether that is also what it must show; by any name."""


class Surface(NamedTuple):
    """One place where a post can come to light."""

    name: str
    look: Callable[[World], Iterable[Seen]]


def _fetched(world: World) -> Iterable[Seen]:
    yield world.index.fetch(world.ids), world.oracle.visible(), True


def _prompted(world: World) -> Iterable[Seen]:
    yield world.index.fetch(world.ids, for_prompt=True), world.oracle.visible(for_prompt=True), True


def _collected(world: World) -> Iterable[Seen]:
    yield world.index.fetch(world.ids, for_corpus=True), world.oracle.visible(for_corpus=True), True


def _searched(world: World) -> Iterable[Seen]:
    is_early = world.archive.last_seq % 2 == 0
    for text, for_prompt in (("bridge", is_early), ("", not is_early)):
        query = Query(text=text, authors=tuple(world.authors), limit=100, for_prompt=for_prompt)
        found = {hit.post.id: hit.post for hit in world.index.search(query)}
        yield found, world.oracle.visible(for_prompt=for_prompt), True


def _answered(world: World) -> Iterable[Seen]:
    visible, promptable = world.oracle.visible(), world.oracle.visible(for_prompt=True)
    for reader in world.readers:
        yield _standing(reader.quotes, visible)
        if reader.is_model_written:
            yield _standing(reader.cited, promptable)


def _standing(quotes: Sequence[Citation], visible: Mapping[str, Post]) -> Seen:
    shown = {f"{q.post} {q.start}": q.quote for q in quotes}
    held = {f"{q.post} {q.start}": visible[q.post].text[q.start : q.end] for q in quotes if q.post in visible}
    return shown, held, False


def _given_to_model(world: World) -> Iterable[Seen]:
    """What a model was given since the last look, which must be right after."""
    given, world.parrot.read = world.parrot.read, []
    allowed = [post.text for post in world.oracle.visible(for_prompt=True).values()] if given else []
    yield dict.fromkeys(given), {text: None for text in given if any(text in one for one in allowed)}, False


def _archived(world: World) -> Iterable[Seen]:
    if world.folded < world.archive.last_seq:
        return
    world.archive.compact(0)
    kept = dict.fromkeys(_text(event) for _, event in world.archive.read(world.first_seq))
    living = dict.fromkeys(post.text for post in world.oracle.posts.values())
    gone = world.oracle.gone_texts - living.keys()
    yield {text: None for text in kept if text in gone}, {}, False
    yield {text: None for text in living if text in kept}, living, True


def _rebuilt(world: World) -> Iterable[Seen]:
    yield world.fetch_anew(), world.oracle.visible(), True


def _text(event: Event) -> str:
    post = event.post if isinstance(event, Edit) else event
    return post.text if isinstance(post, Post) else ""


SURFACES = [
    Surface("fetch", _fetched),
    Surface("prompt", _prompted),
    Surface("corpus", _collected),
    Surface("search", _searched),
    Surface("answer", _answered),
    Surface("model", _given_to_model),
    Surface("archive", _archived),
]
"""Whatever shows posts registers here; later surfaces join by one line."""


class Tally(NamedTuple):
    """What came of some schedules."""

    counts: Counter[str]
    faults: list[str]


class Schedule:
    """One schedule, driven by its own random numbers."""

    def __init__(self, world: World, name: str, rng: random.Random, tally: Tally) -> None:
        self._world, self._name, self._rng, self._tally = world, name, rng, tally
        self._authors = (f"did:plc:{name}a", f"did:plc:{name}b", f"x://user/{name}")
        world.begin(self._authors, START_US + (world.archive.last_seq + NUM_STEPS[1]) * 10**6)

    def run(self) -> None:
        """Take the steps, then look at everything."""
        steps = (
            *[self._append] * 12,
            *[self._fold] * 6,
            self._ask,
            *[self._read_on] * 3,
            *[self._world.rebuild] * (6 if self._world.kind == "edge" else 0),
            self._world.replay,
            self._look_at_any,
        )
        rare = (self._world.restart, self._kill, self._kill, self._world.index.flush)
        num_steps = self._rng.randint(*NUM_STEPS)
        for _ in range(num_steps):
            if self._rng.random() < 0.02:
                self._rng.choice(rare)()
                rare = (self._world.restart, self._kill, self._kill, self._world.index.flush)
            else:
                self._rng.choice(steps)()
        self._world.fold()
        self._look(*SURFACES[:-1])  # erasing in the archive is dear: `look_back` does it once for all
        if self._rng.random() < 0.3:
            self._world.index.fold(self._world.archive.read(self._world.first_seq))
            self._look(SURFACES[0])
        self._tally.counts["schedules"] += 1
        self._tally.counts["steps"] += num_steps

    def look_back(self) -> None:
        """Look at what all schedules on this directory left, also in an index made from its archive again."""
        self._world.recall()
        self._look(Surface("archive", _archived), SURFACES[0], Surface("rebuilt index", _rebuilt))

    def _append(self) -> None:
        events = [self._event(number) for number in range(1, self._rng.randint(1, 3) + 1)]
        self._world.append(events)
        self._tally.counts["events"] += len(events)

    def _fold(self) -> None:
        self._world.fold(self._rng.randint(1, 6))
        self._look(*_AT_ONCE)

    def _ask(self) -> None:
        self._world.ask()
        self._tally.counts["answers"] += 1
        self._look(*_AT_ONCE)

    def _read_on(self) -> None:
        self._world.read_on()
        self._look(*_AT_ONCE)

    def _look_at_any(self) -> None:
        self._look(self._rng.choice(SURFACES))

    def _kill(self) -> None:
        self._world.kill()
        self._tally.counts["kills"] += 1
        # Before anything is folded again: an older version may be back, a post that is gone may not.
        visible = self._world.oracle.visible()
        back = self._world.index.fetch(self._world.ids).keys() - visible.keys()
        self._count("leaks", "after a kill", back)
        self._world.fold()
        costly = [surface for surface in SURFACES if surface.name in ("search", "archive")]
        left_out = self._rng.choice(costly)
        self._look(*(surface for surface in SURFACES if surface is not left_out))

    def _look(self, *surfaces: Surface) -> None:
        for surface in surfaces:
            for shown, allowed, is_whole in surface.look(self._world):
                leaks = [key for key, value in shown.items() if key not in allowed or allowed[key] != value]
                self._count("leaks", surface.name, leaks)
                if is_whole:
                    self._count("losses", surface.name, allowed.keys() - shown.keys())
                self._tally.counts["looks"] += 1

    def _count(self, what: str, where: str, keys: Iterable[str]) -> None:
        if keys := sorted(keys):
            self._tally.counts[what] += len(keys)
            self._tally.faults.append(f"{what} in {where}, schedule {self._name}: {keys[:3]}")

    def _event(self, ahead: int) -> Event:
        rng, seq = self._rng, self._world.archive.last_seq + ahead
        time_us, number, chance = START_US + seq * 10**6, rng.randrange(9), rng.random()
        if chance < 0.1:
            author = self._authors[number % 3] if rng.random() < 0.5 else None
            return Deletion(id=self._id(number), author=author, received_us=time_us)
        author = rng.choice(self._authors)
        if chance < 0.18:
            return AccountEvent(author=author, status=rng.choice(STATUSES), received_us=time_us)
        if chance < 0.3:
            allow = rng.choice((True, False, None))
            return ConsentEvent(author=author, scope=rng.choice(SCOPES), allow=allow, received_us=time_us)
        # Some edits give a new id, and some ids are told again by another author.
        post = Post(
            id=self._id(number, rng.randrange(3) if chance > 0.9 else 0),
            author=author if chance < 0.37 else self._authors[number % 3],
            text=f"{rng.choice(SAID)} only{seq}",
            received_us=time_us,
            langs=("en",),
            visibility="followers" if chance > 0.98 else "public",
        )
        self._world.ids.add(post.id)
        return post if chance < 0.75 else Edit(post=post, replaces=self._id(number))

    def _id(self, number: int, version: int = 0) -> str:
        name = f"{self._name}-{number}" + f"v{version}" * bool(version)
        return f"x://status/{name}" if number % 3 == 2 else f"at://{self._authors[number % 3]}/post/{name}"


_AT_ONCE = [surface for surface in SURFACES if surface.name in ("fetch", "answer", "model")]


def run_world(kind: str, number: int, seed: str) -> Tally:
    """Run schedules one after the other on one directory."""
    rng, tally = random.Random(seed), Tally(Counter(), [])
    room = "/dev/shm" if Path("/dev/shm").is_dir() else None
    root = Path(tempfile.mkdtemp(prefix="hubbub-schedules-", dir=room))
    try:
        world = World(kind, root, rng)
        for place in range(number):
            schedule = Schedule(world, f"{seed}n{place}", rng, tally)
            schedule.run()
        schedule.look_back()
        world.close()
    finally:
        shutil.rmtree(root, ignore_errors=True)
    tally.counts[kind] = number
    return tally


def measure(
    number: int, seed: int, edge_share: float = 0.01, jobs: int = 1, *, is_patient: bool = True
) -> Tally:
    """Run `number` schedules in `jobs` processes; unless `is_patient`, stop at the first faulty directory."""
    num_edge = round(number * edge_share)
    worlds = [
        (kind, min(PER_WORLD[kind], total - start), f"{kind}{seed}w{start}")
        for kind, total in (("edge", num_edge), ("sqlite", number - num_edge))
        for start in range(0, total, PER_WORLD[kind])
    ]
    total, said = Tally(Counter(), []), 0
    if jobs == 1:
        tallies: Iterable[Tally] = (run_world(*world) for world in worlds)
    else:
        pool = ProcessPoolExecutor(jobs, get_context("spawn"))
        tallies = pool.map(run_world, *zip(*worlds, strict=True))
    for tally in tallies:
        total.counts.update(tally.counts)
        total.faults.extend(tally.faults)
        if is_patient and total.counts["schedules"] // 1000 > said:
            said = total.counts["schedules"] // 1000
            print(f"{dict(total.counts)} {total.faults[-3:]}", file=sys.stderr, flush=True)
        if total.faults and not is_patient:
            break
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--number", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=cores())
    parser.add_argument("--edge-share", type=float, default=0.01)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    began_s = time.perf_counter()
    counts, faults = measure(args.number, args.seed, args.edge_share, args.jobs)
    wall_s = time.perf_counter() - began_s
    names = ("schedules", "edge", "steps", "events", "answers", "kills", "looks", "leaks", "losses")
    row: dict[str, object] = {name: counts[name] for name in names}
    show([{**row, "wall s": round(wall_s, 1), "schedules/s": round(args.number / wall_s, 1)}], args.json)
    for fault in faults[:20]:
        print(fault, file=sys.stderr)
    if faults:
        sys.exit(1)


if __name__ == "__main__":
    main()
