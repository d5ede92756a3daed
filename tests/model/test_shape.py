import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.errors import InvalidInput
from hubbub.model.llama import Llama
from hubbub.model.shape import LlamaShape, parse_params, shape_for

GPT2 = 50_257


@pytest.mark.parametrize(
    ("params", "vocab", "layers", "hidden"),
    [
        ("124M", GPT2, 12, 768),
        ("124M", 32_000, 12, 768),
        ("350M", GPT2, 24, 1024),
        ("350M", 32_000, 24, 1024),
        ("1.3B", GPT2, 24, 2048),
        ("1.3B", 32_000, 24, 2048),
        ("6.7B", 32_000, 32, 4096),
        ("13B", 32_000, 40, 5120),
    ],
)
def test_published_shapes(params, vocab, layers, hidden):
    shape = shape_for(params, vocab=vocab)
    assert (shape.num_layers, shape.hidden) == (layers, hidden)
    assert shape.num_heads * shape.head_dim == hidden


def test_gpt2_small_has_its_published_number_of_weights():
    assert shape_for("124M", vocab=GPT2).num_params == pytest.approx(124.4e6, rel=0.01)
    assert shape_for(depth=12, vocab=GPT2) == shape_for("124M", vocab=GPT2)


@given(st.integers(2_000_000, 12_000_000), st.sampled_from([1024, 4096, 8192]))
def test_the_dial_comes_near_what_is_asked(wanted, vocab):
    try:
        shape = shape_for(float(wanted), vocab=vocab)
    except InvalidInput:
        assert wanted < 2 * 64 * vocab
        return
    assert shape.num_params == pytest.approx(wanted, rel=0.3)
    assert shape.head_dim == (32 if shape.num_params < 5e6 or shape.hidden % 64 else 64)


def test_every_depth_is_a_model():
    sizes = [shape_for(depth=depth, vocab=32_000).num_params for depth in range(1, 81)]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("is_tied", [True, False])
def test_weights_are_counted_as_they_are(is_tied):
    shape = LlamaShape(
        vocab=100, hidden=32, num_layers=3, num_heads=4, num_kv_heads=2, head_dim=12, ffn=40, is_tied=is_tied
    )
    assert shape.num_params == sum(each.numel() for each in Llama(shape).parameters())


@pytest.mark.parametrize("text", ["", "10X", "-3M", "0", "nan", "M"])
def test_sizes_that_are_none(text):
    with pytest.raises(InvalidInput, match="is not a size"):
        parse_params(text)


def test_what_no_recipe_reaches():
    with pytest.raises(InvalidInput, match="smaller vocabulary"):
        shape_for("1M", vocab=128_000)
    with pytest.raises(InvalidInput, match="name --depth"):
        shape_for("400B", vocab=32_000)
    with pytest.raises(InvalidInput, match="one of"):
        shape_for(vocab=100)
    with pytest.raises(InvalidInput, match="num_kv_heads"):
        LlamaShape(vocab=9, hidden=8, num_layers=1, num_heads=4, num_kv_heads=3, head_dim=2, ffn=8)
