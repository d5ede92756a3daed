"""Model shapes: by name, from a Hugging Face config.json, or from a TOML file; it counts no operations."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from hubbub.errors import InvalidInput
from hubbub.plan.hardware import choose, read_data
from hubbub.specs import ModelSpec

# Names that Hugging Face configs give one thing, first found wins.
_HF_NAMES = {
    "num_layers": ("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
    "hidden": ("hidden_size", "n_embd", "d_model"),
    "num_heads": ("num_attention_heads", "n_head", "n_heads"),
    "num_kv_heads": ("num_key_value_heads", "num_kv_heads", "n_head_kv"),
    "ffn": ("intermediate_size", "ffn_hidden_size", "n_inner"),
    "vocab": ("vocab_size",),
    "q_rank": ("q_lora_rank",),
    "kv_rank": ("kv_lora_rank",),
    "rope_dim": ("qk_rope_head_dim",),
    "v_dim": ("v_head_dim",),
    "num_experts": ("n_routed_experts", "num_experts", "num_local_experts"),
    "top_k": ("num_experts_per_tok", "moe_top_k", "experts_per_token"),
    "moe_ffn": ("moe_intermediate_size",),
    "num_shared_experts": ("n_shared_experts",),
    "num_dense_layers": ("first_k_dense_replace",),
}
# Activations without a gate; all else of today's models has one (SwiGLU, GeGLU).
_PLAIN = ("gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "relu", "relu2")
_UNGATED_TYPES = ("gpt2", "gpt_neox", "bloom", "opt", "falcon", "mpt", "gptj", "nemotron", "starcoder2")


@cache
def models() -> dict[str, ModelSpec]:
    """Return every built-in model by name."""
    rows = tomllib.loads(read_data("models.toml"))
    return {name: msgspec.convert({**row, "name": name}, ModelSpec) for name, row in rows.items()}


def find_model(name: str) -> ModelSpec:
    """Return a built-in model, or the one in a TOML file or a Hugging Face config.json.

    Raises:
        InvalidInput: no such name, or the file cannot be used.
    """
    path = Path(name)
    if path.is_dir():
        path = path / "config.json"
    if path.suffix == ".json":
        return parse_hf(_read(path, json.loads), path.parent.name or path.stem)
    if path.suffix == ".toml":
        return _convert({"name": path.stem, **_read(path, tomllib.loads)}, f"model file {name!r}")
    return models()[choose("model", name, list(models()))]


def parse_hf(config: Mapping[str, Any], name: str) -> ModelSpec:
    """Turn a Hugging Face config into a model. Raises InvalidInput: a field is missing or no number."""
    config = {**config, **config.get("text_config", {})} if "text_config" in config else config
    found: dict[str, Any] = {"name": str(config.get("_name_or_path") or name), "source": "config.json"}
    for field, names in _HF_NAMES.items():
        value = next((config[key] for key in names if config.get(key) is not None), None)
        if value is not None:
            found[field] = value
    for field in ("num_layers", "hidden", "num_heads", "vocab"):
        if field not in found:
            raise InvalidInput(
                f"config of {name!r} has none of {', '.join(_HF_NAMES[field])}; {field} is needed"
            )
    found.setdefault("num_kv_heads", found["num_heads"])
    found.setdefault("ffn", 4 * found["hidden"])
    is_latent = bool(found.get("kv_rank"))
    head = config.get("qk_nope_head_dim") if is_latent else config.get("head_dim")
    found["head_dim"] = head or found["hidden"] // max(found["num_heads"], 1)
    if is_latent:
        found["num_kv_heads"] = found["num_heads"]
    else:
        for field in ("q_rank", "rope_dim", "v_dim"):
            found.pop(field, None)
    found["is_gated"] = _is_gated(config)
    found["is_tied"] = bool(config.get("tie_word_embeddings", False))
    found["seq"] = min(int(config.get("max_position_embeddings") or 4096), 8192)
    return _convert({**found, **_experts(found), **_windows(config, found)}, f"config of {name!r}")


def _is_gated(config: Mapping[str, Any]) -> bool:
    kind = str(config.get("model_type", ""))
    act = str(
        config.get("hidden_act") or config.get("activation_function") or config.get("hidden_activation") or ""
    )
    return kind.startswith("gemma") or not (kind in _UNGATED_TYPES or (act in _PLAIN and not kind))


def _experts(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of experts: without any, all of them nothing."""
    if not found.get("num_experts"):
        return dict.fromkeys(("num_experts", "top_k", "moe_ffn", "num_shared_experts", "num_dense_layers"), 0)
    return {"moe_ffn": found.get("moe_ffn") or found["ffn"]}


def _windows(config: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the window, and how many layers have it: as `layer_types` says, else all."""
    window = config.get("sliding_window")
    if not isinstance(window, int) or config.get("use_sliding_window") is False:
        return {}
    kinds = config.get("layer_types") or []
    windowed = sum("sliding" in str(kind) for kind in kinds) if kinds else found["num_layers"]
    return {"window": window, "num_windowed_layers": windowed}


def _read(path: Path, parse: Any) -> dict[str, Any]:
    try:
        table = parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"model file {str(path)!r} cannot be read: {error}") from None
    if not isinstance(table, dict):
        raise InvalidInput(f"model file {str(path)!r} holds no table of fields")
    return table


def _convert(fields: Mapping[str, Any], where: str) -> ModelSpec:
    known = list(ModelSpec.__struct_fields__)
    for key in fields:
        if key not in known:
            choose(f"{where}: field", key, known)
    try:
        return msgspec.convert(dict(fields), ModelSpec)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{where}: {error}; see `hubbub plan show llama3-8b` for the fields") from None
