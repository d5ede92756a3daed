"""The figures of a run: what a step yields, `metrics.ndjson`, Prometheus; nothing is printed here."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from hubbub.model.shape import LlamaShape
from hubbub.train.rundir import Run


class StepDone(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="step"):
    """One step. Tokens are those with a loss, over all ranks; CPU seconds are this rank's.

    `mfu_full` counts 6 N + 12 L d T operations a token (N without the embedding table, T the row's length:
    torchtitan's and nanochat's convention); `mfu_halved` half of the second part, as a causal kernel does.
    Both are shares of `peak_flops` a device, 0 where no peak is known. `goodput` is the share of seconds
    since the start that went into steps that count.
    """

    step: int
    num_steps: int
    batch: int
    loss: float
    rate: float
    norm: float
    tokens: int
    step_s: float
    tokens_per_s: float
    tokens_per_cpu_s: float
    mfu_full: float
    mfu_halved: float
    goodput: float
    eta_s: float
    deletion_mark: int


class Happened(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="event"):
    """Something worth a line: `what` is start, mark, saved, skipped, rollback, stopped or finished."""

    what: str
    step: int
    batch: int
    deletion_mark: int
    text: str


Tell = Callable[[Run | StepDone | Happened], None]


class Meter:
    """Makes a step's figures from what was counted."""

    def __init__(self, shape: LlamaShape | None, *, world: int, peak_flops: float, num_steps: int) -> None:
        self._spec, self.world = shape.to_spec() if shape else None, world
        self._peak, self._num_steps = peak_flops, num_steps
        self._start_s = self._last_s = time.perf_counter()
        self._last_cpu_s = time.process_time()
        self._useful_s = 0.0
        self._recent: list[float] = []

    def lap(self) -> None:
        """Begin a step: what went before belongs to none."""
        self._last_s, self._last_cpu_s = time.perf_counter(), time.process_time()

    def step(self, tokens: int, row_tokens: float, **told: Any) -> StepDone:
        """End a step."""
        now_s, cpu_s = time.perf_counter(), time.process_time()
        step_s, spent_s = max(now_s - self._last_s, 1e-9), max(cpu_s - self._last_cpu_s, 1e-9)
        self._useful_s += step_s
        self._recent = [*self._recent[-19:], step_s]
        left = self._num_steps - told["step"]
        return StepDone(
            num_steps=self._num_steps,
            tokens=tokens,
            step_s=step_s,
            tokens_per_s=tokens / step_s,
            tokens_per_cpu_s=tokens / self.world / spent_s,
            mfu_full=self._mfu(tokens / step_s, row_tokens, is_causal=False),
            mfu_halved=self._mfu(tokens / step_s, row_tokens, is_causal=True),
            goodput=self._useful_s / (now_s - self._start_s),
            eta_s=left * sum(self._recent) / len(self._recent),
            **told,
        )

    def lose(self) -> None:
        """Take all steps so far back: the run went back to a checkpoint."""
        self._useful_s = 0.0

    def _mfu(self, tokens_per_s: float, row_tokens: float, *, is_causal: bool) -> float:
        if not self._peak or not self._spec:
            return 0.0
        flops = self._spec.flops_per_token(max(1, round(row_tokens)), is_causal=is_causal)
        return tokens_per_s * flops / (self._peak * self.world)


class Log:
    """Appends to `metrics.ndjson`, tells, and serves the newest figures to Prometheus on localhost."""

    def __init__(self, directory: Path, port: int = 0, tell: Tell | None = None) -> None:
        self._file = (directory / "metrics.ndjson").open("a+b")
        self.mend()
        self._server: Any = None
        self._tell = tell
        if port:
            from prometheus_client import CollectorRegistry, Gauge, start_http_server

            registry = CollectorRegistry()
            self._gauges = {
                name: Gauge(f"hubbub_train_{name}", f"{name} of the newest step", registry=registry)
                for name in StepDone.__struct_fields__
            }
            self._server, _ = start_http_server(port, addr="127.0.0.1", registry=registry)

    def mend(self) -> None:
        """End the line within which another process was killed."""
        size = os.fstat(self._file.fileno()).st_size
        if size and os.pread(self._file.fileno(), 1, size - 1) != b"\n":
            self._file.write(b"\n")

    def write(self, told: Run | StepDone | Happened) -> None:
        """Append one line (of a run itself none), and tell who wants to be told."""
        if not isinstance(told, Run):
            self._file.write(msgspec.json.encode(told) + b"\n")
            self._file.flush()
        if self._tell:
            self._tell(told)
        if self._server is not None and isinstance(told, StepDone):
            for name, gauge in self._gauges.items():
                gauge.set(getattr(told, name))

    def close(self) -> None:
        """End the file and the port."""
        self._file.close()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


def read_metrics(directory: Path) -> list[StepDone]:
    """Read the steps that count; what a resumption or a rollback did again is there once, as last done."""
    steps: list[StepDone] = []
    for told in _read(directory):
        while steps and steps[-1].step >= told.step + isinstance(told, Happened):
            steps.pop()
        if isinstance(told, StepDone):
            steps.append(told)
    return steps


def read_events(directory: Path) -> list[Happened]:
    """Read what happened besides steps, in order."""
    return [told for told in _read(directory) if isinstance(told, Happened)]


def _read(directory: Path) -> Iterator[StepDone | Happened]:
    path = directory / "metrics.ndjson"
    for line in path.read_bytes().splitlines() if path.is_file() else []:
        try:
            yield msgspec.json.decode(line, type=StepDone | Happened)
        except msgspec.DecodeError:  # the last line of a killed process
            continue


def matmul_flops(device: str, *, is_bf16: bool) -> float:
    """Measure what a square matrix product reaches on this device, one of them, in FLOP/s."""
    import torch

    size, num = (8192, 8) if device.startswith("cuda") else (768, 4)
    kind = torch.bfloat16 if is_bf16 else torch.float32
    a = torch.randn(size, size, device=device, dtype=kind)
    best_s = float("inf")
    for _ in range(num):
        start_s = time.perf_counter()
        (a @ a).float()[0, 0].item()
        best_s = min(best_s, time.perf_counter() - start_s)
    return 2.0 * size**3 / best_s
