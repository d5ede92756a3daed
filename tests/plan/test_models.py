import json

import pytest

from hubbub.errors import InvalidInput
from hubbub.plan.models import find_model, parse_hf

LLAMA = {
    "model_type": "llama",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
}
DEEPSEEK = {
    "model_type": "deepseek_v3",
    "hidden_size": 7168,
    "num_hidden_layers": 61,
    "num_attention_heads": 128,
    "num_key_value_heads": 128,
    "intermediate_size": 18432,
    "moe_intermediate_size": 2048,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "num_experts_per_tok": 8,
    "first_k_dense_replace": 3,
    "q_lora_rank": 1536,
    "kv_lora_rank": 512,
    "qk_rope_head_dim": 64,
    "qk_nope_head_dim": 128,
    "v_head_dim": 128,
    "vocab_size": 129280,
}


def same_shape(found, name):
    return found.flops_per_token(4096) == find_model(name).flops_per_token(4096) and (
        found.num_params == find_model(name).num_params
    )


def test_a_config_of_hugging_face_is_the_built_in_model(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(LLAMA))
    assert same_shape(find_model(str(path)), "llama3-8b")
    assert same_shape(find_model(str(tmp_path)), "llama3-8b")
    assert same_shape(parse_hf(DEEPSEEK, "v3"), "deepseek-v3")


def test_a_gpt2_has_no_gate_and_its_own_names():
    model = parse_hf(
        {"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "vocab_size": 50257}, "g"
    )
    assert (model.is_gated, model.ffn, model.head_dim) == (False, 3072, 64)


def test_windows_by_layer_types():
    types = ["sliding_attention", "full_attention"] * 16
    model = parse_hf({**LLAMA, "sliding_window": 128, "layer_types": types}, "w")
    assert (model.window, model.num_windowed_layers) == (128, 16)


def test_a_toml_file(tmp_path):
    path = tmp_path / "mine.toml"
    fields = "num_layers=2\nhidden=8\nnum_heads=2\nnum_kv_heads=1\nhead_dim=4\nffn=16\nvocab=10\n"
    path.write_text(fields)
    assert find_model(str(path)).name == "mine"
    path.write_text(fields + "layers=3\n")
    with pytest.raises(InvalidInput, match="nearest is 'num_layers'"):
        find_model(str(path))
    path.write_text(fields.replace("hidden=8", "hidden='wide'"))
    with pytest.raises(InvalidInput, match="hidden"):
        find_model(str(path))


def test_unknown_models_and_broken_files_are_told(tmp_path):
    with pytest.raises(InvalidInput, match="nearest is 'llama3-405b'"):
        find_model("llama3-400b")
    with pytest.raises(InvalidInput, match="cannot be read"):
        find_model(str(tmp_path / "none.json"))
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(InvalidInput, match="no table"):
        find_model(str(tmp_path / "list.json"))
    with pytest.raises(InvalidInput, match="num_layers is needed"):
        parse_hf({"hidden_size": 8}, "x")
