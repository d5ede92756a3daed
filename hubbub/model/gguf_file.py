"""A model as one GGUF file for llama.cpp, written by the official `gguf` package; it loads none."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from hubbub.disk import refusals, replace_durably
from hubbub.errors import InvalidInput, MissingExtra
from hubbub.model.hf import read_shape, read_weights
from hubbub.model.shape import LlamaShape
from hubbub.model.tokens import TOKENIZER, Tokens

GgufKind: TypeAlias = Literal["F32", "BF16", "Q8_0"]
_BLOCK = 32
"""Q8_0 keeps 32 weights with one scale; rows of other lengths stay F32."""
_LLAMA_BPE = r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
"""How llama.cpp's "llama-bpe" cuts text, after the contractions (which have two spellings)."""
_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def export_gguf(hf_dir: Path, path: Path, kind: GgufKind = "Q8_0") -> int:
    """Write a Hugging Face directory as GGUF and return its bytes; norms stay F32 in every kind.

    Raises:
        InvalidInput: no plain Llama lies there, its tokenizer is none that llama.cpp cuts like, or `kind` or
            `path` is none that can be written.
        Corruption: a file of the model is damaged.
        StorageError: the disk refused; nothing was half-written.
        MissingExtra: gguf is not installed.
    """
    try:
        import gguf
    except ImportError:
        raise MissingExtra("gguf is not installed; run: pip install 'hubbub[train]'") from None
    if kind not in ("F32", "BF16", "Q8_0"):
        raise InvalidInput(f"GGUF kind {kind!r} is not one of F32, BF16 and Q8_0")
    if path.suffix != ".gguf":
        raise InvalidInput(f"{str(path)!r} does not end with .gguf; `hubbub ask --model` goes by that")
    shape, tokens, weights = read_shape(hf_dir), Tokens(hf_dir), read_weights(hf_dir)
    if shape.is_tied:
        weights.pop("lm_head.weight", None)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with refusals("write the GGUF", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(gguf.GGUFWriter(part, "llama")) as writer:
                _describe(writer, gguf, shape, hf_dir.resolve().name, kind)
                _add_tokenizer(writer, gguf, tokens, shape.vocab)
                for name, weight in weights.items():
                    _add_tensor(writer, gguf, _gguf_name(name), _permuted(name, weight, shape), kind)
                writer.write_header_to_file()
                writer.write_kv_data_to_file()
                writer.write_tensors_to_file()
            with part.open("rb") as file:
                os.fsync(file.fileno())
            replace_durably(part, path)
        finally:
            part.unlink(missing_ok=True)
    return path.stat().st_size


def _describe(writer: Any, gguf: Any, shape: LlamaShape, name: str, kind: GgufKind) -> None:
    writer.add_name(name)
    writer.add_context_length(shape.seq)
    writer.add_embedding_length(shape.hidden)
    writer.add_block_count(shape.num_layers)
    writer.add_feed_forward_length(shape.ffn)
    writer.add_head_count(shape.num_heads)
    writer.add_head_count_kv(shape.num_kv_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(shape.rope_theta)
    writer.add_layer_norm_rms_eps(shape.norm_eps)
    writer.add_vocab_size(shape.vocab)
    writer.add_file_type(gguf.LlamaFileType[{"F32": "ALL_F32"}.get(kind, f"MOSTLY_{kind}")])
    if kind == "Q8_0":
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def _add_tokenizer(writer: Any, gguf: Any, tokens: Tokens, vocab: int) -> None:
    """Write the byte-level BPE; ids that the model has beyond the tokenizer's are named and unused."""
    where, model = tokens.directory / TOKENIZER, tokens.model["model"]
    if model.get("type") != "BPE" or not _is_llama_bpe(tokens.model.get("pre_tokenizer")):
        raise InvalidInput(
            f"{where} does not cut text like llama.cpp's llama-bpe; convert this model with llama.cpp's own "
            "convert_hf_to_gguf.py"
        )
    if tokens.size > vocab:
        raise InvalidInput(
            f"{where} has {tokens.size:,} ids, the model {vocab:,}; they do not belong together"
        )
    names = {number: name for name, number in tokens.vocab.items()}
    kinds = gguf.TokenType
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")
    writer.add_token_list([names.get(number, f"[PAD{number}]") for number in range(vocab)])
    control = set(tokens.specials.values())
    writer.add_token_types(
        [
            kinds.CONTROL if number in control else kinds.NORMAL if number in names else kinds.UNUSED
            for number in range(vocab)
        ]
    )
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in model["merges"]])
    if tokens.begin is not None:
        writer.add_bos_token_id(tokens.begin)
    writer.add_eos_token_id(tokens.end)
    writer.add_eot_token_id(tokens.turn_end)
    writer.add_pad_token_id(tokens.pad)
    writer.add_add_bos_token(tokens.begin is not None and tokens.encode("a")[0] == tokens.begin)
    writer.add_add_eos_token(False)
    if tokens.template:
        writer.add_chat_template(tokens.template)


def _is_llama_bpe(cut: dict[str, Any] | None) -> bool:
    parts = (cut or {}).get("pretokenizers", [cut or {}])
    pattern = (parts[0].get("pattern") or {}).get("Regex", "")
    return [each.get("type") for each in parts] == ["Split", "ByteLevel"] and pattern.endswith(_LLAMA_BPE)


def _gguf_name(name: str) -> str:
    stem = name.removesuffix(".weight")
    if stem.startswith("model.layers."):
        _, _, layer, part = stem.split(".", 3)
        return f"blk.{layer}.{_NAMES[part]}.weight"
    return f"{_NAMES[stem]}.weight"


def _permuted(name: str, weight: Tensor, shape: LlamaShape) -> Tensor:
    """Reorder the rows of q and k: llama.cpp turns neighbours, Hugging Face pairs half a head apart."""
    heads = {"q_proj": shape.num_heads, "k_proj": shape.num_kv_heads}.get(name.split(".")[-2])
    if heads is None:
        return weight
    halves = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
    return halves.swapaxes(1, 2).reshape(weight.shape)


def _add_tensor(writer: Any, gguf: Any, name: str, weight: Tensor, kind: GgufKind) -> None:
    if weight.ndim == 1 or (kind == "Q8_0" and weight.shape[-1] % _BLOCK):
        kind = "F32"
    data = np.ascontiguousarray(weight.to(torch.float32).numpy())
    quant = gguf.GGMLQuantizationType[kind]
    writer.add_tensor(name, gguf.quants.quantize(data, quant), raw_dtype=quant)
