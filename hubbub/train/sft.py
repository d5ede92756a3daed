"""Teaches a model of ours the assistant's form: the trainer's own loop on lessons, in a longer context."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from hubbub.corpus.reader import open_corpus
from hubbub.corpus.tokenizer import load_tokenizer
from hubbub.errors import InvalidInput
from hubbub.model.shape import LlamaShape
from hubbub.train.lessons import LessonSource, chatml, read_lessons, write_plan
from hubbub.train.metrics import Tell
from hubbub.train.recipe import TrainSettings, derive
from hubbub.train.run import TrainReport, load_run, train

RATE_SHARE = 0.3
"""Of the rate that the recipe gives for training from nothing: weights that know something move less."""
BATCH_TOKENS = 8_192
_STEP = 64


def sft(
    start_from: Path,
    lessons: Path,
    run_dir: Path,
    *,
    corpus: Path | None = None,
    epochs: float = 3.0,
    rate: float = 0.0,
    batch_tokens: int = BATCH_TOKENS,
    seq: int = 0,
    seed: int = 0,
    precision: str = "bf16",
    save_every: int = 0,
    tell: Tell | None = None,
) -> TrainReport:
    """Train a run's newest checkpoint, or a Hugging Face directory of a plain Llama, on lessons; exports it.

    `corpus` is where the lessons' corpus lies now (default: where it lay), `seq` the longest lesson taken
    (default: all of them); the model's context grows to it.

    Raises:
        InvalidInput: model, lessons and corpus do not fit each other.
    """
    opened = open_corpus(corpus or read_lessons(lessons)[0].corpus)
    shape, tokenizer_dir = look_at(start_from, opened.tokenizer_dir)
    encode = chatml(load_tokenizer(tokenizer_dir))
    source = LessonSource(lessons, opened, encode, seed=seed, batch_tokens=batch_tokens, seq=seq)
    shape = lengthened(shape, int(source.order.lengths.max()) - 1)
    settings = plan(
        source,
        lessons,
        run_dir,
        epochs=epochs,
        shape=shape,
        rate=rate or RATE_SHARE * default_rate(shape),
        decay_share=0.5,
        seed=seed,
        precision=precision,
        save_every=save_every,
        start_from=str(start_from.resolve()),
    )
    return export(train(settings, source=source, tell=tell), tokenizer_dir)


def plan(source: LessonSource, lessons: Path, run_dir: Path, *, epochs: float, **named: Any) -> TrainSettings:
    """Return the settings of a run on lessons, with what is named, and keep there which lesson is when."""
    write_plan(run_dir, source)
    return TrainSettings(
        corpus=str(source.corpus.directory.resolve()),
        run_dir=str(run_dir),
        steps=max(1, math.ceil(epochs * source.order.epoch_tokens / source.order.batch_tokens)),
        batch_tokens=source.order.batch_tokens,
        source=f"lessons:{lessons.resolve()}",
        **named,
    )


def default_rate(shape: LlamaShape) -> float:
    """Return the rate at which the recipe would train this shape from nothing."""
    plain = TrainSettings(corpus="", run_dir="", tokens=20.0 * shape.num_params)
    return derive(plain, shape, 0).rate


def export(report: TrainReport, tokenizer_dir: Path) -> TrainReport:
    """Write a finished run's model beside its checkpoints."""
    if not report.is_finished:
        return report
    from hubbub.model.hf import save_hf

    directory = Path(report.run_dir)
    model, meta = load_run(directory)
    assert meta.shape is not None
    save_hf(directory / "model", meta.shape, model.state_dict(), tokenizer_dir)
    return msgspec.structs.replace(report, model_dir=str(directory / "model"))


def look_at(start_from: Path, tokenizer_dir: Path) -> tuple[LlamaShape, Path]:
    """Return the shape of a run or of a Hugging Face directory, and where its tokenizer lies.

    Raises:
        InvalidInput: it is neither, or its tokenizer is another than the corpus's.
    """
    if (start_from / "config.json").is_file():
        from hubbub.model.hf import load_hf

        return load_hf(start_from)[1], start_from
    _, meta = load_run(start_from)
    assert meta.shape is not None
    if meta.shape.vocab < load_tokenizer(tokenizer_dir).vocab_size:
        raise InvalidInput(
            f"{str(start_from)!r} has a vocabulary of {meta.shape.vocab} tokens, fewer than the corpus; "
            "name the corpus that it was trained on with --corpus"
        )
    return meta.shape, tokenizer_dir


def lengthened(shape: LlamaShape, seq: int) -> LlamaShape:
    """Return the shape with room for `seq` tokens: its rotations slowed so that the slowest covers them.

    theta' = theta (seq' / seq)^(d / (d - 2)): "NTK-aware" scaling, derived in YaRN (arXiv 2309.00071, section
    3.1); fast rotations, which tell neighbours apart, stay nearly as they were.
    """
    seq = -(-seq // _STEP) * _STEP
    if seq <= shape.seq:
        return shape
    power = shape.head_dim / (shape.head_dim - 2)
    return msgspec.structs.replace(
        shape, seq=seq, rope_theta=float(np.round(shape.rope_theta * (seq / shape.seq) ** power))
    )
