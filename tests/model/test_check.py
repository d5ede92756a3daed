import json
from pathlib import Path

import gguf
import numpy as np
import pytest
from safetensors.torch import load_file

from hubbub.errors import Corruption, InvalidInput
from hubbub.model import gguf_file
from hubbub.model.check import check_model, kind_of
from hubbub.model.gguf_file import export_gguf
from tests.corpus.made import tokenizer
from tests.model.made import directory, shape

TEXTS = ("the river rises tonight, it's 12345 \U0001f525", "<|im_start|>user\nbridge closed?<|im_end|>")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return directory(tmp_path_factory.mktemp("made") / "m")


def differing(report):
    return {each.name.split(":")[0] for each in report.comparisons if not each.is_equal}


@pytest.mark.parametrize("kind", ["F32", "BF16", "Q8_0"])
def test_exports_are_equal(tmp_path, model, kind):
    path = tmp_path / "m.gguf"
    assert export_gguf(model, path, kind) == path.stat().st_size
    assert kind_of(path) == kind
    report = check_model(model, path, TEXTS)
    assert differing(report) == set()
    assert [each.name for each in report.comparisons] == [
        "ids: tokenizers = transformers",
        "logits: torch = transformers",
        "greedy tokens: torch = transformers",
        "ids: tokenizers = llama.cpp",
        f"log-probabilities: torch = llama.cpp {kind}",
        f"bits: torch = llama.cpp {kind}",
        f"greedy tokens: torch = llama.cpp {kind}",
    ]
    assert all(each.count for each in report.comparisons)


def test_untied_models_with_more_ids_than_the_tokenizer(tmp_path):
    size = shape(vocab=tokenizer().vocab_size + 10, is_tied=False, num_heads=6, num_kv_heads=3, hidden=96)
    path = directory(tmp_path / "m", size)
    export_gguf(path, tmp_path / "m.gguf", "F32")
    assert differing(check_model(path, tmp_path / "m.gguf", TEXTS[:1])) == set()


@pytest.mark.parametrize("kind", ["F32", "Q8_0"])
def test_an_unpermuted_k_is_caught(tmp_path, model, monkeypatch, kind):
    right = gguf_file._permuted
    monkeypatch.setattr(
        gguf_file,
        "_permuted",
        lambda name, weight, size: weight if "k_proj" in name else right(name, weight, size),
    )
    export_gguf(model, tmp_path / "m.gguf", kind)
    monkeypatch.undo()
    found = differing(check_model(model, tmp_path / "m.gguf", TEXTS))
    assert "log-probabilities" in found and "ids" not in found


def test_a_gguf_of_other_weights_and_tokens_is_caught(tmp_path, model):
    other = directory(tmp_path / "other", rope_theta=500.0)
    export_gguf(other, tmp_path / "m.gguf", "F32")
    assert "log-probabilities" in differing(check_model(model, tmp_path / "m.gguf", TEXTS))
    told = json.loads((other / "tokenizer.json").read_bytes())
    vocab = told["model"]["vocab"]
    a, b = (name for name, number in vocab.items() if number in (300, 301))
    vocab[a], vocab[b] = vocab[b], vocab[a]
    (other / "tokenizer.json").write_text(json.dumps(told))
    export_gguf(other, tmp_path / "m.gguf", "F32")
    text = " ".join(each.replace("\u0120", " ") for each in (a, b))
    assert "ids" in differing(check_model(model, tmp_path / "m.gguf", (text,)))


def test_what_the_file_says(tmp_path, model):
    export_gguf(model, tmp_path / "m.gguf", "Q8_0")
    reader = gguf.GGUFReader(tmp_path / "m.gguf")

    def field(name):
        return reader.fields[name].contents()

    assert field("general.architecture") == "llama"
    assert field("llama.context_length") == 128
    assert field("llama.attention.key_length") == 24
    assert (field("tokenizer.ggml.model"), field("tokenizer.ggml.pre")) == ("gpt2", "llama-bpe")
    specials = ("bos", "eos", "eot", "padding")
    assert [field(f"tokenizer.ggml.{name}_token_id") for name in specials] == [1, 2, 5, 0]
    assert field("tokenizer.ggml.add_bos_token") is True
    assert "<|im_start|>" in field("tokenizer.chat_template")
    assert field("tokenizer.ggml.token_type")[:7] == [3] * 6 + [1]
    kinds = {each.name: each.tensor_type.name for each in reader.tensors}
    assert kinds["blk.0.attn_norm.weight"] == "F32" and kinds["blk.0.attn_k.weight"] == "Q8_0"
    assert "output.weight" not in kinds


def test_q8_keeps_each_weight_within_its_block(tmp_path, model):
    export_gguf(model, tmp_path / "m.gguf", "Q8_0")
    reader = gguf.GGUFReader(tmp_path / "m.gguf")
    found = next(each for each in reader.tensors if each.name == "blk.1.ffn_up.weight")
    values = gguf.quants.dequantize(found.data, found.tensor_type)
    wanted = load_file(model / "model.safetensors")["model.layers.1.mlp.up_proj.weight"].numpy()
    blocks = np.abs(wanted).reshape(-1, 32).max(1, keepdims=True)
    assert (np.abs(values - wanted).reshape(-1, 32) <= blocks / 127 * 0.6).all()


def test_what_cannot_be_exported(tmp_path, model):
    with pytest.raises(InvalidInput, match=r"does not end with \.gguf"):
        export_gguf(model, tmp_path / "m.bin")
    with pytest.raises(InvalidInput, match="not one of"):
        export_gguf(model, tmp_path / "m.gguf", "Q2_K")
    other = directory(tmp_path / "other")
    told = json.loads((other / "tokenizer.json").read_bytes())
    told["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = r"\w+|\W"
    (other / "tokenizer.json").write_text(json.dumps(told))
    with pytest.raises(InvalidInput, match="does not cut text like"):
        export_gguf(other, tmp_path / "m.gguf")
    (other / "tokenizer.json").unlink()
    with pytest.raises(InvalidInput, match=r"tokenizer\.json"):
        export_gguf(other, tmp_path / "m.gguf")
    assert not list(tmp_path.glob("*.gguf*")) and not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("keep", [0, 4, 3000, 0.5])
def test_a_gguf_that_was_cut_off(tmp_path, model, keep):
    path = Path(tmp_path / "m.gguf")
    export_gguf(model, path, "F32")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep) if keep == 0.5 else keep])
    with pytest.raises(Corruption, match=r"m\.gguf is damaged or no GGUF"):
        check_model(model, path, TEXTS[:1])
    with pytest.raises(InvalidInput, match="hubbub model export"):
        kind_of(tmp_path / "none.gguf")
