import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.model import loss as loss_module
from hubbub.model.generate import generate
from hubbub.model.llama import IGNORED, KvCache, Llama
from tests.model.made import llama, shape


@st.composite
def shapes(draw):
    kv_heads, groups = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    return shape(
        vocab=draw(st.integers(20, 300)),
        hidden=kv_heads * groups * draw(st.integers(16, 24)),  # two numbers a token are ill-conditioned
        num_layers=draw(st.integers(1, 3)),
        num_kv_heads=kv_heads,
        num_heads=kv_heads * groups,
        head_dim=2 * draw(st.integers(2, 16)),
        ffn=draw(st.integers(4, 64)),
        seq=draw(st.integers(8, 64)),
        rope_theta=draw(st.sampled_from([10_000.0, 500_000.0])),
        is_tied=draw(st.booleans()),
    )


@settings(max_examples=15)
@given(shapes(), st.integers(0, 5))
def test_logits_are_those_of_transformers(size, seed):
    from transformers import LlamaConfig, LlamaForCausalLM

    model = llama(size, seed)
    theirs = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=size.vocab,
            hidden_size=size.hidden,
            intermediate_size=size.ffn,
            num_hidden_layers=size.num_layers,
            num_attention_heads=size.num_heads,
            num_key_value_heads=size.num_kv_heads,
            head_dim=size.head_dim,
            max_position_embeddings=size.seq,
            rms_norm_eps=size.norm_eps,
            tie_word_embeddings=size.is_tied,
            rope_parameters={"rope_type": "default", "rope_theta": size.rope_theta},
        )
    )
    assert theirs.load_state_dict(model.state_dict(), strict=False).unexpected_keys == []
    theirs.tie_weights()
    ids = torch.randint(size.vocab, (2, size.seq), generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        ours, expected = model(ids), theirs(ids).logits
    trained = model(ids).detach()  # by the forms that gradients are taken of
    for each in (ours, trained):  # most shapes are equal to the bit, on most processors
        assert (each - expected).abs().max() <= 1e-5 * max(1.0, float(expected.abs().max()))


def gradients(model):
    found = [each.grad.clone() for each in model.parameters()]
    model.zero_grad()
    return found


def plain_loss(model, ids, targets, documents=None):
    """The same model with torch's own norm, attention, rotation and loss, differentiated by torch."""
    size = model.shape
    x = F.embedding(ids, model.model.embed_tokens.weight)
    t = ids.shape[1]
    mask = torch.ones(t, t, dtype=torch.bool).tril()
    if documents is not None:
        mask = (documents[:, :, None] == documents[:, None]).logical_and(mask)[:, None]

    def turned(y):
        a, b = y.chunk(2, -1)
        cos, sin = model._cos[:t], model._sin[:t]
        return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)

    for layer in model.layers:
        y = F.rms_norm(x, (size.hidden,), layer.input_layernorm.weight, size.norm_eps)
        at = layer.self_attn
        q, k, v = (
            p(y).unflatten(-1, (-1, size.head_dim)).transpose(1, 2) for p in (at.q_proj, at.k_proj, at.v_proj)
        )
        groups = size.num_heads // size.num_kv_heads
        k, v = turned(k).repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
        seen = (turned(q) @ k.mT / math.sqrt(size.head_dim)).masked_fill(~mask, -torch.inf).softmax(-1) @ v
        x = x + at.o_proj(seen.transpose(1, 2).flatten(2))
        y = F.rms_norm(x, (size.hidden,), layer.post_attention_layernorm.weight, size.norm_eps)
        x = x + layer.mlp.down_proj(F.silu(layer.mlp.gate_proj(y)) * layer.mlp.up_proj(y))
    logits = F.rms_norm(x, (size.hidden,), model.model.norm.weight, size.norm_eps) @ model.head.T
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED)


@pytest.mark.parametrize("is_tied", [True, False])
def test_loss_and_gradients_are_those_of_the_plain_form(is_tied, monkeypatch):
    monkeypatch.setitem(loss_module._CHUNK_ELEMENTS, "cpu", 512 * 20)  # several chunks
    model = llama(shape(is_tied=is_tied))
    ids = torch.randint(512, (3, 40), generator=torch.Generator().manual_seed(1))
    targets = ids.roll(-1, 1)
    targets[0, 7:] = IGNORED
    expected = plain_loss(model, ids, targets)
    expected.backward()
    wanted = gradients(model)
    found = model(ids, targets)
    found.backward()
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    for ours, theirs in zip(gradients(model), wanted, strict=True):
        assert (ours - theirs).abs().max() <= 1e-4 * theirs.abs().max()
    with torch.no_grad():
        assert model(ids, targets, num_targets=1.0).item() == pytest.approx(
            expected.item() * int((targets != IGNORED).sum()), rel=1e-5
        )


def test_bfloat16_gradients_point_where_float32_ones_do():
    model = llama(shape(head_dim=32), scale=0.1)
    ids = torch.randint(512, (2, 48), generator=torch.Generator().manual_seed(1))
    model(ids, ids.roll(-1, 1)).backward()
    wanted = torch.cat([each.flatten() for each in gradients(model)])
    with torch.autocast("cpu", torch.bfloat16):
        low = model(ids, ids.roll(-1, 1))
    low.backward()
    found = torch.cat([each.flatten() for each in gradients(model)])
    assert torch.cosine_similarity(found, wanted, dim=0) > 0.999


@settings(max_examples=10)
@given(st.lists(st.integers(1, 20), min_size=1, max_size=5))
def test_packed_documents_are_as_if_alone(lengths):
    model = llama(shape())
    ids = torch.randint(512, (1, sum(lengths)), generator=torch.Generator().manual_seed(2))
    documents = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))[None]
    with torch.no_grad():
        packed = model(ids, document_mask=documents)
        alone = torch.cat([model(part) for part in ids.split(lengths, 1)], 1)
    assert (packed - alone).abs().max() < 2e-5 * alone.abs().max()
    targets = ids.roll(-1, 1)
    assert model(ids, targets, documents).item() == pytest.approx(
        plain_loss(model, ids, targets, documents).item(), rel=1e-5
    )


def test_no_target_is_no_loss_and_no_gradient():
    model = llama(shape())
    ids = torch.zeros(1, 8, dtype=torch.long)
    found = model(ids, torch.full_like(ids, IGNORED))
    found.backward()
    assert found.item() == 0.0
    assert all(float(each.abs().max()) == 0.0 for each in gradients(model))


def test_a_model_made_without_weights_gets_the_same_ones():
    with torch.device("meta"):
        empty = Llama(shape(is_tied=False))
    empty.to_empty(device="cpu").init_weights(7)
    whole = Llama(shape(is_tied=False), seed=7)
    ids = torch.arange(30)[None]
    assert torch.equal(empty(ids), whole(ids))
    assert not torch.equal(whole(ids), Llama(shape(is_tied=False), seed=8)(ids))


@settings(max_examples=10)
@given(st.integers(1, 60), st.integers(1, 60))
def test_the_cache_changes_no_logits(first, second):
    model = llama(shape())
    ids = torch.randint(512, (2, first + second), generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        whole = model(ids)
        cache = KvCache(model.shape, 2, first + second, model.head)
        parts = torch.cat([model(ids[:, :first], cache=cache), model(ids[:, first:], cache=cache)], 1)
        last = model(ids, is_last_only=True)
    assert (whole - parts).abs().max() < 2e-5 * whole.abs().max()
    assert torch.allclose(last, whole[:, -1:], atol=1e-5)


def test_greedy_writing_takes_the_likeliest_and_stops():
    model = llama(shape())
    prompt = [1, 2, 3]
    written = list(generate(model, prompt, max_tokens=20))
    ids = list(prompt)
    for token in written:
        with torch.no_grad():
            assert int(model(torch.tensor([ids]))[0, -1].argmax()) == token
        ids.append(token)
    assert (
        list(generate(model, prompt, max_tokens=20, stops={written[4]}))
        == written[: written.index(written[4])]
    )
    assert len(list(generate(model, prompt, max_tokens=500))) == model.shape.seq - len(prompt)


def test_drawing_keeps_to_the_nucleus_and_to_its_seed():
    model = llama(shape())
    with torch.no_grad():
        shares = (model(torch.tensor([[5, 6]]))[0, -1] / 0.7).softmax(-1).sort(descending=True)
    size = int((shares.values.cumsum(0) < 0.6).sum()) + 1
    drawn = [next(generate(model, [5, 6], temperature=0.7, top_p=0.6, seed=seed)) for seed in range(300)]
    assert set(drawn) <= set(shares.indices[:size].tolist())
    assert drawn.count(int(shares.indices[0])) / 300 == pytest.approx(
        float(shares.values[0] / shares.values[:size].sum()), abs=0.1
    )
    assert len(set(drawn)) > 1
    assert drawn[0] == next(generate(model, [5, 6], temperature=0.7, top_p=0.6, seed=0))
