import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.errors import InvalidInput
from hubbub.plan.models import find_model, models
from hubbub.specs import ModelSpec, nearest_divisor

# What the models' own papers and cards print, in billions: all and active parameters.
PUBLISHED = {
    "llama3-8b": (8.03, None),
    "llama3-70b": (70.6, None),
    "llama3-405b": (405.8, None),
    "gpt3-175b": (174.6, None),
    "bloom-176b": (176.2, None),
    "mt-nlg-530b": (529.6, None),
    "deepseek-v3": (671, 37),
    "deepseek-v2": (236, 21),
    "kimi-k2": (1030, 32),
    "qwen3-30b-a3b": (30.5, 3.3),
    "qwen3-235b-a22b": (235, 22),
    "gpt-oss-120b": (116.8, 5.1),
    "mixtral-8x7b": (46.7, 12.9),
    "grok-1": (314, 84),
    "llama4-maverick": (400, 17),
}


@pytest.mark.parametrize(("name", "published"), PUBLISHED.items())
def test_parameters_are_those_that_the_papers_print(name, published):
    model = find_model(name)
    total, active = published
    assert model.num_params / 1e9 == pytest.approx(total, rel=0.01)
    if active:
        # Cards differ in whether the embedding counts as active.
        assert model.num_matmul_params / 1e9 == pytest.approx(active, rel=0.09)


def test_flops_of_a_token_by_hand():
    model = ModelSpec(
        name="tiny",
        num_layers=2,
        hidden=8,
        num_heads=2,
        num_kv_heads=1,
        head_dim=4,
        ffn=16,
        vocab=10,
        seq=6,
    )
    # Attention 8*4*(2*2+2*1) = 192, FFN 3*8*16 = 384, two layers, logits 80.
    assert model.num_matmul_params == 2 * (192 + 384) + 80
    # 6 N + 6 L a 2d s/2
    assert model.flops_per_token() == 6 * 1232 + 6 * 2 * 2 * 8 * 3
    assert model.flops_per_token(is_causal=False) == 6 * 1232 + 6 * 2 * 2 * 8 * 6


def test_flops_are_those_of_published_throughputs():
    # Megatron-Bridge prints 1,048 tokens/s and 2,646 TFLOP/s for one run (causal half), and for DeepSeek-V3
    # 4,912 tokens/s and 1,276 TFLOP/s, which holds its multi-token prediction.
    assert find_model("llama3-405b").flops_per_token() * 1048 / 1e12 == pytest.approx(2646, rel=0.01)
    assert find_model("deepseek-v3").flops_per_token() * 4912 / 1e12 == pytest.approx(1276, rel=0.05)


def test_flops_of_sc21_formula():
    # 72 B s L h^2 (1 + s/6h + V/12Lh), arXiv 2104.04473 equation 3 without recompute; the formula counts the
    # whole square of attention.
    model = find_model("mt-nlg-530b")
    s, layers, h, vocab = 2048, 105, 20480, 51200
    formula = 72 * layers * h**2 * (1 + s / (6 * h) + vocab / (12 * layers * h))
    assert model.flops_per_token(is_causal=False) == pytest.approx(formula, rel=1e-6)


def test_a_window_leaves_fewer_positions_to_attend_to():
    model = find_model("gpt-oss-120b")
    near = 128 - 128**2 / (2 * 4096)
    assert model.attended(4096) == pytest.approx((2048 + near) / 2)
    assert model.attended(128) == 64


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("num_layers", 0, "num_layers is 0"),
        ("num_kv_heads", 3, "nearest that does is 2"),
        ("num_dense_layers", 9, "num_dense_layers 9"),
        ("num_experts", 4, "top_k from 1 to 4"),
    ],
)
def test_shapes_that_cannot_be_are_refused(field, value, told):
    shape = dict(
        name="x", num_layers=2, hidden=8, num_heads=4, num_kv_heads=2, head_dim=4, ffn=16, vocab=10, seq=6
    )
    with pytest.raises(InvalidInput, match=told):
        ModelSpec(**{**shape, field: value})


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_the_nearest_divisor_divides_and_is_nearest(number, wanted):
    found = nearest_divisor(number, wanted)
    assert number % found == 0
    assert abs(found - wanted) == min(abs(d - wanted) for d in range(1, number + 1) if number % d == 0)


def test_every_built_in_model_names_its_source():
    assert all(model.source for model in models().values())
