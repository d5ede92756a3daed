"""A run from its settings to its model: open, check, build, resume, train, export; the loop is in `loop`."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import torch
from torch import nn

from hubbub.errors import HubbubError, InvalidInput
from hubbub.model.copying import roomy
from hubbub.model.llama import Llama
from hubbub.model.shape import LlamaShape, shape_for
from hubbub.train.checkpoints import find, names
from hubbub.train.data import Batches
from hubbub.train.faults import Requests
from hubbub.train.loop import Trainer
from hubbub.train.metrics import Tell
from hubbub.train.parallel import Ranks, layers_of
from hubbub.train.recipe import Recipe, TrainSettings, derive
from hubbub.train.replicas import Groups
from hubbub.train.rundir import Run, RunLock, check_same, read_run, write_run
from hubbub.train.source import CorpusSource, Source
from hubbub.train.weights import export, load_run, origin, shape_at, start_from

__all__ = ["TrainReport", "load_run", "train"]

T = TypeVar("T")


class TrainReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a run."""

    run_dir: str
    model_dir: str
    num_params: int
    step: int
    loss: float
    is_finished: bool
    deletion_mark: int


def train(
    settings: TrainSettings,
    *,
    source: Source | None = None,
    model: nn.Module | None = None,
    tell: Tell | None = None,
) -> TrainReport:
    """Train, or go on training, in a run directory; under torchrun's environment as one of the ranks.

    `source` (default: the corpus's documents) gives rows, `model` (default: a Llama of the recipe) is trained
    where it wants gradients, and then exporting it is the caller's.

    Raises:
        InUse: another process trains there.
        InvalidInput: the settings, the corpus or the run's past do not fit each other.
        Corruption: a checkpoint or the corpus is damaged.
        StorageError: a checkpoint cannot be written.
        HubbubError: a rank did not come up, or the loss stays bad.
    """
    directory = Path(settings.run_dir)
    with ExitStack() as stack:
        ranks = stack.enter_context(closing(Ranks(join_s=settings.join_s, timeout_s=settings.stall_s)))
        group = os.environ.get("HUBBUB_GROUP", "")

        def lock() -> None:
            stack.callback(RunLock(directory, group).release)

        _first(ranks, lock)
        corpus = None
        if source is None or (model is None and settings.shape is None):
            from hubbub.corpus.reader import open_corpus

            corpus = open_corpus(Path(settings.corpus))
        run, source = _plan(settings, ranks, corpus, source, model)
        trainer = stack.enter_context(closing(_build(run, directory, ranks, source, model, tell)))
        with Requests() as trainer.requests:
            is_finished = trainer.go()
            model_dir = ""
            if is_finished and trainer.is_first and model is None and corpus is not None and run.shape:
                model_dir = str(directory / "model")
                export(trainer.model, run.shape, Path(model_dir), corpus.tokenizer_dir, ranks)
        return TrainReport(
            run_dir=str(directory),
            model_dir=model_dir,
            num_params=sum(p.numel() for p in trainer.model.parameters()),
            step=trainer.step,
            loss=trainer.loss,
            is_finished=is_finished,
            deletion_mark=trainer.history[-1][1] if trainer.history else 0,
        )


def _plan(
    settings: TrainSettings, ranks: Ranks, corpus: Any, source: Source | None, model: nn.Module | None
) -> tuple[Run, Source]:
    """Derive what is not said, and check it against the run's past."""
    directory = Path(settings.run_dir)
    old = read_run(directory)
    shape = settings.shape or getattr(model, "shape", None)
    if shape is None and not settings.params and not settings.depth:
        shape = old.shape if old else shape_at(settings.start_from)
    if shape is None and model is None:
        if not settings.params and not settings.depth:
            raise InvalidInput("name the size of the model: --params 10M, or --depth 6")
        seq = {"seq": settings.seq} if settings.seq else {}
        shape = shape_for(
            settings.params or None, depth=settings.depth or None, vocab=corpus.vocab_size, **seq
        )
        if settings.is_wired:
            shape = roomy(shape)
    if corpus is not None and shape is not None and shape.vocab < corpus.vocab_size:
        raise InvalidInput(
            f"the model has a vocabulary of {shape.vocab} tokens and the corpus {settings.corpus!r} one of "
            f"{corpus.vocab_size}; build the corpus with the model's tokenizer, or train a new model"
        )
    recipe = _recipe(settings, shape, corpus, ranks)
    if source is None:
        source = CorpusSource(corpus, seed=settings.seed, batch_tokens=recipe.batch_tokens)
    run = Run(
        settings=settings,
        shape=shape,
        recipe=recipe,
        source_id=source.id,
        started_from=old.started_from if old else origin(settings),
        torch=str(torch.__version__),
        history=old.history if old else [],
        skipped=old.skipped if old else [],
    )
    if old is not None and names(directory / "checkpoints"):
        check_same(directory, old, run)
    if ranks.rank == 0 and run != old:  # a group that comes back leaves the marks that the others note
        write_run(directory, run)
    return run, source


def _recipe(settings: TrainSettings, shape: LlamaShape | None, corpus: Any, ranks: Ranks) -> Recipe:
    if shape is None or corpus is None:
        if not (settings.steps and settings.batch_tokens and settings.rate):
            raise InvalidInput(
                "name steps, batch_tokens and rate: a model or source of your own has no recipe"
            )
        shape = shape or LlamaShape(
            vocab=8, hidden=64, num_layers=1, num_heads=1, num_kv_heads=1, head_dim=64, ffn=64
        )
    corpus_tokens = int(corpus.lengths[corpus.documents(False)].sum()) if corpus is not None else 0
    return derive(settings, shape, corpus_tokens, is_gpu=ranks.is_gpu)


def _build(
    run: Run, directory: Path, ranks: Ranks, source: Source, model: nn.Module | None, tell: Tell | None
) -> Trainer:
    asked = run.settings
    meta = _first(ranks, lambda: find(directory))
    if model is None:
        assert run.shape is not None
        model = _new_model(run.shape, asked, ranks)
    else:
        model.to(ranks.device)
        ranks.shard(model, asked.shard, is_bf16=asked.precision == "bf16")
    if ranks.is_gpu if asked.is_compiled is None else asked.is_compiled:
        for layer in layers_of(model):
            layer.compile()
    seq = asked.seq or (run.shape.seq if run.shape else 1024)
    batches = Batches(
        source,
        seq=seq,
        micro_tokens=run.recipe.micro_tokens,
        is_packed=ranks.is_gpu if not asked.rows else asked.rows == "packed",
        is_ahead=ranks.is_gpu,
        rank=ranks.rank,
        world=ranks.world,
    )
    lighthouse, group = os.environ.get("HUBBUB_LIGHTHOUSE"), os.environ.get("HUBBUB_GROUP", "")
    groups = Groups(lighthouse, group, os.environ.get("HUBBUB_HOST", "127.0.0.1")) if lighthouse else None
    trainer = Trainer(run, directory, ranks, model, batches, tell, groups)
    if meta is not None:
        trainer.take(trainer.checkpoints.load(meta))
    elif asked.start_from:
        start_from(asked, model, trainer.optim, run.shape)
    if groups:
        groups.join(trainer)
    return trainer


def _new_model(shape: LlamaShape, asked: TrainSettings, ranks: Ranks) -> Llama:
    """Make the model; over several ranks none ever holds all of it."""
    if ranks.world == 1:
        return Llama(shape, asked.seed, is_wired=asked.is_wired).to(ranks.device)
    with torch.device("meta"):
        model = Llama(shape)
    ranks.shard(model, asked.shard, is_bf16=asked.precision == "bf16")
    model.to_empty(device=ranks.device)
    model.init_weights(asked.seed, is_wired=asked.is_wired)
    model.init_rotations()
    return model


def _first(ranks: Ranks, work: Callable[[], T]) -> T:
    """Do something on rank 0 and give every rank what came of it, or the error."""
    done: Any = None
    if ranks.rank == 0:
        try:
            done = work()
        except HubbubError as error:
            done = error
    done = ranks.share(done)
    if isinstance(done, HubbubError):
        raise done
    return done  # type: ignore[no-any-return]
