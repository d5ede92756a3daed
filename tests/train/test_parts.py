"""Schedule, recipe, optimisers, judge, watchdog, launcher and figures, each by itself."""

import json
import math
import sys
import urllib.request

import pytest
import torch

from hubbub.errors import HubbubError, InvalidInput
from hubbub.model.llama import Llama
from hubbub.model.shape import shape_for
from hubbub.train.faults import PATIENCE, STALLED, Judge, Watchdog
from hubbub.train.launch import free_port, launch
from hubbub.train.metrics import Happened, Log, Meter, matmul_flops, read_metrics
from hubbub.train.optim import Optimizers, ShardedMuon
from hubbub.train.page import write_page
from hubbub.train.recipe import TrainSettings, derive
from hubbub.train.schedule import Schedule, schedule_for
from tests.train.conftest import TINY
from tests.train.ranks import finish, start


def test_the_rate_rises_stays_and_falls():
    schedule = Schedule(num_steps=100, warmup_steps=9, decay_steps=20)
    factors = [schedule.factor(step) for step in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert set(factors[9:80]) == {1.0}
    assert all(a > b for a, b in zip(factors[80:], factors[81:], strict=False))
    assert 0 < factors[99] < 0.05
    assert schedule_for("constant", 100, 5, 0.2).factor(99) == 1.0
    assert schedule_for("anneal", 100, 5, 0.2).factor(0) == pytest.approx(1.0, abs=0.1)
    with pytest.raises(InvalidInput, match="cosine"):
        schedule_for("cosine", 1, 1, 0.2)


@pytest.mark.parametrize(("params", "rate"), [("3M", 4e-3), ("124M", 1.5e-3), ("1.3B", 7e-4)])
def test_one_dial_derives_the_rest(params, rate):
    shape = shape_for(params, vocab=8192)
    recipe = derive(TrainSettings(corpus="c", run_dir="r", params=params), shape, 10**12)
    tokens = recipe.num_steps * recipe.batch_tokens
    assert tokens == pytest.approx(20 * shape.num_params, rel=0.01)
    assert recipe.rate == pytest.approx(rate, rel=0.5)
    assert 50 <= recipe.num_steps < 60_000
    small = derive(TrainSettings(corpus="c", run_dir="r", params=params), shape, 100_000)
    assert small.num_steps * small.batch_tokens == pytest.approx(400_000, rel=0.05)  # four epochs


def test_what_is_named_is_kept():
    asked = TrainSettings(corpus="c", run_dir="r", steps=7, batch_tokens=999, rate=0.5, warmup_steps=3)
    recipe = derive(asked, TINY, 10**6)
    assert (recipe.num_steps, recipe.batch_tokens, recipe.rate) == (7, 999, 0.5)
    assert recipe.schedule.warmup_steps == 3
    for field, value in {"precision": "fp8", "rows": "x", "steps": -1, "keep": 0, "clip": 0}.items():
        with pytest.raises(InvalidInput, match=field):
            TrainSettings(**{"corpus": "c", "run_dir": "r", field: value})


def test_muon_is_torchs_muon():
    torch.manual_seed(0)
    ours, theirs = (torch.nn.Parameter(w) for w in torch.randn(1, 24, 16).repeat(2, 1, 1))
    a = ShardedMuon([ours], lr=0.01, weight_decay=0.1)
    b = torch.optim.Muon([theirs], lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(3):
        ours.grad = torch.randn(24, 16)
        theirs.grad = ours.grad.clone()
        a.step()
        b.step()
    assert torch.equal(ours, theirs)


def test_only_what_wants_a_gradient_is_trained():
    model = Llama(TINY)
    for name, weight in model.named_parameters():
        weight.requires_grad_(name.endswith("q_proj.weight"))
    assert len(Optimizers(model, "adamw", 1e-3, 0.1).weights) == TINY.num_layers
    with pytest.raises(InvalidInput, match="nothing to train"):
        Optimizers(model.requires_grad_(False), "adamw", 1e-3, 0.1)
    with pytest.raises(InvalidInput, match="sgd"):
        Optimizers(model, "sgd", 1e-3, 0.1)


def test_the_judge_leaves_out_what_is_no_number_or_far_above():
    judge = Judge()
    assert not any(judge.is_bad(4 - n / 50 + 0.1 * (n % 3), 1.0) for n in range(60))
    assert judge.is_bad(4.5, 1.0)
    assert not judge.is_bad(3.2, 1.0)
    for n in range(PATIENCE):
        assert judge.num_bad == n
        assert judge.is_bad(2.9, math.inf) if n else judge.is_bad(math.nan, 1.0)


def stall(environment, settings):
    import time

    dog = Watchdog(0.2, 3)
    dog.beat("waiting for a rank that hangs")
    time.sleep(30)


def test_a_step_that_never_ends_ends_the_process():
    assert finish(start(1, None, target=stall), timeout_s=20) == [STALLED]


def test_a_rank_that_fails_ends_the_others_and_is_named():
    code = "import os,sys,time; sys.exit(7) if os.environ['RANK'] == '1' else time.sleep(60)"
    with pytest.raises(HubbubError, match="rank 1 of 2 left with code 7"):
        launch([sys.executable, "-c", code], 2, tell=lambda text: None)


def test_figures_by_hand():
    meter = Meter(TINY, world=2, peak_flops=1e9, num_steps=10)
    step = meter.step(1000, 64, step=4, batch=4, loss=1.0, rate=1.0, norm=1.0, deletion_mark=0)
    params = TINY.num_params - 64 * 32 + 64 * 32 - 5 * 32  # tied: the table counts once, as logits; no norms
    width = 12 * 2 * 32 * 64  # 12 L d T
    assert step.mfu_full == pytest.approx(1000 / step.step_s * (6 * params + width) / 2e9)
    assert step.mfu_halved == pytest.approx(1000 / step.step_s * (6 * params + width / 2) / 2e9)
    assert step.eta_s == pytest.approx(6 * step.step_s)
    assert 0 < step.goodput <= 1
    assert matmul_flops("cpu", is_bf16=False) > 1e8


def test_prometheus_and_the_page_show_the_newest_step(tmp_path):
    port = free_port()
    log, meter = Log(tmp_path, port), Meter(TINY, world=1, peak_flops=0.0, num_steps=3)
    told = {"batch": 0, "rate": 1e-3, "norm": 1.0, "deletion_mark": 5}
    for number in (1, 2, 3, 3):  # the third again, after a rollback to the second
        if number == 3:
            again = Happened(what="rollback", step=2, batch=2, deletion_mark=5, text="")
            log.write(again)
        log.write(meter.step(10, 5, step=number, loss=4.0 - number, **told))
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    log.close()
    assert "hubbub_train_loss 1.0" in text
    assert [step.step for step in read_metrics(tmp_path)] == [1, 2, 3]
    page = write_page(tmp_path).read_text()
    assert "From 3.000 at the start to 1.000 at step 3." in page
    assert json.loads((tmp_path / "metrics.ndjson").read_text().splitlines()[0])["kind"] == "step"
