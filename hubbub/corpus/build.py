"""Builds a corpus from the events of an archive: fold, cleaning, duplicates, threads, tokenizer, shards.

Work lies in `DIR.work` beside the corpus: every step leaves whole files there, so that a build that was
killed goes on, to the same bytes; at the end it is removed, since it holds text. Steps: the events are
scattered into buckets by author (once); runs of buckets are cleaned (anywhere, in any order); duplicates meet
in buckets of their hashes; threads meet in buckets of their roots, whose order is that of the documents.
"""

from __future__ import annotations

import gc
import math
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from hashlib import blake2b
from itertools import chain, islice, tee
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import msgspec
import numpy as np
from numpy.typing import NDArray

from hubbub.corpus.clean import RUN_POSTS, clean_run, plan_runs
from hubbub.corpus.document import Document
from hubbub.corpus.duplicates import I64
from hubbub.corpus.fold import Scattered, scatter
from hubbub.corpus.manifest import About, Manifest
from hubbub.corpus.run import Clean, Run
from hubbub.corpus.settings import CorpusSettings
from hubbub.corpus.shards import nothing_left, write_shards
from hubbub.corpus.spill import BUCKETS
from hubbub.corpus.state import locked
from hubbub.corpus.threads import assemble
from hubbub.corpus.tokenizer import Tokenizer, load_tokenizer, train_tokenizer
from hubbub.corpus.verdicts import KEPT, decide, find_cut
from hubbub.disk import refusals
from hubbub.errors import InvalidInput
from hubbub.posts import Deletion, Edit, Event

CONSENT_POLICY = (
    "Only public posts of authors who expressly allow their use in corpora, as of the archive position; "
    "silence is a refusal. Never posts of X. Left out: deleted posts, versions that an edit replaced, posts "
    "of authors who are removed, suspended, protected or blocked."
)
Tell = Callable[[str], None]
_WORK_FORMAT = "4-"
"""Work that was left behind in another form is thrown away."""
_KNOWN_BY = 1000
"""An archive is known by so many first events: a reading of all would take as long as folding them."""


class BuildReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a build read, dropped and wrote."""

    manifest: Manifest
    num_events: int
    num_posts: int
    """Posts and edits in the archive."""
    num_kept: int
    num_documents: int
    dropped: dict[str, int]
    seconds: dict[str, float]
    """By step, of this call; steps that were done before are missing."""


class _Plan(msgspec.Struct, frozen=True):
    """What the first step settles for all others."""

    digest: str
    scattered: Scattered
    runs: list[tuple[int, int]]
    """First and last bucket of each, the last not included."""
    num_known: int = 0
    known_by: str = ""
    """What the first `num_known` events are known by."""


def build_corpus(
    events: Iterable[tuple[int, Event]],
    directory: Path | str,
    settings: CorpusSettings | None = None,
    *,
    processes: int = 1,
    run_posts: int = RUN_POSTS,
    tell: Tell | None = None,
) -> BuildReport:
    """Build the corpus in `directory`, or finish a build: of a call that was killed, or of `build_part`.

    `events` are all events of an archive, in order; a build that goes on reads the first only. `run_posts`
    bounds the memory of a process: so many posts are cleaned at a time (25,000: some 200 MB). Neither it nor
    `processes` changes a byte of the corpus.

    Raises:
        Corruption: work that a build left behind is damaged; the message says what to delete.
        InUse: another process builds it.
        InvalidInput: not one post is left; or the build that was left behind is of another archive.
        MissingExtra: a package for the tokenizer is not installed.
        StorageError: the disk refused.
    """
    settings, clock = settings or CorpusSettings(), _Clock(tell)
    root, work = Path(directory), _make_work(directory)
    with locked(work, "merge", wait_s=0.0), _map_function(processes) as run_map, _without_cycles():
        plan = _scatter_once(events, work, settings, run_posts, clock)
        num_runs = len(plan.runs)
        clock.start("clean", f"{plan.scattered.num_posts:,} posts in {num_runs} runs")
        clean = partial(_clean_once, work, settings, plan.runs, run_posts)
        for done, _ in enumerate(run_map(clean, range(num_runs)), 1):
            clock.tell(f"clean: {done:,} of {num_runs:,} runs")
        clock.start("duplicates")
        verdicts, dropped = decide(work, num_runs, settings, run_map)
        for reasons in (plan.scattered.dropped, *(Run(work, n).report.dropped for n in range(num_runs))):
            dropped.update(reasons)
        manifest = _write(root, work, settings, plan.scattered, verdicts, dropped, clock)
        clock.stop()
    return BuildReport(
        manifest=manifest,
        num_events=plan.scattered.num_events,
        num_posts=plan.scattered.num_posts,
        num_kept=manifest.num_posts,
        num_documents=manifest.num_documents,
        dropped=dict(dropped.most_common()),
        seconds=clock.seconds,
    )


def _write(
    root: Path,
    work: Path,
    settings: CorpusSettings,
    scattered: Scattered,
    verdicts: list[NDArray[np.uint8]],
    dropped: Counter[str],
    clock: _Clock,
) -> Manifest:
    """Put the kept posts into documents and the documents into shards; the work is done with then."""
    cut_us = settings.held_out_from_us
    if cut_us is None:
        cut_us = find_cut(work, verdicts, settings.held_out_share)
    about = partial(_about, scattered, dropped, cut_us, settings)
    # What the tokenizer looks at (4 MB of text) waits in memory, rather than being put together twice.
    documents, sample, first = tee(_documents(work, verdicts, cut_us, settings.document_chars, dropped), 3)
    if next(first, None) is None:
        shutil.rmtree(work, ignore_errors=True)
        raise nothing_left(root, about())
    clock.start("tokenizer")
    tokenizer = _open_tokenizer(settings, sample)
    del first, sample
    clock.start("shards")
    manifest = write_shards(
        documents, root, tokenizer, about=about, shard_tokens=settings.shard_tokens, tell=clock.tell
    )
    shutil.rmtree(work, ignore_errors=True)
    return manifest


def build_part(
    events: Iterable[tuple[int, Event]],
    directory: Path | str,
    settings: CorpusSettings | None = None,
    *,
    part: int,
    parts: int,
    run_posts: int = RUN_POSTS,
    tell: Tell | None = None,
) -> int:
    """Do one of `parts` shares (1, 2, ...) of the cleaning, the bulk of a build; return its number of runs.

    For tasks of Slurm, Ray or a fleet on a shared file system. The first to come reads `events`, the others
    wait for it; when all have ended, `build_corpus` with the same settings finishes.

    Raises:
        InvalidInput: there is no such part; or the others' work is of another archive.
        StorageError: the disk refused.
    """
    settings, clock = settings or CorpusSettings(), _Clock(tell)
    if not 1 <= part <= parts:
        raise InvalidInput(f"part {part} of {parts}; parts are numbered from 1: 1/{parts} to {parts}/{parts}")
    work = _make_work(directory)
    plan = _scatter_once(events, work, settings, run_posts, clock)
    mine = range(len(plan.runs))[part - 1 :: parts]
    clock.start("clean", f"{len(mine)} runs of part {part}/{parts}")
    for number in mine:
        _clean_once(work, settings, plan.runs, run_posts, number)
    clock.stop()
    return len(mine)


def work_directory(directory: Path | str) -> Path:
    """Name the directory where a build of a corpus keeps its work, text included, until it ends."""
    root = Path(directory).absolute()
    return root.with_name(root.name + ".work")


def _make_work(directory: Path | str) -> Path:
    work = work_directory(directory)
    with refusals("make the work directory", work):
        work.mkdir(parents=True, exist_ok=True)
    return work


class _Clock:
    """Says what is being done, and keeps how long it took."""

    def __init__(self, tell: Tell | None) -> None:
        self.seconds: dict[str, float] = {}
        self.tell: Tell = tell or (lambda text: None)
        self._step, self._since = "", 0.0

    def start(self, step: str, detail: str = "") -> None:
        self.stop()
        self._step, self._since = step, perf_counter()
        self.tell(f"{step}: {detail}" if detail else step)

    def stop(self) -> None:
        if self._step:
            self.seconds[self._step] = round(perf_counter() - self._since, 3)
        self._step = ""


def _scatter_once(
    events: Iterable[tuple[int, Event]],
    work: Path,
    settings: CorpusSettings,
    run_posts: int,
    clock: _Clock,
) -> _Plan:
    """Scatter the events unless that is done; work for other settings is thrown away, of others refused."""
    path, events = work / "plan.json", iter(events)
    with locked(work, "scatter", wait_s=math.inf):
        if path.exists():
            plan = msgspec.json.decode(path.read_bytes(), type=_Plan)
            if plan.digest == _WORK_FORMAT + settings.digest:
                if _known_by(islice(events, plan.num_known)) != plan.known_by:
                    raise InvalidInput(
                        f"the work in {str(work)!r} is of another archive, whose first events differ; "
                        "finish with that archive, or delete the directory to begin with this one"
                    )
                return plan
        with refusals("clear the work directory", work):
            for old in work.iterdir():
                if old.suffix != ".lock":
                    old.unlink()
        clock.start("fold")
        first = list(islice(events, _KNOWN_BY))
        scattered = scatter(chain(first, events), work)
        runs = plan_runs(work, run_posts)
        plan = _Plan(_WORK_FORMAT + settings.digest, scattered, runs, len(first), _known_by(first))
        with refusals("write the work file", path):
            path.with_suffix(".new").write_bytes(msgspec.json.encode(plan))
            path.with_suffix(".new").rename(path)
        return plan


def _known_by(events: Iterable[tuple[int, Event]]) -> str:
    """Shorten to 16 hex digits what erasing leaves of events: number, time, and whom they are of."""
    hasher = blake2b(digest_size=8)
    for seq, event in events:
        said = event.post if isinstance(event, Edit) else event
        whom = said.id if isinstance(said, Deletion) else said.author
        hasher.update(f"{seq} {said.received_us} {whom}\n".encode())
    return hasher.hexdigest()


def _clean_once(
    work: Path, settings: CorpusSettings, runs: list[tuple[int, int]], run_posts: int, number: int
) -> None:
    """Clean a run unless that is done, or another process is at it: then wait for that one."""
    run = Run(work, number)
    if not run.is_done:
        with locked(work, run.path("lock").stem, wait_s=math.inf):
            if not run.is_done:
                clean_run(work, number, range(*runs[number]), settings, run_posts)


def _documents(
    work: Path, verdicts: list[NDArray[np.uint8]], cut_us: int, document_chars: int, dropped: Counter[str]
) -> Iterator[Document]:
    runs = [(Run(work, number), part.data) for number, part in enumerate(verdicts)]
    for bucket in range(BUCKETS):
        posts = chain.from_iterable(_kept(run, part, bucket) for run, part in runs)
        yield from assemble(posts, cut_us, document_chars, dropped)


def _kept(run: Run, verdicts: memoryview, bucket: int) -> list[Clean]:
    return [post for post in run.posts.read(bucket) if verdicts[post.row] == KEPT]


def _open_tokenizer(settings: CorpusSettings, documents: Iterable[Document]) -> Tokenizer:
    if settings.tokenizer:
        return load_tokenizer(settings.tokenizer)
    known = (document for document in documents if not document.is_held_out)
    return train_tokenizer((piece.text for each in known for piece in each.pieces), settings.vocab_size)


def _about(scattered: Scattered, dropped: Counter[str], cut_us: int, settings: CorpusSettings) -> About:
    """Describe the build; evaluation texts and blocked authors are only counted."""
    fields = msgspec.structs.asdict(settings)
    chosen = {key: len(value) if key in ("evaluation", "blocked") else value for key, value in fields.items()}
    return About(
        archive_position=scattered.position,
        num_events=scattered.num_events,
        num_posts=scattered.num_posts,
        dropped={reason: num for reason, num in sorted(dropped.items()) if num},
        duplicates={kind: dropped[f"{kind} duplicate"] for kind in ("exact", "near")},
        consent_policy=CONSENT_POLICY,
        held_out_from_us=cut_us,
        settings=chosen,
    )


@contextmanager
def _without_cycles() -> Iterator[None]:
    """Spare the search for cycles of objects, 4 % of the time: a build makes none."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def _map_function(processes: int) -> Iterator[Callable[..., Iterable[I64]]]:
    if processes < 2:
        yield map
        return
    # Forked children would inherit locks of the caller's threads.
    pool: Executor = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
    with pool:
        yield partial(pool.map, chunksize=1)
