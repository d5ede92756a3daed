"""The loop: batch, gradients, update, checkpoint; and back to a checkpoint when the weights have gone bad.

What it trains, on what and where to is opened in `run`; this file decides nothing but the next step.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import nn

from hubbub.errors import HubbubError
from hubbub.train.checkpoints import Checkpoints, Meta, find
from hubbub.train.data import Batches
from hubbub.train.faults import PATIENCE, Judge, Requests, Watchdog
from hubbub.train.metrics import Happened, Log, Meter, StepDone
from hubbub.train.optim import Optimizers
from hubbub.train.parallel import Ranks
from hubbub.train.rundir import Run, write_run

Tell = Callable[[Run | StepDone | Happened], None]
MAX_ROLLBACKS = 3
MAX_EMPTY = 10_000


class Trainer:
    """A run under way: `step` updates are done, `batch` is the next one to read."""

    def __init__(
        self,
        run: Run,
        directory: Path,
        ranks: Ranks,
        model: nn.Module,
        batches: Batches,
        meter: Meter,
        tell: Tell | None = None,
    ) -> None:
        self.run, self.directory, self.ranks, self.model, self.batches = run, directory, ranks, model, batches
        recipe, asked = run.recipe, run.settings
        self.optim = Optimizers(model, asked.optimizer, recipe.rate, asked.weight_decay)
        self.checkpoints = Checkpoints(directory, ranks, model, self.optim, asked.keep)
        self.step, self.batch, self.loss = 0, 0, float("nan")
        self.history, self.skipped = list(run.history), list(run.skipped)
        self._judge, self._meter, self._tell = Judge(), meter, tell
        self._num_rollbacks = self._num_empty = 0
        self.requests: Requests | None = None
        is_gpu = ranks.is_gpu
        self._autocast = torch.autocast(
            "cuda" if is_gpu else "cpu", torch.bfloat16, enabled=asked.precision == "bf16"
        )
        self._log = Log(directory, asked.metrics_port) if ranks.rank == 0 else None
        self._dog = Watchdog(asked.stall_s, ranks.rank)

    def resume(self, meta: Meta) -> None:
        """Go on from a checkpoint; batches skipped since then stay skipped."""
        self.checkpoints.load(meta)
        self.step, self.batch, self.loss = meta.step, meta.batch, meta.loss
        self.history = list(meta.history)
        self.skipped = sorted({*self.skipped, *meta.skipped})

    def go(self) -> bool:
        """Train to the end of the schedule and return True, or until asked to leave and return False.

        Every rank leaves at the same step, saved. A signal is raised again once this returns.
        """
        if self._log and self._tell:
            self._tell(self.run)
        self.say("start", f"{self.run.recipe.num_steps - self.step} steps to go")
        saved = self.step
        while self.step < self.run.recipe.num_steps:
            should_stop = self.do_step()
            self.checkpoints.check()
            if self.step != saved and (should_stop or self.step % self.run.recipe.save_every == 0):
                self.save()
                saved = self.step
            if should_stop:
                self._dog.beat("saving")
                self.checkpoints.wait()
                self.say("stopped", "saved; the same command goes on from here")
                return False
        if self.step != saved or not self.checkpoints.blocked_s:
            self.save()
        self._dog.beat("saving")
        self.checkpoints.wait()
        self.say("finished", f"loss {self.loss:.4f}")
        return True

    def do_step(self) -> bool:
        """Do one step, or leave a batch out; return whether a rank was asked to leave."""
        while self.batch in self.skipped:
            self.batch += 1
        self._dog.beat(f"training on batch {self.batch}")
        self._meter.lap()
        number, mark = self.batch, self.batches.source.deletion_mark
        total, count, rows, positions = self._gradients(number)
        asked = float(self.requests is not None and self.requests.signal is not None)
        marks = [0.0] * self.ranks.world
        marks[self.ranks.rank] = float(mark)
        total, count, asked, rows, positions, *marks = self.ranks.add_up(
            [total, count, asked, rows, positions, *marks]
        )
        self._note_mark(number, int(min(marks)))
        self.batch += 1
        if not count:
            self._pass_empty()
            return bool(asked)
        self._num_empty = 0
        loss, ratio = total / count, self.run.recipe.batch_tokens / count
        norm = float(self.optim.norm()) * ratio
        if self._judge.is_bad(loss, norm):
            self._skip(number, loss, norm)
            return bool(asked)
        self.optim.scale(ratio * min(1.0, self.run.settings.clip / max(norm, 1e-12)))
        factor = self.run.recipe.schedule.factor(self.step)
        self.optim.step(factor)
        self.optim.zero()
        self.step, self.loss = self.step + 1, loss
        self._report(
            self._meter.step(
                step=self.step,
                batch=number,
                loss=loss,
                rate=self.optim.rate * factor,
                norm=norm,
                tokens=int(count),
                row_tokens=positions / max(rows, 1),
                deletion_mark=int(min(marks)),
            )
        )
        return bool(asked)

    def save(self) -> None:
        """Begin to save; the copy blocks, the writing does not."""
        self._dog.beat("saving")
        run = self.run
        meta = Meta(
            step=self.step,
            batch=self.batch,
            source_id=run.source_id,
            deletion_mark=self.history[-1][1] if self.history else 0,
            loss=self.loss,
            shape=run.shape,
            optimizer=run.settings.optimizer,
            batch_tokens=run.recipe.batch_tokens,
            seed=run.settings.seed,
            history=list(self.history),
            skipped=list(self.skipped),
        )
        self.checkpoints.save(meta)
        self.say("saved", f"blocked {self.checkpoints.blocked_s[-1]:.3f} s")

    def say(self, what: str, text: str) -> None:
        """Log that something happened."""
        mark = self.history[-1][1] if self.history else 0
        self._report(Happened(what=what, step=self.step, batch=self.batch, deletion_mark=mark, text=text))

    def close(self) -> None:
        """End threads, log and port."""
        self._dog.close()
        self.batches.close()
        self.checkpoints.close()
        if self._log:
            self._log.close()

    def _gradients(self, number: int) -> tuple[float, float, float, float]:
        """Add up gradients of one batch; return this rank's summed loss, targets, rows and positions."""
        nominal = self.run.recipe.batch_tokens / self.ranks.world  # FSDP takes the mean over ranks
        total: Any = 0.0
        count = rows = positions = 0
        for ids, targets, documents, num_targets in self.batches.micros(number, self.ranks.device):
            if not num_targets and self.ranks.world == 1:
                continue
            with self._autocast:
                loss = self.model(ids, targets, documents, num_targets=nominal)
            loss.backward()
            total = total + loss.detach()
            count += num_targets
            rows, positions = rows + ids.shape[0], positions + ids.numel()
        return float(total) * nominal, float(count), float(rows), float(positions)

    def _note_mark(self, number: int, mark: int) -> None:
        if self.history and mark <= self.history[-1][1]:
            return
        self.history.append((number, mark))
        self._write_run()
        self.say("mark", f"deletions up to {mark} are honoured from batch {number} on")

    def _pass_empty(self) -> None:
        """Pass over a batch of which nothing lives, or that one long document before it covers."""
        self.optim.zero()
        self._num_empty += 1
        if self._num_empty > MAX_EMPTY:
            raise HubbubError(
                f"{MAX_EMPTY} batches in a row held nothing that lives (now {self.batch}): the corpus "
                f"{self.run.settings.corpus!r} has been deleted; build it anew from the archive"
            )

    def _skip(self, number: int, loss: float, norm: float) -> None:
        """Leave a bad batch out; when that does not help, go back and leave all of them out."""
        self.optim.zero()
        self.skipped.append(number)
        self._write_run()
        self.say("skipped", f"batch {number} is left out: loss {loss:.4g}, gradient {norm:.4g}")
        if self._judge.num_bad < PATIENCE:
            return
        self._num_rollbacks += 1
        self.checkpoints.wait()
        meta = find(self.directory)
        if meta is None or self._num_rollbacks > MAX_ROLLBACKS:
            raise HubbubError(
                f"the loss stays bad ({loss:.4g} at batch {number}) after {self._num_rollbacks - 1} returns "
                f"to a checkpoint of {str(self.directory)!r}; lower --rate (now {self.optim.rate:.3g}) and "
                "train into another directory"
            )
        was = self.step
        self.resume(meta)
        self._judge.forget()
        self._meter.lose()
        self.say("rollback", f"from step {was} to {meta.step}: {PATIENCE} bad batches in a row")

    def _write_run(self) -> None:
        if self.ranks.rank == 0:
            run = msgspec.structs.replace(self.run, history=self.history, skipped=sorted(self.skipped))
            write_run(self.directory, run)

    def _report(self, told: StepDone | Happened) -> None:
        if self._log:
            self._log.write(told)
            if self._tell:
                self._tell(told)
