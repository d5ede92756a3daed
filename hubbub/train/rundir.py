"""A run's directory: its one trainer, and `run.json`, which says what the run is; no tensors."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import msgspec

from hubbub.disk import replace_durably
from hubbub.errors import Corruption, InUse, InvalidInput, StorageError
from hubbub.model.shape import LlamaShape
from hubbub.train.recipe import Recipe, TrainSettings


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is: asked and derived; `started_from` is [path, step] of the weights it began with.

    `history` holds [batch, mark] at each rise of the deletion mark, `skipped` the batches left out for good.
    """

    settings: TrainSettings
    shape: LlamaShape | None
    recipe: Recipe
    source_id: str
    started_from: tuple[str, int] | None
    torch: str
    history: list[tuple[int, int]] = []
    skipped: list[int] = []


class RunLock:
    """Makes one process the trainer of a directory; the kernel releases it when the process dies."""

    def __init__(self, directory: Path, group: str = "") -> None:
        """Take the lock; groups of one run share it.

        Raises:
            InUse: another trainer holds it; the message names its process.
            StorageError: the directory cannot be written.
        """
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(directory / "trainer.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StorageError(f"run directory {str(directory)!r} cannot be written: {error}") from None
        try:
            fcntl.flock(self._fd, (fcntl.LOCK_SH if group else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise InUse(
                f"process {owner} is training in {str(directory)!r}; stop it first (kill {owner} saves and "
                "leaves), or train into another directory"
            ) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another trainer in."""
        os.close(self._fd)


def read_run(directory: Path) -> Run | None:
    """Read `run.json`, or return None where no run has been.

    Raises:
        Corruption: the file is damaged.
    """
    path = directory / "run.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Run)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise Corruption(
            f"{str(path)!r} cannot be read: {error}; start the run anew in another directory"
        ) from None


def write_run(directory: Path, run: Run) -> None:
    """Replace `run.json` in one step, whichever group writes at the same time."""
    path = directory / "run.json"
    fresh = path.with_suffix(f".{os.getpid()}.new")
    try:
        with fresh.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(run), indent=1))
            file.flush()
            os.fsync(file.fileno())
        replace_durably(fresh, path)
    except OSError as error:
        raise StorageError(f"{str(path)!r} cannot be written: {error}; make room on the disk") from None


def check_same(directory: Path, old: Run, new: Run) -> None:
    """Refuse to go on with a run that is another.

    Raises:
        InvalidInput: what may not change has; the message names it, the file and the remedy.
    """
    for what, was, now in (
        ("corpus", old.source_id, new.source_id),
        ("shape of the model", old.shape, new.shape),
        ("seed", old.settings.seed, new.settings.seed),
        ("start", old.settings.is_wired, new.settings.is_wired),
        ("optimizer", old.settings.optimizer, new.settings.optimizer),
        ("tokens a batch", old.recipe.batch_tokens, new.recipe.batch_tokens),
    ):
        if was != now:
            raise InvalidInput(
                f"{str(directory / 'run.json')!r} was begun with another {what}: {_told(was)}, now "
                f"{_told(now)}; name the same as then, or train into another directory "
                "(--start-from takes this run's weights along)"
            )


def _told(value: object) -> str:
    if isinstance(value, LlamaShape):
        return f"{value.num_params:,} weights, {value.num_layers} x {value.hidden}, vocabulary {value.vocab}"
    return str(value)[:64]
