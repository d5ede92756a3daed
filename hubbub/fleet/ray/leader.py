"""Leads the jobs on a Ray cluster: an actor that decides by the policy what Ray then holds and runs.

Ray has no priorities, quotas or preemption between jobs; it has placement groups, which are reserved wholly
or not at all, and actors. So the policy decides who runs on which nodes, and each job gets a placement group
there and an actor a rank. What is known is kept in Ray's own store (its GCS) before anything is done, so that
a leader that Ray starts again finds all jobs and ranks.
"""

from __future__ import annotations

import os
import threading
import time
import traceback
from typing import Any

import msgspec

from hubbub.errors import HubbubError, InvalidInput
from hubbub.fleet.actions import Action, Drain, Lend, Preempt, Restore, TakeBack
from hubbub.fleet.launcher import Edit, changed
from hubbub.fleet.local.journal import Book, Change, Row
from hubbub.fleet.local.leading import look_once, note, put
from hubbub.fleet.local.ranks import RankState
from hubbub.fleet.local.settling import cancelled, leave
from hubbub.fleet.local.truth import name_of, spec_of
from hubbub.fleet.policy import Policy
from hubbub.fleet.ray.cluster import SPACE, Nodes, Store
from hubbub.fleet.ray.rank import Rank
from hubbub.fleet.spec import FleetSpec

NAME = "hubbub-fleet"
LOOK_S = 0.3
_ANSWER_S = 2.0
_LOST = RankState(phase="lost", why="its node or its worker was lost")


class Leader:
    """Runs as a detached Ray actor, one a cluster; its methods are asked by `OnRay`."""

    def __init__(self, fleet: bytes, grace_s: float) -> None:
        self._store, self._nodes = Store(), Nodes()
        self._book, self._lock, self._policy = Book(), threading.RLock(), Policy()
        self._ended: dict[str, RankState] = {}
        self._actors: dict[str, Any] = {}
        """Ranks by name, of this process; Ray finds a named one only a moment after it was asked for."""
        known = self._store.get("book")
        if known is None:
            spec = msgspec.json.decode(fleet, type=FleetSpec)
            self._book.take_in(Change(fleet=spec, grace_s=grace_s))
        else:
            self._book.take_in(msgspec.json.decode(known, type=Change))
            self._nodes.ids = msgspec.json.decode(
                self._store.get("nodes") or b"{}", type=dict[str, list[str]]
            )
        self.step()
        threading.Thread(target=self._lead, daemon=True).start()

    def ask(self, what: str, *told: Any) -> tuple[str, Any]:
        """Do one of the deeds below; errors are values, as Ray would wrap them: (why not, answer)."""
        try:
            with self._lock:
                return "", getattr(self, f"_{what}")(*told)
        except HubbubError as error:
            return str(error), None

    def _book_now(self) -> bytes:
        return msgspec.json.encode(self._book.whole())

    def _ids(self) -> dict[str, list[str]]:
        return self._nodes.ids

    def _submit(self, row: Row, task: bytes) -> str:
        for known in self._book.rows.values():
            if known.token == row.token:
                return known.id
        job, now_s = str(self._book.next_id), time.time()
        self._store.put(f"task-{job}", task)
        self._write(
            Change(rows=[msgspec.structs.replace(row, id=job, submitted_s=now_s, waiting_since_s=now_s)])
        )
        return job

    def _cancel(self, job: str) -> None:
        row = self._book.rows.get(job)
        if row is None or row.phase == "ended":
            raise InvalidInput(f"job {job!r} neither waits nor runs")
        self._write(Change(rows=[cancelled(row, time.time())]))

    def _carry_out(self, action: Action) -> None:
        change = Change()
        if (
            isinstance(action, Preempt)
            and (row := self._book.rows.get(action.job))
            and row.phase == "running"
        ):
            put(self._book, change, leave(row, "preempted", action.reason))
        elif isinstance(action, Drain):
            note(self._book, change, action, time.time())
        elif isinstance(action, Restore):
            name = name_of(action.pool, action.node)
            change.out = {node: why for node, why in self._book.out.items() if node != name}
        elif not isinstance(action, Lend | TakeBack):
            raise InvalidInput(f"{type(action).__name__} is nothing that Ray can do: {action}")
        self._write(change)

    def _change(self, to: FleetSpec | Edit) -> None:
        self._write(Change(fleet=changed("this cluster", spec_of(self._book), to)))

    def _stop(self) -> None:
        self._write(
            Change(is_stopped=True, rows=[cancelled(row, time.time()) for row in self._book.open_rows()])
        )

    def _write(self, change: Change) -> None:
        """Let a change hold, and keep it before anything of it is done."""
        if change != Change():
            self._book.take_in(change)
            self._store.put("book", msgspec.json.encode(self._book.whole()))

    def _lead(self) -> None:
        """Lead on; what is not understood ends the process, and Ray starts another, which reads its book."""
        try:
            while True:
                time.sleep(LOOK_S)
                self.step()
        finally:
            traceback.print_exc()
            os._exit(1)

    def step(self) -> None:
        """Look once, decide, and do what has to be done."""
        with self._lock:
            change = Change()
            if self._nodes.look(self._book, change):
                self._store.put("nodes", msgspec.json.encode(self._nodes.ids))
            look_once(self._book, change, self._look, time.time(), self._policy, judges=True)
            self._write(change)
            for row in change.rows:
                if row.phase in ("waiting", "ended"):
                    self._clear(row)
            for row in self._book.open_rows():
                if row.phase == "running":
                    self._launch(row)
                elif row.phase == "leaving":
                    for name in _names(row):
                        if name not in self._ended and (actor := self._actor(name)) is not None:
                            actor.tell.remote()

    def _look(self, row: Row) -> list[RankState]:
        import ray

        asked = {
            name: actor.look.remote()
            for name in _names(row)
            if name not in self._ended and (actor := self._actor(name)) is not None
        }
        if asked:
            ray.wait(list(asked.values()), num_returns=len(asked), timeout=_ANSWER_S)
        return [self._state_of(row, name, asked.get(name)) for name in _names(row)]

    def _actor(self, name: str) -> Any:
        """Return a rank's actor, None where there is none or no more."""
        import ray

        if name not in self._actors:
            try:
                self._actors[name] = ray.get_actor(name, namespace=SPACE)
            except ValueError:
                return None
        return self._actors[name]

    def _state_of(self, row: Row, name: str, asked: Any) -> RankState:
        import ray

        if name in self._ended:
            return self._ended[name]
        if asked is None:
            return _LOST if self._store.get(f"begun-{row.id}.{row.attempt}") else RankState(phase="never")
        try:
            state: RankState = ray.get(asked, timeout=0)
        except ray.exceptions.GetTimeoutError:
            return RankState(phase="lives")
        except ray.exceptions.RayError:
            state = _LOST
        if state.phase != "lives":
            self._ended[name] = state
        return state

    def _launch(self, row: Row) -> None:
        """Reserve a gang's GPUs and start its ranks, once; where Ray has given them to others, it waits."""
        import ray
        from ray.util.placement_group import placement_group
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        if self._store.get(f"begun-{row.id}.{row.attempt}"):
            return
        unit, ids = self._nodes.unit_of(row.pool), self._nodes.ids[row.pool]
        group = placement_group(
            [{unit: float(gpus)} for _, gpus in row.shares],
            strategy="STRICT_SPREAD",
            name=_group(row),
            lifetime="detached",
            bundle_label_selector=[{"ray.io/node-id": ids[node]} for node, _ in row.shares],
        )
        if not group.wait(_ANSWER_S):
            later = leave(row, "preempted", "Ray has given its nodes to others")
            self._write(Change(rows=[msgspec.structs.replace(later, not_before_s=time.time() + 5.0)]))
            return
        self._store.put(f"begun-{row.id}.{row.attempt}", b".")
        task = self._store.get(f"task-{row.id}")
        for rank, name in enumerate(_names(row)):
            gpus = row.shares[rank][1]
            options = ray.remote(Rank).options(
                name=name,
                namespace=SPACE,
                lifetime="detached",
                max_restarts=0,
                num_cpus=gpus if unit == "CPU" else 0,
                num_gpus=gpus if unit == "GPU" else 0,
                scheduling_strategy=PlacementGroupSchedulingStrategy(group, rank),
            )
            told = self._nodes.variables_of(row, rank)
            self._actors[name] = options.remote(task, told, self._book.grace_s)

    def _clear(self, row: Row) -> None:
        """Give back what the last attempt of a job held."""
        import ray
        from ray.util.placement_group import get_placement_group, remove_placement_group

        for name in [name for name in self._actors if name.startswith(f"{_group(row)}.")]:
            ray.kill(self._actors.pop(name))
            self._ended.pop(name, None)
        try:
            remove_placement_group(get_placement_group(_group(row)))
        except ValueError:
            pass
        if row.phase == "ended":
            self._store.forget(row.id)


def _group(row: Row) -> str:
    return f"hubbub-{row.id}.{row.attempt}"


def _names(row: Row) -> list[str]:
    return [f"{_group(row)}.{rank}" for rank in range(len(row.shares))]
