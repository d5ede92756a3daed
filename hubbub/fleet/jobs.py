"""What a job asks of a fleet; it holds no state of a running one."""

from __future__ import annotations

import msgspec

from hubbub.errors import InvalidInput


class Job(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One job of a tenant: so many GPUs at once (a gang), for so long once it runs."""

    id: str
    tenant: str
    gpus: int
    submit_s: float
    run_s: float
    """Seconds of running that it needs, without failures and preemptions."""
    priority: int = 0
    """Higher goes first; it is the tenant's unless the job says less."""
    expected_s: float | None = None
    """What its owner or a predictor said that it takes; policies see this, never `run_s`."""
    checkpoint_s: float = 0.0
    """Seconds of running between checkpoints; 0: it saves when told to leave, and loses what fails."""
    restart_s: float = 0.0
    """Seconds from being placed again to the first new step."""
    is_preemptible: bool = True
    min_gpus: int = 0
    """Elastic: it also runs on so many, its work in proportion; 0: on `gpus` or not at all."""

    def __post_init__(self) -> None:
        """Refuse what no fleet can run."""
        if self.gpus < 1:
            raise InvalidInput(f"job {self.id!r} asks for {self.gpus} GPUs; it must be 1 or more")
        if self.min_gpus and not 1 <= self.min_gpus <= self.gpus:
            raise InvalidInput(
                f"job {self.id!r}: min_gpus is {self.min_gpus}; give 1 to {self.gpus}, or 0 for a fixed gang"
            )
        for field in ("submit_s", "run_s", "checkpoint_s", "restart_s"):
            if not 0 <= getattr(self, field) < float("inf"):
                raise InvalidInput(
                    f"job {self.id!r}: {field} is {getattr(self, field)}; it must be 0 or more"
                )
