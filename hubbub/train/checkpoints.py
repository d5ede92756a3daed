"""Checkpoints: written under another name, verified, renamed, kept k; loadable at any number of ranks.

A checkpoint is a directory of torch.distributed.checkpoint and `meta.json`, which is written last and holds
the hash of every other file.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.tensor import DTensor
from torch.utils._pytree import tree_map

from hubbub.disk import sync_directory
from hubbub.errors import Corruption, HubbubError, InvalidInput, StorageError
from hubbub.model.shape import LlamaShape
from hubbub.train.optim import Optimizers
from hubbub.train.parallel import Ranks
from hubbub.train.rundir import Run

_NAME = re.compile(r"step-(\d{8})")


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run is: all that goes on with it besides tensors.

    `step` updates are done and `batch` is the next batch; `skipped` batches are never trained on. `history`
    holds [batch, mark]: from that batch on deletions up to that number of the archive were honoured.
    `recent` are the losses that the next one is judged by.
    """

    step: int
    batch: int
    loss: float
    history: list[tuple[int, int]]
    skipped: list[int]
    recent: list[float] = []


class Meta(Progress, frozen=True, kw_only=True):
    """What a checkpoint says of itself."""

    source_id: str
    deletion_mark: int
    shape: LlamaShape | None
    optimizer: str
    batch_tokens: int
    seed: int
    files: dict[str, str] = {}


def meta_of(progress: Progress, run: Run) -> Meta:
    """Return what the checkpoint of a run says."""
    return Meta(
        **msgspec.structs.asdict(progress),
        source_id=run.source_id,
        deletion_mark=progress.history[-1][1] if progress.history else 0,
        shape=run.shape,
        optimizer=run.settings.optimizer,
        batch_tokens=run.recipe.batch_tokens,
        seed=run.settings.seed,
    )


class Checkpoints:
    """The checkpoints of one run directory, for one model and its optimisers."""

    def __init__(
        self, directory: Path, ranks: Ranks, model: nn.Module, optim: Optimizers, keep: int, group: str = ""
    ) -> None:
        self.directory, self._ranks, self._keep = directory / "checkpoints", ranks, keep
        self._model, self._optim = model, optim
        self._is_partial = not all(weight.requires_grad for weight in model.parameters())
        self._suffix = f"-{group}" if group else ""
        self._thread = ThreadPoolExecutor(1, "save")
        self._saving: Future[None] | None = None
        self._copies: list[Tensor] = []
        self._is_copied = threading.Event()
        self._is_copied.set()
        self.blocked_s: list[float] = []
        self._num_settled = 0
        if ranks.rank == 0:
            for torn in self.directory.glob(f".step-????????-???{self._suffix}"):
                shutil.rmtree(torn, ignore_errors=True)

    def save(self, meta: Meta) -> None:
        """Copy the state and write it in the background; waits for the save before.

        The caller may go on reading weights, but changes none before `settle`.

        Raises:
            StorageError: the save before failed; the checkpoints before it are as they were.
        """
        start_s = time.perf_counter()
        self.wait()
        state = self.state()
        ready = torch.cuda.Event() if torch.cuda.is_available() else None  # type: ignore[no-untyped-call]
        if ready is not None:
            ready.record()
        self._is_copied.clear()
        self._saving = self._thread.submit(self._write, state, meta, ready)
        self.blocked_s.append(time.perf_counter() - start_s)

    def settle(self) -> bool:
        """Wait until what is to be saved is copied, and return whether there was any: weights may change."""
        if len(self.blocked_s) == self._num_settled:
            return False
        self._num_settled = len(self.blocked_s)
        start_s = time.perf_counter()
        self._is_copied.wait()
        self.blocked_s[-1] += time.perf_counter() - start_s
        return True

    def wait(self) -> None:
        """Wait for the save that is under way.

        Raises:
            StorageError: it failed.
        """
        if self._saving is not None:
            saving, self._saving = self._saving, None
            saving.result()

    def check(self) -> None:
        """Raise what the save that is under way has failed with, if it has."""
        if self._saving is not None and self._saving.done():
            self.wait()

    def load(self, meta: Meta) -> Meta:
        """Load a checkpoint that `find` has verified into the model and its optimisers."""
        self.wait()
        state = self.state()
        path = path_of(self.directory, meta.step)
        load_state(state, path, self._ranks.saving)
        self.put(state)
        return meta

    def put(self, state: dict[str, Any]) -> None:
        """Give model and optimisers the values of a state."""
        self._is_copied.wait()
        set_state_dict(
            self._model,
            self._optim.each,
            model_state_dict=state["model"],
            optim_state_dict=state["optim"],
            options=StateDictOptions(strict=not self._is_partial),
        )

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()

    def state(self) -> dict[str, Any]:
        """Return the tensors of the model and its optimisers, by name; frozen ones are their base model's."""
        model, optim = get_state_dict(self._model, self._optim.each)
        if self._is_partial:
            wanted = {name for name, weight in self._model.named_parameters() if weight.requires_grad}
            model = {name: value for name, value in model.items() if name in wanted}
        return {"model": model, "optim": optim}

    def _write(self, state: dict[str, Any], meta: Meta, ready: Any) -> None:
        final = path_of(self.directory, meta.step)
        torn = self._torn(final)
        try:
            try:
                copied = self._copy(state, ready)
            finally:
                self._is_copied.set()
            with alone_is_fine():
                save(copied, checkpoint_id=torn, process_group=self._ranks.saving)
            if self._ranks.rank == 0:
                self._finish(torn, final, meta)
        except (Exception, CheckpointException) as error:
            if self._ranks.rank == 0:
                shutil.rmtree(torn, ignore_errors=True)
            good = names(self.directory)
            free = shutil.disk_usage(self.directory.parent).free
            raise StorageError(
                f"checkpoint {str(final)!r} could not be written: {_cause(error)}; {free / 1e6:,.1f} MB are "
                f"free; {'the last good one is ' + good[-1] if good else 'there is none before it'}; "
                "make room on the disk (or lower --keep) and start the same command again"
            ) from None

    def _finish(self, torn: Path, final: Path, meta: Meta) -> None:
        files = {path.name: _hash(path) for path in sorted(torn.iterdir())}
        told = msgspec.json.encode(msgspec.structs.replace(meta, files=files))
        with (torn / "meta.json").open("wb") as file:
            file.write(told)
            file.flush()
            os.fsync(file.fileno())
        sync_directory(torn)
        if final.exists():  # of before a rollback
            self._remove(final, "was")
        torn.rename(final)
        sync_directory(self.directory)
        for old in names(self.directory)[: -self._keep]:
            self._remove(self.directory / old, "old")

    def _remove(self, checkpoint: Path, why: str) -> None:
        """Take the name away first: what is killed half-way is no checkpoint that lacks files."""
        torn = self._torn(checkpoint, why)
        checkpoint.rename(torn)
        shutil.rmtree(torn)

    def _torn(self, final: Path, why: str = "new") -> Path:
        return final.with_name(f".{final.name}-{why}{self._suffix}")

    def _copy(self, state: dict[str, Any], ready: Any) -> dict[str, Any]:
        """Copy this rank's parts to memory that is kept from save to save; of a GPU beside its work."""
        stream = torch.cuda.Stream() if ready is not None else None  # type: ignore[no-untyped-call]
        before, self._copies = iter(self._copies), []

        def copy(leaf: Any) -> Any:
            if not isinstance(leaf, Tensor):
                return leaf
            part = leaf.to_local() if isinstance(leaf, DTensor) else leaf
            kept = next(before, None)
            if kept is None or (kept.shape, kept.dtype) != (part.shape, part.dtype):
                kept = torch.empty_like(part, device="cpu", pin_memory=part.is_cuda)
            self._copies.append(kept.copy_(part, non_blocking=part.is_cuda))
            if not isinstance(leaf, DTensor):
                return kept
            return DTensor(kept, leaf._spec, requires_grad=False)  # type: ignore[no-untyped-call]

        with torch.no_grad(), torch.cuda.stream(stream):
            if stream is not None:
                stream.wait_event(ready)
            copied: dict[str, Any] = tree_map(copy, state)
            if stream is not None:
                stream.synchronize()
        return copied


@contextmanager
def alone_is_fine() -> Iterator[None]:
    """Keep torch from warning that one process needs no group to save or load."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        yield


def load_state(state: dict[str, Any], path: Path, group: Any = None) -> None:
    """Load a verified checkpoint into a state's tensors, whatever ranks wrote it.

    Raises:
        InvalidInput: it holds other tensors than the model has.
    """
    try:
        with alone_is_fine():
            load(state, checkpoint_id=path, process_group=group)
    except CheckpointException as error:
        raise InvalidInput(f"{str(path)!r} does not fit the model: {_cause(error)}") from None


def find(directory: Path, step: int | None = None) -> Meta | None:
    """Return the newest checkpoint of a run directory, or that of a step, once every file has been verified.

    Raises:
        Corruption: a file is missing or was changed; the message names it and the one before.
        InvalidInput: there is none of that step.
    """
    checkpoints = directory / "checkpoints"
    known = names(checkpoints)
    if step is not None and path_of(checkpoints, step).name not in known:
        told = ", ".join(known[-5:]) or "none"
        raise InvalidInput(f"{str(directory)!r} has no checkpoint of step {step}; it has {told}")
    if not known:
        return None
    name = known[-1] if step is None else path_of(checkpoints, step).name
    return verify(checkpoints / name)


def verify(path: Path) -> Meta:
    """Return what a checkpoint says of itself, once every file has the hash that it had.

    Raises:
        Corruption: as `find`.
    """
    remedy = f"remove {str(path)!r}, and the run goes on from the checkpoint before it"
    try:
        meta = msgspec.json.decode((path / "meta.json").read_bytes(), type=Meta)
    except (OSError, msgspec.DecodeError) as error:
        raise Corruption(f"{str(path / 'meta.json')!r} cannot be read: {error}; {remedy}") from None
    for name, digest in meta.files.items():
        file = path / name
        if not file.is_file() or _hash(file) != digest:
            raise Corruption(f"{str(file)!r} is not as it was written; {remedy}")
    return meta


def names(checkpoints: Path) -> list[str]:
    """Return the names of all finished checkpoints, oldest first."""
    found = [path.name for path in checkpoints.iterdir()] if checkpoints.is_dir() else []
    return sorted(name for name in found if _NAME.fullmatch(name))


def path_of(checkpoints: Path, step: int) -> Path:
    """Return where the checkpoint of a step stands."""
    return checkpoints / f"step-{step:08d}"


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _cause(error: BaseException) -> str:
    if isinstance(error, HubbubError):
        return str(error)
    inner = [each for each in getattr(error, "failures", {}).values()]
    first = inner[0][0] if inner else error
    return str(first).strip().splitlines()[0][:200] if str(first).strip() else type(first).__name__
