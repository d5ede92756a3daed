"""A model as the directory that transformers, vLLM and our own commands load without custom code."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from hubbub.disk import refusals, sync_directory
from hubbub.errors import Corruption, InvalidInput, MissingExtra
from hubbub.model.llama import Llama
from hubbub.model.shape import LlamaShape
from hubbub.model.tokens import CONFIG, TOKENIZER, Tokens, read_json

_FIELDS = {
    "vocab": "vocab_size",
    "hidden": "hidden_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "num_kv_heads": "num_key_value_heads",
    "head_dim": "head_dim",
    "ffn": "intermediate_size",
    "seq": "max_position_embeddings",
    "norm_eps": "rms_norm_eps",
    "is_tied": "tie_word_embeddings",
}
_WEIGHTS, _INDEX = "model.safetensors", "model.safetensors.index.json"


def save_hf(
    directory: Path,
    shape: LlamaShape,
    weights: Mapping[str, Tensor],
    tokenizer_dir: Path,
    *,
    dtype: torch.dtype | None = None,
) -> None:
    """Write config, weights (in `dtype`, or as they are), tokenizer and generation config, then rename.

    A model that stood there before stays whole until the new one is.

    Raises:
        InvalidInput: weights of another shape, a tokenizer with more ids, or something else lies there.
        StorageError: the disk refused; the directory is then as it was.
    """
    tokens = Tokens(tokenizer_dir)
    if tokens.size > shape.vocab:
        raise InvalidInput(
            f"the tokenizer in {str(tokenizer_dir)!r} has {tokens.size:,} ids, the model {shape.vocab:,}; "
            "name the tokenizer that the model was trained with"
        )
    _compare("the weights to be saved", shape, weights)
    _check_target(directory)
    part = directory.with_name(f".{directory.name}.{os.getpid()}.part")
    with refusals("write the model", directory):
        part.mkdir(parents=True)
        try:
            _write_weights(part / _WEIGHTS, shape, weights, dtype)
            kind = dtype or next(iter(weights.values())).dtype
            _write_json(part / "config.json", _config(shape, tokens, kind))
            _write_json(part / "generation_config.json", _generation(tokens))
            for name in (TOKENIZER, CONFIG, "special_tokens_map.json"):
                if (tokenizer_dir / name).exists():
                    shutil.copyfile(tokenizer_dir / name, part / name)
            _swap(part, directory)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def load_hf(
    directory: Path, *, device: str = "cpu", dtype: torch.dtype | None = torch.float32
) -> tuple[Llama, LlamaShape]:
    """Load a plain Llama of ours or of others, in `dtype` (None: as stored).

    Raises:
        InvalidInput: no model lies there, or it is no plain Llama, or its weights have another shape.
        Corruption: a file of it is damaged.
        MissingExtra: safetensors is not installed.
    """
    directory = Path(directory)
    shape = read_shape(directory)
    weights = read_weights(directory)
    weights = {name: each.to(device=device, dtype=dtype or each.dtype) for name, each in weights.items()}
    if shape.is_tied:
        weights.pop("lm_head.weight", None)
    _compare(str(directory), shape, weights)
    with torch.device("meta"):
        model = Llama(shape)
    model.load_state_dict(weights, assign=True)
    model.init_rotations()
    return model.eval(), shape


def read_shape(directory: Path) -> LlamaShape:
    """Read config.json.

    Raises:
        InvalidInput: there is none, or it describes something else than a plain Llama.
        Corruption: it cannot be read.
    """
    path = directory / "config.json"
    config = read_json(path, "name a directory with config.json and model.safetensors")
    config.setdefault("num_key_value_heads", config.get("num_attention_heads"))
    config["head_dim"] = config.get("head_dim") or _even_share(config)
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    odd = [
        f"{key} is {config[key]!r}"
        for key, usual in (
            ("model_type", "llama"), ("hidden_act", "silu"), ("attention_bias", False), ("mlp_bias", False)
        )
        if config.get(key, usual) != usual
    ]  # fmt: skip
    if rope.get("rope_type", rope.get("type", "default")) != "default":
        odd.append(f"rope type is {rope}")
    if odd:
        raise InvalidInput(f"{path}: {'; '.join(odd)}; only plain Llamas (LlamaForCausalLM) can be loaded")
    theta = rope.get("rope_theta", config.get("rope_theta", 10_000.0))
    fields = {ours: config[theirs] for ours, theirs in _FIELDS.items() if theirs in config}
    try:
        return msgspec.convert({"is_tied": False, **fields, "rope_theta": theta}, LlamaShape, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{path} is no complete config of a Llama: {error}") from None


def read_weights(directory: Path) -> dict[str, Tensor]:
    """Read all tensors of model.safetensors, or of the files that its index names.

    Raises:
        InvalidInput: a file is missing.
        Corruption: a file is damaged, for instance cut off.
        MissingExtra: safetensors is not installed.
    """
    load_file = _safetensors().load_file
    names = {_WEIGHTS}
    if (directory / _INDEX).exists():
        names = set(read_json(directory / _INDEX, "")["weight_map"].values())
    weights: dict[str, Tensor] = {}
    for name in sorted(names):
        try:
            weights |= load_file(directory / name)
        except FileNotFoundError:
            raise InvalidInput(
                f"{str(directory / name)!r} is missing; export or copy the model again"
            ) from None
        except Exception as error:  # safetensors raises a class of its own, told apart by its text only
            raise Corruption(f"{directory / name} is damaged: {error}; export or copy it again") from None
    return weights


def _write_weights(
    path: Path, shape: LlamaShape, weights: Mapping[str, Tensor], dtype: torch.dtype | None
) -> None:
    whole = {
        name: each.detach().to(device="cpu", dtype=dtype or each.dtype).contiguous()
        for name, each in weights.items()
        if not (shape.is_tied and name == "lm_head.weight")
    }
    try:
        _safetensors().save_file(whole, path, metadata={"format": "pt"})
    except Exception as error:  # safetensors hides the system's error in the text of a class of its own
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1]))) from None
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _config(shape: LlamaShape, tokens: Tokens, dtype: torch.dtype) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        **{theirs: getattr(shape, ours) for ours, theirs in _FIELDS.items()},
        "rope_theta": shape.rope_theta,  # for readers before transformers 5
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_theta},
        "hidden_act": "silu",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "mlp_bias": False,
        "initializer_range": 0.02,
        "bos_token_id": tokens.begin,
        "eos_token_id": tokens.end,
        "pad_token_id": tokens.pad,
        "dtype": str(dtype).removeprefix("torch."),
        "torch_dtype": str(dtype).removeprefix("torch."),
    }


def _generation(tokens: Tokens) -> dict[str, Any]:
    return {"bos_token_id": tokens.begin, "eos_token_id": tokens.stops, "pad_token_id": tokens.pad}


def _compare(where: str, shape: LlamaShape, weights: Mapping[str, Tensor]) -> None:
    """Refuse weights that are not this shape's."""
    with torch.device("meta"):
        wanted = {name: tuple(each.shape) for name, each in Llama(shape).state_dict().items()}
    found = {name: tuple(each.shape) for name, each in weights.items()}
    if shape.is_tied:
        found.pop("lm_head.weight", None)
    for name in [*wanted, *found]:
        if wanted.get(name) != found.get(name):
            raise InvalidInput(
                f"{where}: {name} is {found.get(name) or 'missing'}, and this shape wants "
                f"{wanted.get(name) or 'none'}; name the checkpoint that belongs to the config"
            )


def _check_target(directory: Path) -> None:
    if directory.is_dir() and any(directory.iterdir()) and not (directory / "config.json").exists():
        raise InvalidInput(f"{str(directory)!r} holds something else than a model; name an empty directory")
    if directory.exists() and not directory.is_dir():
        raise InvalidInput(f"{str(directory)!r} is a file; name a directory")


def _swap(part: Path, directory: Path) -> None:
    """Put the new model in place of what was there."""
    old = directory.with_name(f".{directory.name}.{os.getpid()}.old")
    if directory.exists():
        os.rename(directory, old)
    try:
        os.rename(part, directory)
    except OSError:
        if old.exists():
            os.rename(old, directory)
        raise
    sync_directory(directory.parent)
    shutil.rmtree(old, ignore_errors=True)


def _write_json(path: Path, value: object) -> None:
    with path.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _even_share(config: Mapping[str, Any]) -> int | None:
    hidden, heads = config.get("hidden_size"), config.get("num_attention_heads")
    return hidden // heads if isinstance(hidden, int) and isinstance(heads, int) and heads > 0 else None


def _safetensors() -> Any:
    try:
        import safetensors.torch
    except ImportError:
        raise MissingExtra("safetensors is not installed; run: pip install 'hubbub[train]'") from None
    return safetensors.torch
