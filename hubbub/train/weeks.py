"""A model that keeps up: a trunk that never cools, a branch a week to release, and how fast releases age.

    week-00/trunk    trained at a constant rate, from nothing, on the weeks up to the first release
    week-00/release  goes on from that trunk with a falling rate: `release/model` is what is served
    week-01/trunk    goes on from week-00/trunk, moments and all, with its own posts and some older ones
    weeks.json       what the first week decided for all
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
from hubbub.corpus.tokenizer import FILE, load_tokenizer
from hubbub.disk import refusals
from hubbub.errors import InvalidInput
from hubbub.model.shape import LlamaShape, shape_for
from hubbub.train.bits import byte_table, measure
from hubbub.train.checkpoints import find
from hubbub.train.metrics import Tell
from hubbub.train.order import Ints, Order
from hubbub.train.recipe import TrainSettings, derive
from hubbub.train.run import load_run, train
from hubbub.train.rundir import read_run
from hubbub.train.sft import export
from hubbub.train.source import Row
from hubbub.units import US_PER_DAY

REPLAY = 0.05
"""Share of older posts in a week's batches: 1 to 5 % suffice for a weak shift (arXiv 2403.08763)."""
ANNEAL = 0.2
"""Steps of a branch, as a share of its week's."""
_TEST_SHARE = 0.1


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


def split(corpus: Any, first_days: float, days: float = 7.0, start_us: int | None = None) -> Weeks:
    """Cut a corpus into a first part of `first_days` and then steps of `days`; one document of ten is a test.

    Which one is drawn by its time of receipt, so that another build of the corpus draws the same.

    Raises:
        InvalidInput: it is not long enough for two.
    """
    kept = np.flatnonzero(np.asarray(corpus.lengths) > 1)
    times = np.asarray(corpus.times_us)[kept]
    start_us = int(times.min()) if start_us is None else start_us
    first_us, step_us = round(first_days * US_PER_DAY), round(days * US_PER_DAY)
    places = np.maximum((times - start_us - first_us) // step_us + 1, 0)
    draw = _mixed(times)
    starts, fresh, tests = [], [], []
    for week in np.unique(places).tolist():
        drawn = draw[places == week]
        is_test = drawn <= max(_TEST_SHARE * 2.0**64, float(drawn.min()))
        if not is_test.all():
            starts.append(start_us + (first_us + (week - 1) * step_us if week else 0))
            fresh.append(kept[places == week][~is_test])
            tests.append(kept[places == week][is_test])
    if len(starts) < 2:
        raise InvalidInput(
            f"a corpus of {(int(times.max()) - start_us) / US_PER_DAY:.1f} days is too short for a first "
            f"part of {first_days:g} and steps of {days:g}; choose shorter ones"
        )
    return Weeks(starts_us=tuple(starts), fresh=tuple(fresh), tests=tuple(tests))


def _mixed(times: Ints) -> npt.NDArray[np.uint64]:
    """Return for each time a number that looks drawn from all of 64 bits (splitmix64)."""
    z = times.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def check_trunk(run_dir: Path, step: int | None = None) -> None:
    """Refuse to go on from weights whose rate has fallen, at a step or the newest checkpoint's.

    Raises:
        InvalidInput: the run has cooled at this step, or there is no run.
    """
    run = read_run(run_dir)
    if run is None:
        raise InvalidInput(f"{str(run_dir)!r} is no run; name one trained with --schedule constant or wsd")
    meta = find(run_dir) if step is None else None
    step = step or (meta.step if meta else 0)
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
    first_days: float = 0.0,
    days: float = 7.0,
    replay: float = REPLAY,
    anneal: float = ANNEAL,
    epochs: float = 1.0,
    seed: int = 0,
    precision: str = "bf16",
    seq: int = 0,
    tell: Tell | None = None,
) -> Aged | None:
    """Train trunk and release of each week that has none, then measure each on each; None when stopped.

    `first_days` are those of the first release (0: half of what there is).
    Next week the same command with a corpus that has grown goes on; it must have the same tokenizer.

    Raises:
        InvalidInput: the corpus is too short, or has another tokenizer than the weeks before.
    """
    corpus = open_corpus(corpus_dir)
    begun = _begin(directory, corpus, params, first_days, days, epochs, seq)
    weeks = split(corpus, begun.first_days, begun.days, begun.start_us)
    places = [directory / f"week-{week:02}" for week in range(len(weeks.starts_us))]
    for week, place in enumerate(places):
        if (place / "release" / "model" / "config.json").is_file():
            continue
        trunk, steps = place / "trunk", _steps(corpus, weeks.fresh[week], begun.batch_tokens, epochs)
        before = places[week - 1] / "trunk" if week else None
        source = f"week:{week}:{begun.start_us}:{begun.first_days!r}:{begun.days!r}:{replay!r}"
        for run_dir, start, schedule, num_steps, seed_of in (
            (trunk, before, "constant", steps, seed),
            (place / "release", trunk, "anneal", max(1, round(anneal * steps)), seed + 1),
        ):
            named = {"seed": seed_of, "precision": precision, "schedule": schedule, "source": source}
            asked = _asked(begun, corpus_dir, run_dir, start, num_steps, **named)
            rows = weeks.source(corpus, week, seed=seed_of, batch_tokens=begun.batch_tokens, replay=replay)
            report = train(asked, source=rows, tell=tell)
            if not report.is_finished:
                return None
        export(report, corpus.tokenizer_dir)
    return measure_all(corpus, weeks, [place / "release" for place in places])


def _asked(
    begun: Begun, corpus_dir: Path, run_dir: Path, start: Path | None, steps: int, **named: Any
) -> TrainSettings:
    """Return the settings of a stretch, from nothing or from a trunk, at what the first week decided."""
    if start:
        check_trunk(start)
    return TrainSettings(
        corpus=str(corpus_dir.resolve()),
        run_dir=str(run_dir),
        shape=begun.shape,
        batch_tokens=begun.batch_tokens,
        rate=begun.rate,
        steps=steps,
        save_every=steps,
        keep=1,
        start_from=str(start.resolve()) if start else "",
        is_trunk=start is not None,
        **named,
    )


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """What the first week decides for all that follow, kept in `weeks.json`."""

    start_us: int
    first_days: float
    days: float
    shape: LlamaShape
    batch_tokens: int
    rate: float
    tokenizer: str


def _begin(
    directory: Path, corpus: Any, params: str, first_days: float, days: float, epochs: float, seq: int
) -> Begun:
    """Take up what was begun here, or derive shape, batch and rate once: the trunk keeps them for ever."""
    path, files = directory / "weeks.json", corpus.manifest.tokenizer_files
    if path.is_file():
        begun = msgspec.json.decode(path.read_bytes(), type=Begun)
        if begun.tokenizer != files[FILE]:
            raise InvalidInput(
                f"{str(corpus.directory)!r} has another tokenizer than the weeks in {str(directory)!r}; "
                "build it with theirs: --tokenizer week-00/release/model"
            )
        return begun
    times = np.asarray(corpus.times_us)
    first_days = first_days or float(times.max() - times.min()) / 2 / US_PER_DAY
    weeks = split(corpus, first_days, days)
    shape = shape_for(params, vocab=corpus.vocab_size, **({"seq": seq} if seq else {}))
    tokens = epochs * float(np.asarray(corpus.lengths)[weeks.fresh[0]].sum())
    recipe = derive(TrainSettings(corpus="", run_dir="", tokens=tokens), shape, 0)
    begun = Begun(
        start_us=weeks.starts_us[0],
        first_days=first_days,
        days=days,
        shape=shape,
        batch_tokens=recipe.batch_tokens,
        rate=recipe.rate,
        tokenizer=files[FILE],
    )
    with refusals("begin the weeks", directory):
        directory.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(begun), indent=1))
    return begun


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


def _steps(corpus: Any, documents: npt.NDArray[np.int64], batch_tokens: int, epochs: float) -> int:
    return max(1, round(epochs * float(np.asarray(corpus.lengths)[documents].sum()) / batch_tokens))
