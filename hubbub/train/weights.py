"""Weights from and for elsewhere: a run, a checkpoint, a Hugging Face directory; no training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_state_dict,
    set_model_state_dict,
    set_state_dict,
)

from hubbub.errors import InvalidInput
from hubbub.model.llama import Llama
from hubbub.model.shape import LlamaShape
from hubbub.train.checkpoints import Meta, find, load_state, path_of, verify
from hubbub.train.optim import Optimizers
from hubbub.train.parallel import Ranks
from hubbub.train.recipe import TrainSettings


def load_run(directory: Path, step: int | None = None) -> tuple[Llama, Meta]:
    """Load the weights of a run's checkpoint, the newest unless a step is named, on the CPU.

    Raises:
        InvalidInput: there is no such checkpoint, or its model was not a plain Llama.
        Corruption: a file of it is damaged.
    """
    meta = find(directory, step)
    if meta is None or meta.shape is None:
        raise InvalidInput(f"{str(directory)!r} has no checkpoint of a Llama; train there first")
    model = Llama(meta.shape)
    _load_weights(model, path_of(directory / "checkpoints", meta.step))
    return model, meta


def export(model: nn.Module, shape: LlamaShape, directory: Path, tokenizer_dir: Path, ranks: Ranks) -> None:
    """Write the model for transformers, vLLM and llama.cpp: gathered from all ranks, written by rank 0."""
    from hubbub.model.hf import save_hf

    whole: Any = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    if ranks.rank == 0:
        save_hf(directory, shape, whole, tokenizer_dir)


def origin(settings: TrainSettings) -> tuple[str, int] | None:
    """Return the path and step that a run begins with, if it begins with any."""
    if not settings.start_from:
        return None
    path, meta = _checkpoint_at(Path(settings.start_from))
    return (str(path), meta.step) if meta else (settings.start_from, 0)


def _checkpoint_at(path: Path) -> tuple[Path, Meta | None]:
    """Return the checkpoint that a run's or a checkpoint's directory means; none for a Hugging Face one."""
    if (path / "meta.json").is_file():
        return path, verify(path)
    meta = find(path)
    if meta is not None:
        return path_of(path / "checkpoints", meta.step), meta
    if not (path / "config.json").is_file():
        raise InvalidInput(
            f"start_from {str(path)!r} is neither a run, nor a checkpoint, nor a Hugging Face directory"
        )
    return path, None


def shape_at(start: str) -> LlamaShape | None:
    """Return the shape of the model that a run begins with, None where it names none."""
    if not start:
        return None
    path, meta = _checkpoint_at(Path(start))
    if meta is not None:
        return meta.shape
    from hubbub.model.hf import read_shape

    return read_shape(path)


def start_from(asked: TrainSettings, model: nn.Module, optim: Optimizers, shape: LlamaShape | None) -> None:
    """Load what the settings name: weights, and for a trunk the moments.

    Raises:
        InvalidInput: it holds no model, or one of another shape.
    """
    path, meta = _checkpoint_at(Path(asked.start_from))
    if meta is None:
        from hubbub.model.hf import load_hf

        loaded, found = load_hf(path)
        weights = loaded.state_dict()
        _check_shape(path, found, shape)
        options = StateDictOptions(full_state_dict=True)
        set_model_state_dict(model, weights, options=options)
        return
    _check_shape(path, meta.shape, shape)
    if not asked.is_trunk:
        _load_weights(model, path)
        return
    weights, moments = get_state_dict(model, optim.each)
    state = {"model": weights, "optim": moments}
    load_state(state, path)
    set_state_dict(model, optim.each, model_state_dict=weights, optim_state_dict=moments)


def _check_shape(path: Path, was: LlamaShape | None, now: LlamaShape | None) -> None:
    if (
        was is None
        or now is None
        or msgspec.structs.replace(was, seq=now.seq, rope_theta=now.rope_theta) != now
    ):
        raise InvalidInput(
            f"{str(path)!r} holds a model of another shape ({was}) than the one to train ({now}); leave "
            "--params and --depth away to take its shape"
        )


def _load_weights(model: nn.Module, checkpoint: Path) -> None:
    state = {"model": get_model_state_dict(model)}
    load_state(state, checkpoint)
    set_model_state_dict(model, state["model"])
