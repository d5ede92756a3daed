"""The page of a run: its loss curve, speed and what happened, from `metrics.ndjson`; no new figures."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from hubbub.drawing import Axis, Line, Mark, line_chart, linear_axis, short
from hubbub.report import Fact, Picture, Report, write_report
from hubbub.train.metrics import Happened, StepDone, read_events, read_metrics

T = TypeVar("T")
_MAX_POINTS = 400
_SHOWN = {"skipped": "left out", "rollback": "back", "start": "start"}


def write_page(directory: Path) -> Path | None:
    """Write `loss.html` of a run directory; None where no step was done."""
    steps = read_metrics(directory)
    if not steps:
        return None
    events = [each for each in read_events(directory) if each.what in _SHOWN and each.step]
    last = steps[-1]
    report = Report(
        title=f"Training: {directory.name}",
        lead=f"Step {last.step:,} of {last.num_steps:,}.",
        facts=(
            Fact(name="loss", value=f"{last.loss:.3f}", band="nats a token"),
            Fact(name="tokens", value=short(sum(step.tokens for step in steps))),
            Fact(name="tokens a second", value=short(last.tokens_per_s)),
            Fact(name="goodput", value=f"{100 * last.goodput:.0f} %"),
            Fact(name="deletions honoured up to", value=f"{last.deletion_mark:,}"),
        ),
        pictures=(_loss(steps, events), _speed(steps)),
        note="Loss is the mean over the step's targets, before its update. "
        "Goodput is the share of time since the start that went into steps that count.",
    )
    path = directory / "loss.html"
    write_report(report, path)
    return path


def _loss(steps: list[StepDone], events: list[Happened]) -> Picture:
    points = _thin([(float(step.step), step.loss) for step in steps])
    y = linear_axis("loss, nats a token", [value for _, value in points], from_zero=False)
    marks = [Mark(x=float(each.step), text=_SHOWN[each.what]) for each in events[:12]]
    return Picture(
        title="Loss",
        finding=f"From {points[0][1]:.3f} at the start to {points[-1][1]:.3f} at step {steps[-1].step:,}.",
        svg=line_chart([Line(name="loss", points=points)], _steps(steps), y, marks),
        header=("step", "loss", "learning rate"),
        rows=tuple((f"{s.step:,}", f"{s.loss:.4f}", f"{s.rate:.3g}") for s in _thin(steps)),
    )


def _speed(steps: list[StepDone]) -> Picture:
    points = _thin([(float(step.step), step.tokens_per_s) for step in steps])
    return Picture(
        title="Speed",
        finding=f"{short(points[-1][1])} tokens a second at the last step.",
        svg=line_chart(
            [Line(name="tokens a second", points=points)],
            _steps(steps),
            linear_axis("tokens a second", [value for _, value in points]),
        ),
        header=("step", "tokens a second", "tokens a CPU second"),
        rows=tuple(
            (f"{s.step:,}", f"{s.tokens_per_s:,.0f}", f"{s.tokens_per_cpu_s:,.0f}") for s in _thin(steps)
        ),
    )


def _steps(steps: list[StepDone]) -> Axis:
    return linear_axis("step", [float(steps[-1].step)])


def _thin(values: list[T]) -> tuple[T, ...]:
    """Take at most so many values, the last always."""
    stride = -(-len(values) // _MAX_POINTS)
    return tuple(values[len(values) - 1 :: -stride][::-1])
