"""Which models saw which post: computed from order, marks and the log of deletions, never from a guess.

A post was seen when a batch that counted held its document, or a lesson with its words, and its deletion was
not honoured yet. A model has seen what the weights that it began with had seen.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np

from hubbub.corpus.deletions import read_deleted
from hubbub.corpus.reader import open_corpus
from hubbub.corpus.shards import key_of
from hubbub.errors import InvalidInput
from hubbub.train.checkpoints import Meta, names, path_of
from hubbub.train.lessons import PLAN
from hubbub.train.metrics import read_metrics
from hubbub.train.order import Order
from hubbub.train.rundir import Run, read_run
from hubbub.train.source import CorpusSource
from hubbub.train.weeks import split

CARD = "card.json"
_EXPORTS, _ADAPTER = ("model.safetensors", "model.safetensors.index.json"), "adapter_model.safetensors"
_STEP = re.compile(r"step-(\d{8})")
_MAX_DEPTH = 64
_BSKY = re.compile(r"https://bsky\.app/profile/(did:[^/]+)/post/([^/?#]+)")
_X = re.compile(r"https://(?:www\.)?(?:x|twitter)\.com/\w+/status/(\d+)")


class Stage(NamedTuple):
    """A run up to a step: batches 0 to `num_batches` - 1, less those skipped."""

    directory: Path
    run: Run
    step: int
    num_batches: int
    history: list[tuple[int, int]]
    skipped: frozenset[int]

    def mark(self, batch: int) -> int:
        """Return the archive's number up to which deletions were honoured in a batch."""
        at = bisect_right([first for first, _ in self.history], batch)
        return self.history[at - 1][1] if at else 0


class Model(NamedTuple):
    """A file or directory with weights, and the run and step that they are of."""

    path: Path
    kind: Literal["checkpoint", "export", "gguf", "adapter"]
    directory: Path
    step: int | None


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A model that saw a post: in which run (its own, or one that it began with) and in which batch first."""

    path: str
    kind: str
    run: str
    batch: int
    is_inherited: bool


def stage(directory: Path, step: int | None = None) -> Stage:
    """Return a run up to a step (default: its newest checkpoint), also where that checkpoint is gone by now.

    Raises:
        InvalidInput: there is no run, or it never came to this step.
    """
    run = read_run(directory)
    if run is None:
        raise InvalidInput(f"{str(directory)!r} holds no run.json; name a run's directory")
    known = names(directory / "checkpoints")
    if step is None and known:
        step = int(known[-1].removeprefix("step-"))
    path = path_of(directory / "checkpoints", step or 0) / "meta.json"
    if step is not None and path.is_file():
        meta = msgspec.json.decode(path.read_bytes(), type=Meta)
        history = [(first, mark) for first, mark in meta.history]
        return Stage(directory, run, step, meta.batch, history, frozenset(meta.skipped))
    done = [told.batch for told in read_metrics(directory) if told.step == step]
    if step is None or not done:
        raise InvalidInput(f"the run in {str(directory)!r} has no step {step} that anything tells of")
    return Stage(directory, run, step, done[0] + 1, list(run.history), frozenset(run.skipped))


def line(directory: Path, step: int | None = None) -> Iterator[Stage]:
    """Yield a run up to a step, then what it began with, back to weights drawn at random or of others."""
    for _ in range(_MAX_DEPTH):
        here = stage(directory, step)
        yield here
        began = _began_with(here)
        parent = origin(*began) if began else None
        if parent is None:
            return
        directory, step = parent


def _began_with(here: Stage) -> tuple[Path, int | None] | None:
    """Return what a run's weights are of; an adapter names its base in its own file."""
    if here.run.started_from is not None:
        return Path(here.run.started_from[0]), here.run.started_from[1]
    adapter = here.directory / "adapter" / "adapter_config.json"
    if not adapter.is_file():
        return None
    return Path(msgspec.json.decode(adapter.read_bytes())["base_model_name_or_path"]), None


def origin(path: Path, step: int | None = None) -> tuple[Path, int | None] | None:
    """Return the run and step of a checkpoint, a run or an exported model; None if no run of ours made it."""
    if _STEP.fullmatch(path.name) and path.parent.name == "checkpoints":
        return path.parent.parent, int(path.name.removeprefix("step-"))
    if (path / "run.json").is_file():
        return path, step or None
    folder = path if path.is_dir() else path.parent
    if (folder / CARD).is_file():
        told = msgspec.json.decode((folder / CARD).read_bytes(), type=dict[str, Any])
        if told.get("run"):
            return Path(told["run"]), told.get("step")
    return (folder.parent, None) if (folder.parent / "run.json").is_file() else None


def saw(here: Stage, posts: Collection[int] | None = None) -> dict[int, int]:
    """Return for each post (by key) the first batch of this run that held it while it counted as alive.

    `posts` None asks for all that have been deleted since the corpus was built.

    Raises:
        InvalidInput: the corpus, or what tells which lessons were in which batch, is gone or another.
    """
    corpus = open_corpus(Path(here.run.settings.corpus), verify=False)
    if corpus.manifest.id not in here.run.source_id:
        raise InvalidInput(
            f"{here.run.settings.corpus!r} holds corpus {corpus.manifest.id} by now, and the run in "
            f"{str(here.directory)!r} was trained on another: what it saw cannot be told without that"
        )
    log = read_deleted(corpus.directory, corpus.manifest.id)
    died: dict[int, int] = {}
    for row in log:
        key = int(row["post_key"])
        died[key] = min(died.get(key, 1 << 62), int(row["seq"]))
    wanted = np.array(sorted(died if posts is None else posts), np.uint64)
    plan, where = _opened(here, corpus, wanted, log)
    found: dict[int, int] = {}
    for batch in range(here.num_batches):
        if batch in here.skipped or not where:
            continue
        mark = here.mark(batch)
        for key in where.keys() & set(plan(batch).tolist()):
            for post in where[key]:
                if died.get(post, 1 << 62) > mark:
                    found.setdefault(post, batch)
    return found


def models(directories: Collection[Path]) -> tuple[list[Model], list[Path]]:
    """Find all checkpoints, exports, adapters and GGUFs under directories; apart, those of no known run."""
    found: dict[Path, Model] = {}
    strangers = []
    for root in directories:
        for file in [root] if root.is_file() else sorted(root.rglob("*")):
            made = _model(file)
            if made is not None:
                found.setdefault(made.path.resolve(), made)
            elif _is_weights(file):
                strangers.append(file)
    return list(found.values()), strangers


def who_saw(url: str, directories: Collection[Path]) -> list[Seen]:
    """List the models under some directories that were trained on a post before it was deleted."""
    posts = {key_of(identity) for identity in identities(url)}
    known: dict[tuple[Path, int], dict[int, int]] = {}
    found = []
    for model in models(directories)[0]:
        for depth, here in enumerate(line(model.directory, model.step)):
            place = here.directory.resolve(), here.step
            if place not in known:
                known[place] = saw(here, posts)
            if known[place]:
                found.append(
                    Seen(
                        path=str(model.path),
                        kind=model.kind,
                        run=str(here.directory),
                        batch=min(known[place].values()),
                        is_inherited=depth > 0,
                    )
                )
                break
    return found


def identities(url: str) -> list[str]:
    """Return under which ids a post may be known: its address in a browser is not always its id."""
    found = [url]
    if match := _BSKY.match(url):
        found.append(f"at://{match[1]}/app.bsky.feed.post/{match[2]}")
    if match := _X.match(url):
        found.append(f"x://status/{match[1]}")
    return found


def _is_weights(file: Path) -> bool:
    return file.suffix == ".gguf" or file.name in (*_EXPORTS, _ADAPTER)


def _model(file: Path) -> Model | None:
    if file.name == "meta.json" and _STEP.fullmatch(file.parent.name):
        return Model(file.parent, "checkpoint", file.parent.parent.parent, int(file.parent.name[5:]))
    if not _is_weights(file):
        return None
    made_by = origin(file.parent)
    if made_by is None:
        return None
    if file.suffix == ".gguf":
        return Model(file, "gguf", *made_by)
    return Model(file.parent, "adapter" if file.name == _ADAPTER else "export", *made_by)


def _opened(here: Stage, corpus: Any, wanted: Any, log: Any) -> tuple[Any, dict[int, list[int]]]:
    """Return which keys each batch held, and for each key that matters the posts wanted in it."""
    kind, _, told = here.run.settings.source.partition(":")
    seed, batch_tokens = here.run.settings.seed, here.run.recipe.batch_tokens
    where: dict[int, list[int]] = {}
    if kind == "lessons":
        try:
            kept = np.load(here.directory / PLAN)
        except OSError:
            raise InvalidInput(
                f"{str(here.directory / PLAN)!r} is gone: nothing tells what was taught"
            ) from None
        owner = np.repeat(np.arange(len(kept["sizes"])), kept["sizes"])
        is_wanted = np.isin(kept["keys"], wanted)
        for lesson, post in zip(owner[is_wanted].tolist(), kept["keys"][is_wanted].tolist(), strict=True):
            where.setdefault(lesson, []).append(post)
        return Order(seed, kept["lengths"], batch_tokens).batch, where
    for post, document in zip(wanted.tolist(), corpus.find(wanted).tolist(), strict=True):
        if document >= 0:
            where.setdefault(document, []).append(post)
    for row in log[np.isin(log["post_key"], wanted)]:  # compaction has taken out where it stood
        where.setdefault(int(row["document"]), []).append(int(row["post_key"]))
    if kind == "week":
        week, start_us, first_days, days, replay = told.split(":")
        weeks = split(corpus, float(first_days), float(days), int(start_us))
        source = weeks.source(corpus, int(week), seed=seed, batch_tokens=batch_tokens, replay=float(replay))
        return lambda batch: source.plan(batch)[0], where
    plain = CorpusSource(corpus, seed=seed, batch_tokens=batch_tokens)
    return lambda batch: plain.plan(batch)[0], where
