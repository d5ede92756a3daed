import msgspec
import numpy as np
import pytest

from hubbub.plan.cases import cases_of
from hubbub.plan.hardware import GIB
from hubbub.plan.memory import held_params, layer_activations
from hubbub.plan.models import find_model
from hubbub.plan.predict import stage_reports
from hubbub.specs import ModelSpec
from tests.plan.invented import a_run

# Llama 3.1 405B cut to four layers, 8 B200, as SimuMax measured it (allocator's peak, GiB).
CUT = ModelSpec(
    name="llama3.1-405b-L4",
    num_layers=4,
    hidden=16384,
    num_heads=128,
    num_kv_heads=16,
    head_dim=128,
    ffn=53248,
    vocab=128256,
    seq=4096,
)


def cut_run(model=CUT, cluster="b200", batch=16, **layout):
    return a_run(model, cluster, batch, stack="megatron-plain-2026", **layout)


def peak(run):
    return max(stage.total_gib - stage.overhead_gib for stage in stage_reports(run))


@pytest.mark.parametrize(
    ("layout", "measured_gib"),
    [
        ({"tp": 1, "pp": 2, "dp": 4}, 87.08),
        ({"tp": 2, "dp": 4}, 81.59),
        ({"tp": 4, "dp": 2}, 52.89),
        ({"tp": 8, "dp": 1}, 38.57),
    ],
)
def test_memory_is_what_simumax_measured(layout, measured_gib):
    assert peak(cut_run(**layout)) == pytest.approx(measured_gib, rel=0.03)


def test_states_by_hand():
    # 18 bytes a parameter without ZeRO, 6 + 12/D with ZeRO 1 (arXiv 1910.02054, gradients in 32 bit).
    params = CUT.num_params / 8
    alone = stage_reports(cut_run(tp=8, dp=1))[0]
    held = (alone.weights_gib + alone.gradients_gib + alone.optimizer_gib) * GIB
    assert held == pytest.approx(18 * params, rel=0.001)
    spread = stage_reports(cut_run(tp=8, dp=4))[0]
    held = (spread.weights_gib + spread.gradients_gib + spread.optimizer_gib) * GIB
    assert held == pytest.approx((6 + 12 / 4) * params, rel=0.001)


def test_fully_sharded_states_shrink_with_the_replicas():
    few, many = (stage_reports(cut_run(zero=3, dp=dp, batch=dp)) for dp in (8, 64))
    assert few[0].optimizer_gib == pytest.approx(8 * many[0].optimizer_gib)
    assert few[0].gradients_gib == pytest.approx(8 * many[0].gradients_gib)


def test_parameters_held_add_up_to_the_model():
    for name in ("llama3-8b", "deepseek-v3", "grok-1"):
        model = find_model(name)
        c = cases_of([cut_run(model, batch=8)])
        held = held_params(c, c.num_layers, np.array([2.0]))
        total = (held.dense + held.routed + held.ends)[0]
        assert total == pytest.approx(model.num_params, rel=1e-4)


def test_activations_of_a_layer_by_hand():
    c = cases_of([cut_run(tp=8)])
    # (8 h + 2 (q + k + v + out) + 2 g f) / t bytes a token.
    token = 8 * 16384 + 2 * (128 * 256 + 16 * 256) + 6 * 53248
    assert layer_activations(c)[0] == pytest.approx(4096 * token / 8)


def test_the_first_stage_holds_most_micro_batches():
    stages = stage_reports(cut_run("llama3-70b", pp=8, dp=1, batch=64))
    kept = [stage.activations_gib for stage in stages]
    assert kept == sorted(kept, reverse=True)
    assert kept[0] == pytest.approx(8 * kept[-1])


def test_recompute_trades_memory_for_time():
    full, none = (
        stage_reports(cut_run("llama3-70b", "h100", tp=8, recompute=r))[0] for r in ("full", "none")
    )
    assert full.activations_gib < none.activations_gib / 10


def test_dense_layers_of_experts_come_first():
    first, last = stage_reports(cut_run(find_model("deepseek-v3"), pp=2, ep=8, dp=8, batch=16))
    assert last.optimizer_gib > first.optimizer_gib * 0.9
    whole = msgspec.structs.replace(find_model("deepseek-v3"), num_dense_layers=0)
    assert stage_reports(cut_run(whole, pp=2, ep=8, dp=8, batch=16))[0].optimizer_gib > first.optimizer_gib
