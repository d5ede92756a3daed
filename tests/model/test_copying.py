"""A wired start copies what it never saw; a plain one does not, and shapes without room are refused."""

import msgspec
import pytest
import torch

from hubbub.errors import InvalidInput
from hubbub.model import copying
from hubbub.model.copying import roomy
from hubbub.model.llama import Llama
from hubbub.model.shape import LlamaShape, shape_for
from tests.corpus.made import tokenizer

SHAPE = LlamaShape(
    vocab=500, hidden=192, num_layers=2, num_heads=6, num_kv_heads=6, head_dim=32, ffn=128, seq=128
)


def copied(shape, *, is_wired):
    """Share of random tokens that are foreseen where they come for the second time."""
    once = torch.randint(6, shape.vocab, (4, 60), generator=torch.Generator().manual_seed(1))
    ids = torch.cat([once, once], 1)
    with torch.inference_mode():
        foreseen = Llama(shape, 0, is_wired=is_wired)(ids[:, :-1]).argmax(-1)
    return float((foreseen[:, 60:] == ids[:, 61:]).float().mean())


@pytest.mark.parametrize("shape", [SHAPE, roomy(shape_for("3M", vocab=2048))])
def test_a_wired_start_copies_and_a_plain_one_does_not(shape):
    assert copied(shape, is_wired=True) > 0.6
    assert copied(shape, is_wired=False) < 0.05


@pytest.mark.parametrize("change", [{"num_layers": 1}, {"is_tied": False}, {"num_kv_heads": 3}])
def test_a_shape_without_room_is_refused(change):
    with pytest.raises(InvalidInput, match="two layers"):
        Llama(msgspec.structs.replace(SHAPE, **change), is_wired=True)


@pytest.mark.parametrize("params", ["1M", "3M", "10M"])
def test_more_room_costs_hardly_more_weights(params):
    plain = shape_for(params, vocab=2048)
    assert 0.75 < roomy(plain).num_params / plain.num_params < 1.35
    Llama(roomy(plain), is_wired=True)


def test_digits_have_the_ids_that_are_marked():
    ids = [tokenizer().encode(str(digit)) for digit in range(1, 10)]
    assert ids == [[each] for each in range(512)[copying._DIGITS]]


def test_of_two_records_that_begin_alike_the_one_of_the_digit_is_copied():
    shape = roomy(shape_for("3M", vocab=2048))
    one, two, seven, eight = 55, 56, 700, 800
    same = [300, 301, 302]
    asked = [one, *same, seven, 400, two, *same, eight, 401]
    model = Llama(shape, 0, is_wired=True)
    with torch.inference_mode():
        foreseen = [int(model(torch.tensor([[*asked, each, *same]]))[0, -1].argmax()) for each in (one, two)]
    assert foreseen == [seven, eight]
