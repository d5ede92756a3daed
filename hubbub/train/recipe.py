"""What a run is asked to do, and the one dial that derives the rest: size -> tokens, batch, rate, steps.

Shapes are derived in `hubbub.model.shape`. No torch.
"""

from __future__ import annotations

import math

import msgspec

from hubbub.errors import InvalidInput
from hubbub.model.shape import LlamaShape
from hubbub.train.schedule import SCHEDULES, Schedule, schedule_for

TOKENS_PER_PARAM = 20
"""Hoffmann et al. (arXiv 2203.15556): about 20 tokens for each weight use a given compute best."""
MAX_EPOCHS = 4
"""Muennighoff et al. (arXiv 2305.16264): up to four readings are worth almost as much as new text."""
MAX_RATE = 6e-3
MAX_WIRED_RATE = 1.5e-3
"""Faster steps blur what a wired start can do before it is of use (decision 126)."""


class TrainSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run; 0, "" and None let the recipe choose. Sizes in tokens are of the whole batch, over all ranks.

    `source` names what rows are read (empty: the corpus's documents). `start_from` is a run, a checkpoint or
    a Hugging Face directory to take weights from; with `is_trunk` the moments too, and the schedule goes on.
    `is_wired` begins with heads that copy (`hubbub.model.copying`), and less fast, so that they last.
    """

    corpus: str
    run_dir: str
    params: str = ""
    depth: int = 0
    shape: LlamaShape | None = None
    tokens: float = 0.0
    steps: int = 0
    batch_tokens: int = 0
    micro_tokens: int = 0
    seq: int = 0
    rate: float = 0.0
    warmup_steps: int | None = None
    schedule: str = "wsd"
    decay_share: float = 0.2
    optimizer: str = "adamw"
    weight_decay: float = 0.1
    clip: float = 1.0
    seed: int = 0
    is_wired: bool = False
    precision: str = "bf16"
    rows: str = ""
    is_compiled: bool | None = None
    shard: int = 0
    save_every: int = 0
    keep: int = 3
    start_from: str = ""
    is_trunk: bool = False
    source: str = ""
    stall_s: float = 600.0
    join_s: float = 60.0
    peak_flops: float = 0.0
    metrics_port: int = 0
    replicas: int = 0
    lighthouse: str = ""

    def __post_init__(self) -> None:
        """Refuse what no run can do."""
        for field, known in (
            ("precision", ("bf16", "fp32")),
            ("rows", ("", "buckets", "packed")),
            ("schedule", SCHEDULES),
        ):
            if getattr(self, field) not in known:
                raise InvalidInput(
                    f"{field} is {getattr(self, field)!r}; it must be one of {', '.join(known)}"
                )
        for field in (
            "tokens",
            "steps",
            "batch_tokens",
            "micro_tokens",
            "seq",
            "rate",
            "save_every",
            "shard",
        ):
            if not getattr(self, field) >= 0:
                raise InvalidInput(f"{field} is {getattr(self, field)}; it must be 0 (the recipe) or more")
        if self.keep < 1 or not 0 <= self.decay_share <= 1 or not self.clip > 0:
            raise InvalidInput(
                f"keep {self.keep} must be 1 or more, decay_share {self.decay_share} within 0 and 1, "
                f"clip {self.clip} above 0"
            )


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """What is done: tokens a step and a micro batch, peak learning rate, steps and their schedule."""

    batch_tokens: int
    micro_tokens: int
    rate: float
    schedule: Schedule
    save_every: int

    @property
    def num_steps(self) -> int:
        """Return the steps of the whole run."""
        return self.schedule.num_steps


def derive(settings: TrainSettings, shape: LlamaShape, corpus_tokens: int, *, is_gpu: bool = False) -> Recipe:
    """Derive a recipe from the model's size and the corpus's; what the settings name is kept.

    Batch 0.292 C^0.3271 tokens and rate 0.3118 C^-0.125 at C FLOPs: DeepSeek LLM (arXiv 2401.02954, section
    3.1), fitted from 1e17 to 2e19 FLOPs; a wider model gets a lower rate through C. Muon takes the same rate
    (arXiv 2502.16982). At least 50 steps, so that a schedule has room.
    """
    spec = shape.to_spec()
    wanted = min(TOKENS_PER_PARAM * spec.num_params, MAX_EPOCHS * corpus_tokens)
    if settings.steps and settings.batch_tokens:
        wanted = settings.steps * settings.batch_tokens
    tokens = settings.tokens or wanted
    flops = tokens * spec.flops_per_token(shape.seq)
    batch = settings.batch_tokens or max(min(round(0.292 * flops**0.3271), round(tokens / 50)), 64)
    steps = settings.steps or max(1, math.ceil(tokens / batch))
    rate = settings.rate or min(0.3118 * flops**-0.125, MAX_WIRED_RATE if settings.is_wired else MAX_RATE)
    warmup = min(2000, math.ceil(steps / 20)) if settings.warmup_steps is None else settings.warmup_steps
    if settings.is_trunk or settings.schedule == "anneal":
        warmup = 0
    return Recipe(
        batch_tokens=batch,
        micro_tokens=settings.micro_tokens or (32 * 1024 if is_gpu else min(2048, batch)),
        rate=rate,
        schedule=schedule_for(settings.schedule, steps, warmup, settings.decay_share),
        save_every=settings.save_every or max(1, min(1000, round(steps / 10))),
    )
