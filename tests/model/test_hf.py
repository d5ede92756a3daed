import json
import resource
from contextlib import contextmanager

import pytest
import torch
from safetensors.torch import load_file, save_file

from hubbub.errors import Corruption, InvalidInput, StorageError
from hubbub.model.gguf_file import export_gguf
from hubbub.model.hf import load_hf, read_shape, save_hf
from hubbub.model.tokens import Tokens
from tests.corpus.made import tokenizer
from tests.model.made import directory, llama, shape, tokenizer_dir


def tree(path):
    return {each.name: each.read_bytes() for each in path.iterdir()}


@pytest.mark.parametrize("is_tied", [True, False])
def test_what_is_saved_is_loaded(tmp_path, is_tied):
    size = shape(is_tied=is_tied, rope_theta=50_000.0)
    model = llama(size)
    save_hf(tmp_path / "m", size, model.state_dict(), tokenizer_dir())
    loaded, found = load_hf(tmp_path / "m")
    assert found == size
    ids = torch.arange(100)[None]
    assert torch.equal(loaded(ids), model(ids))
    assert ("lm_head.weight" in load_file(tmp_path / "m" / "model.safetensors")) is not is_tied
    assert sorted(each.name for each in tmp_path.iterdir()) == ["m"]


def test_transformers_loads_it_without_our_code(tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = directory(tmp_path / "m")
    ours, _ = load_hf(path)
    theirs = AutoModelForCausalLM.from_pretrained(path)
    assert type(theirs).__name__ == "LlamaForCausalLM"
    ids = torch.arange(100)[None]
    with torch.no_grad():
        expected = theirs(ids).logits
        assert (ours(ids) - expected).abs().max() <= 1e-5 * expected.abs().max()
    assert theirs.generation_config.eos_token_id == [2, 5]
    tokens, words = Tokens(path), AutoTokenizer.from_pretrained(path)
    chat = [{"role": "user", "content": "is the bridge open?"}]
    told = words.apply_chat_template(chat, add_generation_prompt=True, return_dict=True)["input_ids"]
    assert tokens.encode_chat(chat) == told
    assert told[:2] == [1, 4] and tokens.encode_chat(chat).count(5) == 1


def test_text_streams_whole_letters(tmp_path):
    tokens = Tokens(directory(tmp_path / "m"))
    text = "caf\u00e9 \u6771\u4eac \U0001f525 river"
    ids = tokens.encode(text)
    pieces = list(tokens.stream(ids))
    assert "".join(pieces) == text
    assert len(pieces) < len(ids) and "\ufffd" not in "".join(pieces)
    assert tokens.decode([*ids, tokens.end]) == text
    assert tokens.encode(text, with_begin=False) == list(tokenizer().encode(text))


def test_bfloat16_halves_the_file_and_loads(tmp_path):
    size = shape()
    save_hf(tmp_path / "m", size, llama(size).state_dict(), tokenizer_dir(), dtype=torch.bfloat16)
    assert load_hf(tmp_path / "m", dtype=None)[0].head.dtype == torch.bfloat16
    assert json.loads((tmp_path / "m" / "config.json").read_bytes())["dtype"] == "bfloat16"
    assert load_hf(tmp_path / "m")[0].head.dtype == torch.float32


def test_weights_in_several_files(tmp_path):
    path = directory(tmp_path / "m")
    weights = load_file(path / "model.safetensors")
    names = sorted(weights)
    index = {}
    for number, part in enumerate((names[:5], names[5:])):
        save_file({name: weights[name] for name in part}, path / f"part-{number}.safetensors")
        index |= dict.fromkeys(part, f"part-{number}.safetensors")
    (path / "model.safetensors").unlink()
    (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    assert load_hf(path)[0](torch.arange(9)[None]).shape == (1, 9, tokenizer().vocab_size)
    (path / "part-1.safetensors").unlink()
    with pytest.raises(InvalidInput, match=r"part-1\.safetensors.*is missing"):
        load_hf(path)


@pytest.mark.parametrize("keep", [0, 7, 100, 0.5, -1])
def test_weights_cut_off_are_named(tmp_path, keep):
    path = directory(tmp_path / "m")
    whole = (path / "model.safetensors").read_bytes()
    (path / "model.safetensors").write_bytes(whole[: int(len(whole) * keep) if keep == 0.5 else keep])
    with pytest.raises(Corruption, match=r"model\.safetensors is damaged.*export or copy it again"):
        load_hf(path)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"vocab_size": 600}, r"embed_tokens.weight is \(\d+, 64\), and this shape wants \(600, 64\)"),
        ({"num_hidden_layers": 3}, "layers.2.*is missing"),
        ({"tie_word_embeddings": False}, "lm_head.weight is missing"),
        ({"model_type": "qwen3"}, "only plain Llamas"),
        ({"rope_scaling": {"rope_type": "llama3"}, "rope_parameters": None}, "rope type is"),
        ({"attention_bias": True}, "attention_bias is True"),
        ({"hidden_size": None}, "no complete config"),
        ({"num_key_value_heads": 3}, "num_kv_heads 3 does not divide"),
    ],
)
def test_configs_that_do_not_belong_to_the_weights(tmp_path, changes, says):
    path = directory(tmp_path / "m")
    config = json.loads((path / "config.json").read_bytes()) | changes
    (path / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    with pytest.raises(InvalidInput, match=says):
        load_hf(path)


def test_configs_of_before_transformers_5(tmp_path):
    path = directory(tmp_path / "m", num_heads=4, num_kv_heads=4, head_dim=16)
    config = json.loads((path / "config.json").read_bytes())
    for name in ("rope_parameters", "head_dim", "num_key_value_heads"):
        config.pop(name)
    (path / "config.json").write_text(json.dumps(config | {"rope_theta": 1234.5}))
    found = read_shape(path)
    assert (found.rope_theta, found.head_dim, found.num_kv_heads) == (1234.5, 16, 4)


def test_damaged_and_missing_files(tmp_path):
    path = directory(tmp_path / "m")
    (path / "tokenizer.json").rename(path / "away")
    with pytest.raises(InvalidInput, match=r"tokenizer\.json.*copy the tokenizer"):
        Tokens(path)
    (path / "tokenizer.json").write_text("{")
    with pytest.raises(Corruption, match=r"tokenizer\.json"):
        Tokens(path)
    (path / "config.json").write_text("[]")
    with pytest.raises(Corruption, match=r"config\.json"):
        load_hf(path)
    with pytest.raises(InvalidInput, match="No such file"):
        load_hf(tmp_path / "nowhere")


def test_saving_refuses_what_does_not_fit(tmp_path):
    size = shape()
    weights = llama(size).state_dict()
    with pytest.raises(InvalidInput, match=r"has \d+ ids, the model 300"):
        save_hf(tmp_path / "m", shape(vocab=300), weights, tokenizer_dir())
    with pytest.raises(InvalidInput, match="the weights to be saved.*gate_proj"):
        save_hf(tmp_path / "m", shape(ffn=128), weights, tokenizer_dir())
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "letters").write_text("mine")
    with pytest.raises(InvalidInput, match="holds something else"):
        save_hf(tmp_path / "m", size, weights, tokenizer_dir())
    with pytest.raises(InvalidInput, match="is a file"):
        save_hf(tmp_path / "m" / "letters", size, weights, tokenizer_dir())
    assert tree(tmp_path / "m") == {"letters": b"mine"}


@contextmanager
def small_files():
    """No file of this process grows beyond 60,000 bytes: a write fails there, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))  # Python ignores the signal that comes with it
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("what", ["directory", "gguf"])
def test_a_disk_that_is_full_leaves_what_was_there(tmp_path, what):
    source = directory(tmp_path / "m")
    out = tmp_path / "out" / ("m.gguf" if what == "gguf" else "m")
    out.parent.mkdir()
    if what == "gguf":
        out.write_bytes(b"old")
    else:
        directory(out, num_layers=1)
    before = out.read_bytes() if what == "gguf" else tree(out)
    model, size = load_hf(source)
    with small_files(), pytest.raises(StorageError, match="could not write the") as caught:
        if what == "gguf":
            export_gguf(source, out, "F32")
        else:
            save_hf(out, size, model.state_dict(), source)
    assert str(out) in str(caught.value)
    assert (out.read_bytes() if what == "gguf" else tree(out)) == before
    assert list(out.parent.iterdir()) == [out]


def test_a_new_model_replaces_the_old_one(tmp_path):
    path = directory(tmp_path / "m")
    directory(path, num_layers=1)
    assert load_hf(path)[1].num_layers == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_that_may_not_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="a part of the path is a file"):
        directory(tmp_path / "file" / "m")
