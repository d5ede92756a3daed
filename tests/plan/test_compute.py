import numpy as np
import pytest

from hubbub.plan import compute
from hubbub.plan.cases import cases_of, gemm_curves
from hubbub.plan.stacks import tuning_of
from tests.plan.invented import a_run


def both(run):
    return cases_of([run]), tuning_of([run])


def test_a_product_by_hand():
    curve = tuple(np.float64(x) for x in (1e15, 100.0, 50.0, 25.0, 2.0))
    found = compute.gemm_s(curve, np.float64(1000), np.float64(500), np.float64(250), np.float64(1e12))
    work = 2 * 1000 * 500 * 250 / 1e15 * 1.1 * 1.1 * 1.1
    moved = 2 * (1000 * 250 + 250 * 500 + 1000 * 500) / 1e12
    assert found == pytest.approx(max(work, moved) + 2e-6)


@pytest.mark.parametrize(
    ("system", "dtype", "m", "n", "k", "measured_us"),
    [
        # Points of aiconfigurator's measured table (a100_sxm and h100_sxm).
        ("a100_sxm", "bfloat16", 8192, 65536, 4096, 16700.59),
        ("a100_sxm", "bfloat16", 8192, 65536, 7168, 30113.01),
    ],
)
def test_the_curves_give_measured_products(system, dtype, m, n, k, measured_us):
    curve = tuple(np.float64(x) for x in gemm_curves()[system, dtype])
    found = compute.gemm_s(curve, np.float64(m), np.float64(n), np.float64(k), np.float64(2e12))
    assert found * 1e6 == pytest.approx(measured_us, rel=0.1)


def test_flash_attention_by_hand():
    c, t = both(a_run("llama3-8b", tp=2))
    found = compute.attention(c, t)
    work = 2 * 8192 * 4096 * 32 / 2 * 256
    rate = 989e12 * t.flash[0] / (1 + t.flash_s0[0] / 8192)
    assert found.forward[0] == pytest.approx(work / rate)
    assert found.backward[0] == pytest.approx(2.5 * compute.FLASH_BACK * work / rate)


def test_unfused_attention_pays_for_odd_heads():
    def of(head_dim):
        import msgspec

        run = a_run("bloom-176b", "a100", precision="fp16", tp=4)
        model = msgspec.structs.replace(run.model, head_dim=head_dim)
        run = msgspec.structs.replace(run, model=model, attention="unfused", stack="bloom-2022")
        return compute.attention(*both(run)).forward[0]

    assert of(108) > 1.5 * of(112)


def test_tensor_parallelism_splits_the_work():
    whole, split = (compute.projections(*both(a_run("llama3-8b", tp=tp))) for tp in (1, 8))
    assert 4 < whole.forward[0] / split.forward[0] <= 8.5


def test_experts_do_their_share_only():
    c, t = both(a_run("deepseek-v3", "b200", ep=8, dp=8))
    found = compute.experts(c, t)
    # top_k and shared experts: 2 m (g h f) (8 + 1) operations forward, at no more than the curve's rate.
    least = 2 * 4096 * 3 * 7168 * 2048 * 9 / (c.slim[0] * t.slim_clock[0])
    assert least < found.forward[0] < 6 * least


def test_latent_attention_is_counted_only_where_there_is_one():
    runs = [a_run("llama3-8b"), a_run("deepseek-v3")]
    c = cases_of(runs)
    together = compute.projections(c, tuning_of(runs)).forward
    alone = [compute.projections(*both(run)).forward[0] for run in runs]
    assert together == pytest.approx(alone)


def test_the_optimizer_moves_thirty_bytes_a_parameter():
    c, _ = both(a_run("llama3-8b"))
    assert compute.optimizer(c, np.float64(8e9))[0] == pytest.approx(8e9 * 30 / 3.35e12)


def test_logits_by_hand():
    c, t = both(a_run("llama3-8b"))
    passes = 8192 * 128256 * 24 * t.passes[0] / 3.35e12
    forward, backward = compute.linear_s(compute.wide(c, t), c.tokens, c.vocab, c.hidden, c.hbm)
    assert compute.logits(c, t)[0] == pytest.approx(forward[0] + backward[0] + passes)
