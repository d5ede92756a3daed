"""A model that keeps up: a trunk that never cools, a branch a week to release, and how fast releases age.

    week-00/trunk    trained at a constant rate, from nothing, on the weeks up to the first release
    week-00/release  goes on from that trunk with a falling rate: `release/model` is what is served
    week-01/trunk    goes on from week-00/trunk, moments and all, with its own posts and some older ones
Warming an annealed model up again costs it what it knew (Ibrahim et al., arXiv 2403.08763), so it is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from hubbub.corpus.reader import open_corpus
from hubbub.corpus.tokenizer import load_tokenizer
from hubbub.errors import InvalidInput
from hubbub.model.shape import LlamaShape, shape_for
from hubbub.train.bits import byte_table, measure
from hubbub.train.checkpoints import find
from hubbub.train.loop import Tell
from hubbub.train.order import Ints, Order, shuffled
from hubbub.train.recipe import Recipe, TrainSettings, derive
from hubbub.train.run import load_run, train
from hubbub.train.rundir import read_run
from hubbub.train.sft import export
from hubbub.train.source import Row
from hubbub.units import US_PER_DAY

REPLAY = 0.05
"""Share of older posts in a week's batches: 1 to 5 % suffice for a weak shift (arXiv 2403.08763)."""
ANNEAL = 0.2
"""Steps of a branch, as a share of its week's."""
_TEST_ONE_OF = 10
_TEST_SEED = 0x7E57


class WeekSource:
    """One week's documents, and a share of each batch from those before it."""

    def __init__(
        self, corpus: Any, fresh: Ints, older: Ints, *, seed: int, batch_tokens: int, replay: float = REPLAY
    ) -> None:
        lengths = np.asarray(corpus.lengths)
        share = replay if len(older) else 0.0
        self.corpus = corpus
        self._parts = [
            (documents, Order(seed + at, lengths[documents], round(batch_tokens * of_batch)))
            for at, (documents, of_batch) in enumerate(((fresh, 1.0 - share), (older, share)))
            if of_batch
        ]
        self.id = f"week of {len(fresh)} after {len(older)} of {corpus.manifest.id}"

    @property
    def deletion_mark(self) -> int:
        """The archive's number up to which deletions are honoured now."""
        return int(self.corpus.deletion_mark)

    def plan(self, number: int) -> tuple[Ints, Ints]:
        """Return the documents of one batch and their lengths as built."""
        chosen = [(documents, order, order.batch(number)) for documents, order in self._parts]
        return (
            np.concatenate([documents[at] for documents, _, at in chosen]),
            np.concatenate([order.lengths[at] for _, order, at in chosen]),
        )

    def row(self, key: int) -> Row:
        """Return the living tokens of a document."""
        return Row(self.corpus.read(key))


class Weeks(msgspec.Struct, frozen=True, kw_only=True):
    """Where the weeks begin and which documents are each one's, to train on and to test with."""

    starts_us: tuple[int, ...]
    fresh: tuple[Ints, ...]
    tests: tuple[Ints, ...]

    def source(self, corpus: Any, week: int, *, seed: int, batch_tokens: int, replay: float) -> WeekSource:
        """Return what one week's trunk and branch are trained on."""
        older = np.concatenate([np.zeros(0, np.int64), *self.fresh[:week]])
        return WeekSource(
            corpus, self.fresh[week], older, seed=seed, batch_tokens=batch_tokens, replay=replay
        )


class Aged(msgspec.Struct, frozen=True, kw_only=True):
    """`bits[i][j]`: bits per byte of the release of week i on posts of week j that none was trained on."""

    starts_us: tuple[int, ...]
    releases: tuple[str, ...]
    bits: tuple[tuple[float, ...], ...]

    @property
    def staleness(self) -> tuple[float, ...]:
        """Mean extra bits per byte 0, 1, 2 ... weeks after a release, against that week's own release."""
        found: list[list[float]] = [[] for _ in self.bits]
        for i, row in enumerate(self.bits):
            for j in range(i, len(row)):
                found[j - i].append(row[j] - self.bits[j][j])
        return tuple(float(np.mean(each)) for each in found)


def split(corpus: Any, first_days: float, days: float = 7.0) -> Weeks:
    """Cut a corpus into a first part of `first_days` and then steps of `days`; one document of ten is a test.

    Raises:
        InvalidInput: it is not long enough for two.
    """
    kept = np.flatnonzero(np.asarray(corpus.lengths) > 1)
    times = np.asarray(corpus.times_us)[kept]
    start_us, step_us = int(times.min()), round(days * US_PER_DAY)
    places = np.maximum((times - start_us - round(first_days * US_PER_DAY)) // step_us + 1, 0)
    draw = np.empty(len(corpus.lengths), np.int64)
    draw[shuffled(len(draw), _TEST_SEED, 0)] = np.arange(len(draw))
    fresh, tests = [], []
    for week in range(int(places.max()) + 1):
        drawn = kept[places == week][np.argsort(draw[kept[places == week]])]
        num_tests = -(-len(drawn) // _TEST_ONE_OF)
        tests.append(np.sort(drawn[:num_tests]))
        fresh.append(np.sort(drawn[num_tests:]))
    full = [week for week in range(len(fresh)) if len(fresh[week])]
    if len(full) < 2:
        raise InvalidInput(
            f"a corpus of {(int(times.max()) - start_us) / US_PER_DAY:.1f} days is too short for a first "
            f"part of {first_days:g} and steps of {days:g}; choose shorter ones"
        )
    starts = [
        start_us + (round(first_days * US_PER_DAY) + (week - 1) * step_us if week else 0) for week in full
    ]
    return Weeks(
        starts_us=tuple(starts),
        fresh=tuple(fresh[week] for week in full),
        tests=tuple(tests[week] for week in full),
    )


def check_trunk(run_dir: Path, step: int) -> None:
    """Refuse to go on from weights whose rate has fallen.

    Raises:
        InvalidInput: the run has cooled at this step, or there is no run.
    """
    run = read_run(run_dir)
    if run is None:
        raise InvalidInput(f"{str(run_dir)!r} is no run; name one trained with --schedule constant or wsd")
    warm = run.recipe.schedule.num_steps - run.recipe.schedule.decay_steps
    if step > warm:
        raise InvalidInput(
            f"{str(run_dir)!r} is annealed at step {step}: its rate falls from step {warm} on, and going on "
            f"from there loses what it knows; go on from a checkpoint up to step {warm}"
        )


def keep_up(
    corpus_dir: Path,
    directory: Path,
    *,
    params: str,
    first_days: float,
    days: float = 7.0,
    replay: float = REPLAY,
    anneal: float = ANNEAL,
    epochs: float = 1.0,
    seed: int = 0,
    precision: str = "bf16",
    seq: int = 0,
    tell: Tell | None = None,
) -> Aged | None:
    """Train trunk and release of each week, then measure each on each; None when stopped.

    Raises:
        InvalidInput: the corpus is too short, or the directory holds other runs.
    """
    corpus = open_corpus(corpus_dir)
    weeks = split(corpus, first_days, days)
    sized = {"seq": seq} if seq else {}
    shape = shape_for(params, vocab=corpus.vocab_size, **sized)
    recipe = _recipe(shape, corpus, weeks, epochs)
    before: Path | None = None
    for week in range(len(weeks.starts_us)):
        place = directory / f"week-{week:02}"
        source = weeks.source(corpus, week, seed=seed, batch_tokens=recipe.batch_tokens, replay=replay)
        steps = _steps(corpus, weeks.fresh[week], recipe.batch_tokens, epochs)
        common = TrainSettings(
            corpus=str(corpus_dir.resolve()),
            run_dir=str(place / "trunk"),
            shape=shape,
            batch_tokens=recipe.batch_tokens,
            rate=recipe.rate,
            steps=steps,
            seed=seed,
            precision=precision,
            keep=1,
            save_every=steps,
            schedule="constant",
            source=f"week:{week}:{first_days!r}:{days!r}:{replay!r}",
        )
        if before is not None:
            start = str(before.resolve())
            common = msgspec.structs.replace(common, start_from=start, is_trunk=True)
        cooling = msgspec.structs.replace(
            common,
            run_dir=str(place / "release"),
            schedule="anneal",
            steps=max(1, round(anneal * steps)),
            save_every=max(1, round(anneal * steps)),
            start_from=str((place / "trunk").resolve()),
            is_trunk=True,
        )
        for asked in (common, cooling):
            if asked.start_from:
                meta = find(Path(asked.start_from))
                check_trunk(Path(asked.start_from), meta.step if meta else 0)
            report = train(asked, source=source, tell=tell)
            if not report.is_finished:
                return None
        export(report, corpus.tokenizer_dir)
        before = place / "trunk"
    return measure_all(
        corpus, weeks, [directory / f"week-{week:02}" / "release" for week in range(len(weeks.fresh))]
    )


def measure_all(corpus: Any, weeks: Weeks, releases: Sequence[Path], *, limit: int = 2000) -> Aged:
    """Measure every release on every week's tests, at most `limit` documents each."""
    table = byte_table(load_tokenizer(corpus.tokenizer_dir))
    tests = [[corpus.read(int(number)) for number in each[:limit]] for each in weeks.tests]
    bits = []
    for release in releases:
        model, meta = load_run(release)
        assert meta.shape is not None
        bits.append(tuple(measure(model, rows, table, seq=meta.shape.seq).per_byte for rows in tests))
    return Aged(starts_us=weeks.starts_us, releases=tuple(map(str, releases)), bits=tuple(bits))


def _recipe(shape: LlamaShape, corpus: Any, weeks: Weeks, epochs: float) -> Recipe:
    """Derive batch and rate once, from what the first part has: the trunk keeps them for ever."""
    tokens = epochs * float(np.asarray(corpus.lengths)[weeks.fresh[0]].sum())
    return derive(TrainSettings(corpus="", run_dir="", tokens=tokens), shape, 0)


def _steps(corpus: Any, documents: npt.NDArray[np.int64], batch_tokens: int, epochs: float) -> int:
    return max(1, round(epochs * float(np.asarray(corpus.lengths)[documents].sum()) / batch_tokens))
