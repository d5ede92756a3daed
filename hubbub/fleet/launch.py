"""What a training run is expected to take: seconds and kilowatts by `hubbub.plan`; it starts none."""

from __future__ import annotations

import msgspec

from hubbub.errors import InvalidInput
from hubbub.plan.estimate import Estimate
from hubbub.plan.power import draw
from hubbub.plan.predict import predict
from hubbub.specs import RunSpec


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """A prediction; the time is that of all tokens, without failures and waits."""

    gpus: int
    run_s: Estimate
    kw: Estimate
    mfu: Estimate
    verdict: str
    fits: bool


def expect(run: RunSpec) -> Expected:
    """Predict a run.

    Raises:
        InvalidInput: it cannot be, or tells no tokens to train on.
    """
    told = predict(run)
    if told.train_s is None:
        raise InvalidInput(
            "num_tokens is 0, and so the run has no end to predict; give the tokens of all steps"
        )
    power = draw(run.cluster.gpu.name, told.num_gpus, busy_share=told.busy_share, pue=run.cluster.pue)
    return Expected(
        gpus=told.num_gpus,
        run_s=told.train_s,
        kw=power.mean_mw.scaled(1e3),
        mfu=told.mfu,
        verdict=told.verdict,
        fits=told.fits,
    )
