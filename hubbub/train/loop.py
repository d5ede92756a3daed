"""The loop: batch, gradients, update, checkpoint; and back to a checkpoint when the weights have gone bad.

What it trains, on what and where to is opened in `run`; this file decides nothing but the next step.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import nn

from hubbub.errors import HubbubError
from hubbub.train.checkpoints import Checkpoints, Progress, find, meta_of
from hubbub.train.data import Batches
from hubbub.train.faults import PATIENCE, Judge, Requests, Watchdog
from hubbub.train.metrics import Happened, Log, Meter, StepDone, Tell, read_metrics
from hubbub.train.optim import Optimizers
from hubbub.train.parallel import Ranks
from hubbub.train.replicas import Groups
from hubbub.train.rundir import Run, write_run

__all__ = ["Tell", "Trainer"]
MAX_ROLLBACKS = 3
MAX_EMPTY = 1000


class Trainer:
    """A run under way: `step` updates are done, `batch` is the next one to read.

    With `groups` it is one of several that outlive each other; the first of them writes.
    """

    def __init__(
        self,
        run: Run,
        directory: Path,
        ranks: Ranks,
        model: nn.Module,
        batches: Batches,
        tell: Tell | None = None,
        groups: Groups | None = None,
    ) -> None:
        self.run, self.directory, self.ranks, self.model, self.batches = run, directory, ranks, model, batches
        recipe, asked = run.recipe, run.settings
        self.optim = Optimizers(model, asked.optimizer, recipe.rate, asked.weight_decay)
        group = groups.name if groups else ""
        self.checkpoints = Checkpoints(directory, ranks, model, self.optim, asked.keep, group)
        self.step, self.batch, self.loss = 0, 0, float("nan")
        self.history, self.skipped = list(run.history), list(run.skipped)
        self.groups, self.requests = groups, Requests()
        self._judge, self._is_told = Judge(), False
        self._unwritten: StepDone | None = None
        self._meter = Meter(
            run.shape, world=ranks.world, peak_flops=asked.peak_flops, num_steps=recipe.num_steps
        )
        self._num_rollbacks = self._num_empty = 0
        self._autocast = torch.autocast(ranks.kind, torch.bfloat16, enabled=asked.precision == "bf16")
        port = asked.metrics_port * (group in ("", "0"))
        self._log = Log(directory, port, tell) if ranks.rank == 0 else None
        self._dog = Watchdog(asked.stall_s, ranks.rank)

    @property
    def is_first(self) -> bool:
        """Whether this group writes checkpoints, figures and the model."""
        return self.groups is None or self.groups.rank == 0

    def progress(self) -> Progress:
        """Return all that goes on with a run besides tensors."""
        return Progress(
            step=self.step,
            batch=self.batch,
            loss=self.loss,
            history=list(self.history),
            skipped=sorted(self.skipped),
            recent=self._judge.recent,
        )

    def take(self, found: Progress) -> None:
        """Go on from there; batches skipped since then stay skipped."""
        self.step, self.batch, self.loss = found.step, found.batch, found.loss
        self.history = list(found.history)
        self.skipped = sorted({*self.skipped, *found.skipped})
        self._judge.begin(found.recent)

    def go(self) -> bool:
        """Train to the end of the schedule and return True, or until asked to leave and return False.

        Every rank leaves at the same step, saved.
        """
        num_steps, save_every = self.run.recipe.num_steps, self.run.recipe.save_every
        saved, should_stop = self.step, False  # before the first step there is nothing to save, nor a loss
        while self.step < num_steps and not should_stop:
            should_stop = self.do_step()
            self.checkpoints.check()
            if self.step != saved and (should_stop or self.step % save_every == 0 or self.step == num_steps):
                self.save()
                saved = self.step
        self._dog.beat("saving")
        self.settle()
        self.checkpoints.wait()
        is_finished = self.step >= num_steps
        told = f"loss {self.loss:.4f}" if is_finished else "saved; the same command goes on from here"
        self.say("finished" if is_finished else "stopped", told)
        return is_finished

    def do_step(self) -> bool:
        """Do one step, or leave a batch out; return whether a rank of this group was asked to leave."""
        self._dog.beat(f"training on batch {self.batch}")
        self._meter.lap()
        if self.groups:
            self.groups.begin(self)
            self._take_over()
            self._meter.world = self.ranks.world * self.groups.world
        if not self._is_told:
            self._is_told = True
            self._report(self.run)
            self.say("start", f"{self.run.recipe.num_steps - self.step} steps to go")
        while self.batch in self.skipped:
            self.batch += 1
        number = self.batch
        total, count, rows, positions, asked, mark = self._add_up(number)
        if self.groups and not self.groups.commit(self):
            self.optim.zero()
            return bool(asked)
        self._note_mark(number, int(mark))
        self.batch += 1
        if not count:  # nothing of it lives, or one long document before it covers it
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
        self.settle()
        self.optim.step(factor)
        self.optim.zero()
        self.step, self.loss = self.step + 1, loss
        told = {
            "step": self.step,
            "batch": number,
            "loss": loss,
            "norm": norm,
            "rate": self.optim.rate * factor,
        }
        size = positions / max(rows, 1)
        self._report(self._meter.step(int(count), size, deletion_mark=int(mark), **told))
        return bool(asked)

    def save(self) -> None:
        """Begin to save beside the training; weights may change after `settle`."""
        if self.is_first:
            self._dog.beat("saving")
            self.checkpoints.save(meta_of(self.progress(), self.run))

    def settle(self) -> None:
        """Wait until weights may change, and tell for how long a save held the training up."""
        if self.checkpoints.settle():
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
        if self.groups:
            self.groups.close()
        if self._log:
            self._log.close()

    def _add_up(self, number: int) -> list[float]:
        """Make the gradients of a batch; return loss, targets, rows, positions, requests, least mark."""
        mark = float(self.batches.source.deletion_mark)  # before the first row is read: it surely holds
        asked = float(self.requests.signal is not None)
        ranks = self.ranks
        *sums, asked, mark = ranks.add_up_and_least([*self._gradients(number), asked], mark)
        if not self.groups:
            return [*sums, asked, mark]
        marks = [0.0] * self.groups.world
        marks[self.groups.rank] = mark
        sums = self.groups.add_up(self.optim.local_gradients(), [*sums, *marks])
        return [*sums[:4], asked, min(sums[4:])]

    def _gradients(self, number: int) -> list[float]:
        """Add up gradients of one batch; return this rank's summed loss, targets, rows and positions."""
        nominal = self.run.recipe.batch_tokens / self.ranks.world  # FSDP takes the mean over ranks
        total: Any = 0.0
        count = rows = positions = 0
        for ids, targets, documents, num_targets in self.batches.micros(number, self.ranks.device):
            if not num_targets and self.ranks.world == 1 and not self.groups:
                continue
            with self._autocast:
                loss = self.model(ids, targets, documents, num_targets=nominal)
            loss.backward()
            total = total + loss.detach()
            count += num_targets
            rows, positions = rows + ids.shape[0], positions + ids.numel()
        return [float(total) * nominal, float(count), float(rows), float(positions)]

    def _note_mark(self, number: int, mark: int) -> None:
        if self.history and mark <= self.history[-1][1]:
            return
        self.history.append((number, mark))
        self._write_run()
        self.say("mark", f"deletions up to {mark} are honoured from batch {number} on")

    def _pass_empty(self) -> None:
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
        meta = self.ranks.share(find(self.directory) if self.ranks.rank == 0 else None)
        if meta is None or self._num_rollbacks > MAX_ROLLBACKS:
            raise HubbubError(
                f"the loss stays bad ({loss:.4g} at batch {number}) after {self._num_rollbacks - 1} returns "
                f"to a checkpoint of {str(self.directory)!r}; lower --rate (now {self.optim.rate:.3g}) and "
                "train into another directory"
            )
        was = self.step
        self.take(self.checkpoints.load(meta))
        self._meter.lose()
        self.say("rollback", f"from step {was} to {meta.step}: {PATIENCE} bad batches in a row")

    def _write_run(self) -> None:
        if self.ranks.rank == 0 and self.is_first:
            run = msgspec.structs.replace(self.run, history=self.history, skipped=sorted(self.skipped))
            write_run(self.directory, run)

    def _take_over(self) -> None:
        """Write the step that the group that was first was lost before writing."""
        if self._log and self.is_first and self._unwritten:
            self._log.mend()
            told, self._unwritten = self._unwritten, None
            if not any(step.step >= told.step for step in read_metrics(self.directory)[-1:]):
                self._report(told)

    def _report(self, told: Run | StepDone | Happened) -> None:
        if self._log and self.is_first:
            self._log.write(told)
        elif self._log and isinstance(told, StepDone):
            self._unwritten = told
