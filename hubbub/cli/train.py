"""`hubbub train`: a model from a corpus; the verbs beside it have files of their own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hubbub.cli.lazy import LazyVerbs
from hubbub.cli.options import json_option
from hubbub.cli.output import Progress, print_json, print_note, progress
from hubbub.cli.plan_options import parse_count
from hubbub.cli.train_live import archive_option, deletions, trainer
from hubbub.errors import InvalidInput

if TYPE_CHECKING:
    from hubbub.train.metrics import Happened, StepDone
    from hubbub.train.run import TrainReport
    from hubbub.train.rundir import Run

# Verbs with a file of their own: the file, and what the list of verbs says of each.
VERBS = {
    "evaluate": ("train_evaluate", "Bits per byte on the newest posts, against simple baselines."),
    "lessons": ("train_lessons", "Make lessons in the assistant's form from a corpus."),
    "lora": ("train_lora", "Adapt a Hugging Face model with low-rank matrices."),
    "sft": ("train_sft", "Teach a trained model to answer with citations."),
    "weeks": ("train_weeks", "Train on week by week, with a release each."),
}
ROWS = 25


class TrainVerbs(LazyVerbs):
    """What is no verb is the corpus of `hubbub train CORPUS DIR`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take `run` for the verb where none is named."""
        if args and args[0] not in (*self.list_commands(ctx), *ctx.help_option_names):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=TrainVerbs, files=VERBS, subcommand_metavar="CORPUS RUN_DIR [OPTIONS] | COMMAND ...")
def train() -> None:
    """Train a model on a corpus: hubbub train CORPUS RUN_DIR --params 10M (its options: train run --help)."""


@train.command()
@click.argument("corpus", type=click.Path(path_type=Path))
@click.argument("run_dir", type=click.Path(path_type=Path, file_okay=False))
@click.option("--params", default="", help="Size of the model, as 10M or 1.3B; all else follows from it.")
@click.option("--depth", type=int, default=0, help="Layers, instead of --params.")
@click.option("--tokens", help="Train on so many, as 200M [default: 20 a weight, at most 4 epochs].")
@click.option("--steps", type=int, default=0, help="Train for so many steps instead.")
@click.option("--batch-tokens", type=int, default=0, help="Tokens a step, over all ranks.")
@click.option("--micro-tokens", type=int, default=0, help="Tokens at a time on one rank.")
@click.option("--seq", type=int, default=0, help="Longest text in tokens [default: 1024].")
@click.option("--rate", type=float, default=0.0, help="Highest learning rate.")
@click.option("--warmup-steps", type=int, help="Steps until then [default: a twentieth, at most 2000].")
@click.option("--schedule", default="wsd", show_default=True, help="wsd, constant or anneal.")
@click.option("--decay-share", type=float, default=0.2, show_default=True, help="Share of steps that decay.")
@click.option("--optimizer", default="adamw", show_default=True, help="adamw or muon.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--wired", "is_wired", is_flag=True, help="Begin with heads that copy: for small models.")
@click.option("--precision", default="bf16", show_default=True, help="bf16 or fp32.")
@click.option("--rows", default="", help="buckets or packed [default: packed on a GPU].")
@click.option("--compile/--no-compile", "is_compiled", default=None, help="[default: on a GPU]")
@click.option("--shard", type=int, default=0, help="Cut weights over so many ranks, copy over the rest.")
@click.option("--save-every", type=int, default=0, help="Steps between checkpoints [default: a tenth].")
@click.option("--keep", type=int, default=3, show_default=True, help="Checkpoints to keep.")
@click.option("--start-from", default="", metavar="DIR", help="Weights of a run, checkpoint or HF directory.")
@click.option("--is-trunk", is_flag=True, help="Take the optimiser's moments along as well.")
@click.option("--stall-s", type=float, default=600.0, show_default=True, help="Give up a step after this.")
@click.option("--join-s", type=float, default=60.0, show_default=True, help="Wait so long for ranks.")
@click.option("--metrics-port", type=int, default=0, help="Serve Prometheus on 127.0.0.1 at this port.")
@click.option("--nproc", type=int, default=1, show_default=True, help="Start so many ranks here.")
@click.option(
    "--replicas", type=int, default=0, help="Start so many groups of ranks that outlive each other."
)
@click.option("--lighthouse", default="", metavar="URL", help="Join groups at another machine's lighthouse.")
@click.option("--spec", type=click.Path(path_type=Path, exists=True), help="A RunSpec as TOML.")
@archive_option
@json_option
def run(corpus: Path, run_dir: Path, nproc: int, archive: Path | None, as_json: bool, **flags: Any) -> None:
    """Train, or go on training: the same command resumes. Ctrl-C or SIGTERM saves and leaves."""
    spec = flags.pop("spec")
    flags["tokens"] = parse_count(flags["tokens"]) if flags["tokens"] else 0.0
    if nproc < 1:
        raise InvalidInput(f"--nproc is {nproc}; it must be 1 or more")
    from hubbub.train.launch import adopt_slurm

    os.environ.update(adopt_slurm(os.environ))
    if (nproc > 1 or flags["replicas"]) and "RANK" not in os.environ:
        with deletions(archive, corpus):
            _launch(nproc, flags["replicas"], flags["lighthouse"])
        return
    work, settings_of = trainer("run", "train"), trainer("recipe", "TrainSettings")
    from hubbub.cli.train_plan import from_spec, peak_flops

    named = from_spec(spec) if spec else {}
    settings = settings_of(
        corpus=str(corpus),
        run_dir=str(run_dir),
        **{**flags, **{k: v for k, v in named.items() if not flags.get(k)}},
    )
    if not settings.peak_flops:
        settings = peak_flops(settings)
    with progress() as line, deletions(archive, corpus):
        report = work(settings, tell=Teller(line, as_json, run_dir, spec))
    if int(os.environ.get("RANK", 0)) == 0 and not as_json:
        click.echo(
            f"step {report.step}, loss {report.loss:.4f}; checkpoints, metrics and loss.html in {run_dir}"
        )
        if report.model_dir:
            click.echo(f"the model, for transformers, vLLM and `hubbub model`: {report.model_dir}")


def teach(
    work: Callable[..., Any],
    start_from: Path,
    lessons: Path,
    out: Path,
    *,
    as_json: bool,
    archive: Path | None,
    corpus: Path | None,
    **flags: Any,
) -> TrainReport:
    """Train something on lessons, and tell it as `train` does; an archive's deletions are obeyed."""
    from hubbub.train.lessons import read_lessons

    corpus = corpus or Path(read_lessons(lessons)[0].corpus)
    with progress() as line, deletions(archive, corpus):
        report: TrainReport = work(
            start_from, lessons, out, corpus=corpus, tell=Teller(line, as_json, out), **flags
        )
    return report


def _launch(nproc: int, replicas: int, lighthouse: str) -> None:
    command = [sys.executable, "-m", "hubbub.cli.main", *sys.argv[1:]]
    if replicas:
        from hubbub.train.replicas import launch_replicas

        launch_replicas(command, nproc, replicas, lighthouse, tell=print_note)
        return
    from hubbub.train.launch import launch

    launch(command, nproc, tell=print_note)


class Teller:
    """Prints a run: a table that grows now and then, a live line under it, and the page of pictures."""

    def __init__(self, line: Progress, as_json: bool, run_dir: Path | str, spec: Path | None = None) -> None:
        self._line, self._as_json, self._spec, self._run_dir = line, as_json, spec, Path(run_dir)
        self._next = 0

    def __call__(self, told: Run | StepDone | Happened) -> None:
        """Tell one thing."""
        from hubbub.train.metrics import StepDone
        from hubbub.train.page import write_page
        from hubbub.train.rundir import Run

        if isinstance(told, Run):
            self._begin(told)
        elif self._as_json:
            print_json(told)
        elif isinstance(told, StepDone):
            self._step(told)
        elif told.what != "mark" or told.batch:
            self._note(f"step {told.step}: {told.what}: {told.text}")
        if not isinstance(told, Run | StepDone) and told.what in ("saved", "finished"):
            write_page(self._run_dir)

    def _begin(self, run: Run) -> None:
        from hubbub.cli.train_plan import predicted

        recipe, size = run.recipe, f"{run.shape.num_params / 1e6:.1f}M" if run.shape else "own"
        self._note(
            f"model {size}; {recipe.num_steps:,} steps of {recipe.batch_tokens:,} tokens, "
            f"rate {recipe.rate:.2g}"
        )
        told = predicted(run, self._spec)
        if told:
            self._note(told)

    def _step(self, told: StepDone) -> None:
        if told.step >= self._next:
            if not self._next:
                self._clear()
                click.echo("    step    loss      rate  tokens/s  /CPU s   MFU %  goodput %   left")
            self._next = told.step + max(1, told.num_steps // ROWS)
            mfu = f"{100 * told.mfu_halved:.1f}" if told.mfu_halved else "-"
            self._clear()
            click.echo(
                f"{told.step:8d} {told.loss:7.4f} {told.rate:9.2e} {told.tokens_per_s:9,.0f} "
                f"{told.tokens_per_cpu_s:7,.0f} {mfu:>7} {100 * told.goodput:10.0f} {_time(told.eta_s):>6}"
            )
        done = round(20 * told.step / told.num_steps)
        self._line.show(
            f"[{'=' * done}{' ' * (20 - done)}] {told.step:,}/{told.num_steps:,}  loss {told.loss:.4f}  "
            f"{told.tokens_per_s:,.0f} tokens/s  {_time(told.eta_s)} left"
        )

    def _note(self, text: str) -> None:
        self._clear()
        print_note(text)

    def _clear(self) -> None:
        self._line.clear()


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}h{minutes % 60:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"
