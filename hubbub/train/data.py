"""Micro batches as tensors, made from a source at the moment of use; which rows go where is planned before.

A batch is cut into micro batches that do not depend on the ranks; each rank takes every world-th of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch

from hubbub.model.loss import IGNORED
from hubbub.train.order import Ints, buckets, cut, packed
from hubbub.train.source import Source


class Micro(NamedTuple):
    """Tensors [B, T]; `documents` numbers the document of each token where rows hold several."""

    ids: torch.Tensor
    targets: torch.Tensor
    documents: torch.Tensor | None
    num_targets: int


class _Layout(NamedTuple):
    keys: Ints
    starts: Ints
    micros: list[list[Ints]]


class Batches:
    """A source's batches as this rank's micro batches.

    Rows are documents padded to like lengths, or with `is_packed` several documents in `seq` tokens. With
    `is_ahead` a thread plans the next batch and touches its pages; what it reads is thrown away.
    """

    def __init__(
        self,
        source: Source,
        *,
        seq: int,
        micro_tokens: int,
        is_packed: bool = False,
        is_ahead: bool = False,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.source, self.seq, self.is_packed = source, seq, is_packed
        self.micro_tokens = max(micro_tokens, seq if is_packed else 1)
        self._rank, self._world = rank, world
        self._thread = ThreadPoolExecutor(1, "ahead") if is_ahead else None
        self._next: tuple[tuple[int, int, int], Future[_Layout]] | None = None

    def micros(self, number: int, device: str = "cpu") -> Iterator[Micro]:
        """Yield this rank's micro batches, as many as every rank's; each is read when it is asked for."""
        layout = self._planned(number)
        for rows in layout.micros:
            yield self._read(layout, rows, device)

    def close(self) -> None:
        """End the thread."""
        if self._thread:
            self._thread.shutdown(cancel_futures=True)

    def place(self, rank: int, world: int) -> None:
        """Take the micro batches of another rank from now on."""
        self._rank, self._world = rank, world

    def _planned(self, number: int) -> _Layout:
        wanted = number, self._rank, self._world
        if self._next and self._next[0] == wanted:
            layout = self._next[1].result()
        else:
            layout = self._plan(*wanted)
        if self._thread:
            after = number + 1, self._rank, self._world
            self._next = after, self._thread.submit(self._touch, *after)
        return layout

    def _plan(self, number: int, rank: int, world: int) -> _Layout:
        keys, lengths = self.source.plan(number)
        owner, starts, sizes = cut(lengths, self.seq)
        if self.is_packed:
            micros = packed(sizes, self.seq, self.micro_tokens // self.seq)
        else:
            micros = buckets(sizes, self.micro_tokens)
        micros += [[]] * (-len(micros) % world)
        return _Layout(keys[owner], starts, micros[rank::world])

    def _touch(self, number: int, rank: int, world: int) -> _Layout:
        layout = self._plan(number, rank, world)
        for part in (part for rows in layout.micros for row in rows for part in row):
            self.source.row(int(layout.keys[part]))
        return layout

    def _read(self, layout: _Layout, rows: list[Ints], device: str) -> Micro:
        read = [[self._part(layout, int(part)) for part in row] for row in rows]
        read = [[(ids, told) for ids, told in row if len(ids) > 1] for row in read]
        if self.is_packed:
            shape = self.micro_tokens // self.seq, self.seq
        else:
            read = [row for row in read if row]
            shape = max(len(read), 1), max((len(row[0][0]) - 1 for row in read), default=1)
        ids = np.zeros(shape, np.int64)
        targets = np.full(shape, IGNORED, np.int64)
        documents = np.full(shape, -1, np.int32) if self.is_packed else None
        for r, row in enumerate(read):
            at = 0
            for number, (tokens, is_loss) in enumerate(row):
                end = at + len(tokens) - 1
                ids[r, at:end] = tokens[:-1]
                targets[r, at:end] = tokens[1:]
                if is_loss is not None:
                    targets[r, at:end][~is_loss[1:]] = IGNORED
                if documents is not None:
                    documents[r, at:end] = number
                at = end
        return _to_device(ids, targets, documents, device)

    def _part(self, layout: _Layout, part: int) -> tuple[Any, Any]:
        ids, is_loss = self.source.row(int(layout.keys[part]))
        start = int(layout.starts[part])
        end = start + self.seq + 1
        return ids[start:end], None if is_loss is None else is_loss[start:end]


def _to_device(ids: Any, targets: Any, documents: Any, device: str) -> Micro:
    def move(array: Any) -> torch.Tensor:
        tensor = torch.from_numpy(array)
        return tensor if device == "cpu" else tensor.pin_memory().to(device, non_blocking=True)

    num_targets = int((targets != IGNORED).sum())
    return Micro(move(ids), move(targets), None if documents is None else move(documents), num_targets)
