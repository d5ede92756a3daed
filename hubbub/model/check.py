"""Proof that a model is the same in torch, transformers and llama.cpp: ids, probabilities, writing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from hubbub.errors import Corruption, InvalidInput, MissingExtra
from hubbub.model.generate import generate
from hubbub.model.hf import load_hf
from hubbub.model.llama import Llama
from hubbub.model.llamacpp import LlamaCpp
from hubbub.model.tokens import Tokens

TEXTS = (
    "The river rises, and the fire brigade of the lower town asks for sandbags.",
    "It's 12345 o'clock; WE'LL see!\n\n  "
    "caf\u00e9 \u00fcber \u0434\u043e\u043c \u6771\u4eac \U0001f525\U0001f525 #one @two",
    "https://example.org/a?b=c  \t 3.14\r\n'S x <|im_start|>user\nis the bridge open?<|im_end|>\n<|end|>",
    "   leading blanks, trailing blanks   \n\n\n\t"
    "\u0627\u0644\u0646\u0647\u0631 \u0928\u0926\u0940 e\u0301 \u00a0\u200d",
)
CHAT = (
    {"role": "system", "content": "Answer from the records."},
    {"role": "user", "content": "Is the bridge open?\n1: It is closed."},
)
_WRITTEN = 24
_SCORED = 48
"""Tokens of a text of which llama.cpp tells the probabilities one by one."""
_LOGITS = 1e-5
_LOGS = {"F32": 1e-4, "BF16": 0.03, "Q8_0": 0.1}
"""Root mean square by which log-probabilities may differ, in their own standard deviations: llama.cpp rounds
weights and activations to the file's kind."""
_BITS = 0.01


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was compared: how far apart, over how many, and how far it may be."""

    name: str
    difference: float
    limit: float
    count: int
    unit: str

    @property
    def is_equal(self) -> bool:
        """Tell whether it is near enough; what is no number is not."""
        return self.difference <= self.limit


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """All comparisons of one model."""

    model: str
    gguf: str | None
    comparisons: tuple[Comparison, ...]

    @property
    def is_equal(self) -> bool:
        """Tell whether nothing differs."""
        return all(each.is_equal for each in self.comparisons)


def check_model(hf_dir: Path, gguf: Path | None = None, texts: Sequence[str] = TEXTS) -> CheckReport:
    """Compare our torch model with transformers, and with llama.cpp where a GGUF is given.

    Raises:
        MissingExtra: transformers, or for a GGUF xllamacpp or gguf, is not installed.
        HubbubError: what `load_hf` and `LlamaCpp` raise.
    """
    kind = kind_of(gguf) if gguf is not None else ""
    model, shape = load_hf(hf_dir)
    tokens = Tokens(hf_dir)
    found = list(_with_transformers(hf_dir, model, tokens, texts))
    if gguf is not None:
        with closing(LlamaCpp(gguf, shape.seq)) as other:
            found += _with_llamacpp(other, kind, model, tokens, texts)
    return CheckReport(model=str(hf_dir), gguf=str(gguf) if gguf else None, comparisons=tuple(found))


def kind_of(path: Path) -> str:
    """Return the kind of a GGUF's largest matrices: F32, BF16, Q8_0 or what it calls itself.

    Raises:
        InvalidInput: there is no such file, or it is no GGUF.
        MissingExtra: gguf is not installed.
    """
    try:
        from gguf import GGUFReader
    except ImportError:
        raise MissingExtra("gguf is not installed; run: pip install 'hubbub[train]'") from None
    if not path.is_file():
        raise InvalidInput(f"there is no file {str(path)!r}; write one with `hubbub model export`")
    try:
        tensors = GGUFReader(path).tensors
    except (ValueError, IndexError, KeyError) as error:
        raise Corruption(f"{path} is damaged or no GGUF: {error}; export it again") from None
    kinds = {each.tensor_type.name for each in tensors if len(each.shape) > 1}
    return max(kinds, key=lambda kind: sum(each.n_bytes for each in tensors if each.tensor_type.name == kind))


def _with_transformers(
    hf_dir: Path, model: Llama, tokens: Tokens, texts: Sequence[str]
) -> Iterator[Comparison]:
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError:
        raise MissingExtra("transformers is not installed; run: pip install 'hubbub[hf]'") from None
    tokenizer: Any = AutoTokenizer.from_pretrained(hf_dir)
    theirs: Any = AutoModelForCausalLM.from_pretrained(hf_dir, dtype=torch.float32)
    pairs = [(tokens.encode(text), tokenizer(text)["input_ids"]) for text in texts]
    if tokens.template:
        told: Any = tokenizer.apply_chat_template(list(CHAT), add_generation_prompt=True, return_dict=True)
        pairs.append((tokens.encode_chat(CHAT), told["input_ids"]))
    yield _texts_differing("ids: tokenizers = transformers", pairs)
    worst = 0.0
    for ids in _prompts(tokens, texts, model.shape.seq):
        with torch.no_grad():
            ours, expected = model(torch.tensor([ids])), theirs(torch.tensor([ids])).logits
        worst = max(worst, float((ours - expected).abs().max() / expected.abs().max().clamp(min=1.0)))
    yield _comparison("logits: torch = transformers", worst, _LOGITS, len(texts), "of the largest logit")
    written = [
        (
            ids,
            _after(
                theirs.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=_WRITTEN), ids, tokens
            ),
        )
        for ids in _prompts(tokens, texts, model.shape.seq)
    ]
    yield _greedy("greedy tokens: torch = transformers", model, tokens, written, 1e-4)


def _with_llamacpp(
    other: LlamaCpp, kind: str, model: Llama, tokens: Tokens, texts: Sequence[str]
) -> Iterator[Comparison]:
    limit = _LOGS.get(kind, 0.2)
    pairs = [(tokens.encode(text), other.encode(text)) for text in texts]
    if tokens.template:
        pairs.append((tokens.encode_chat(CHAT), other.encode(other.chat(CHAT))))
    yield _texts_differing("ids: tokenizers = llama.cpp", pairs)
    prompts = _prompts(tokens, texts, model.shape.seq)
    apart, spread, bits, count = _scores(other, model, tokens.encode("a", with_begin=False)[0], prompts)
    yield _comparison(
        f"log-probabilities: torch = llama.cpp {kind}", apart / spread, limit, count, "of their spread"
    )
    yield _comparison(f"bits: torch = llama.cpp {kind}", bits, _BITS, count, "of the bits")
    written = [(ids, _until_stop(other.write(ids, _WRITTEN), tokens)) for ids in prompts]
    yield _greedy(f"greedy tokens: torch = llama.cpp {kind}", model, tokens, written, 6 * limit * spread)


def _scores(
    other: LlamaCpp, model: Llama, plain: int, prompts: Sequence[list[int]]
) -> tuple[float, float, float, int]:
    """Return how far log-probabilities differ, their spread, the share of bits that differ, the tokens."""
    ours, theirs, took = [], [], []
    for ids in prompts:
        for at, logs in enumerate(_logs(model, ids)[: min(len(ids) - 1, _SCORED)], 1):
            ours.append(logs)
            theirs.append(other.logs(ids[:at], model.shape.vocab, plain))
            took.append((logs[ids[at]], theirs[-1][ids[at]]))
    apart, (mine, other_one) = np.array(ours) - np.array(theirs), np.sum(took, 0)
    rms = float(np.sqrt(np.mean(np.square(apart))))
    return rms, float(np.std(ours)), abs(other_one / mine - 1), len(took)


def _greedy(
    name: str, model: Llama, tokens: Tokens, written: Sequence[tuple[list[int], list[int]]], tie: float
) -> Comparison:
    """Count prompts after which another wrote on differently, unless ours held both tokens equally likely."""
    wrong = count = 0
    for ids, theirs in written:
        ours = list(generate(model, ids, max_tokens=_WRITTEN, stops=tokens.stops))
        room = min(_WRITTEN, model.shape.seq - len(ids))
        count += min(len(ours), len(theirs))
        ours, theirs = ([*each, -1][:room] for each in (ours, theirs))  # -1: it stopped here
        at = next((n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), None)
        if at is None:
            continue
        logs = _logs(model, ids + ours[:at])[-1]
        a, b = (
            max(tokens.stops, key=lambda n: logs[n]) if each[at] == -1 else each[at]
            for each in (ours, theirs)
        )
        wrong += abs(logs[a] - logs[b]) > tie
    return _comparison(name, wrong, 0, count, f"of {len(written)} prompts")


def _logs(model: Llama, ids: Sequence[int]) -> np.ndarray:
    with torch.no_grad():
        found: np.ndarray = model(torch.tensor([list(ids)]))[0].double().log_softmax(-1).numpy()
    return found


def _prompts(tokens: Tokens, texts: Sequence[str], seq: int) -> list[list[int]]:
    most = max(seq - _WRITTEN, 1)
    return [ids[:most] for text in texts if (ids := tokens.encode(text))]


def _after(row: Any, ids: Sequence[int], tokens: Tokens) -> list[int]:
    return _until_stop(row[0, len(ids) :].tolist(), tokens)


def _until_stop(ids: Sequence[int], tokens: Tokens) -> list[int]:
    at = next((n for n, token in enumerate(ids) if token in tokens.stops), len(ids))
    return list(ids[:at])


def _texts_differing(name: str, pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> Comparison:
    wrong = sum(list(ours) != list(theirs) for ours, theirs in pairs)
    return _comparison(name, wrong, 0, sum(len(ours) for ours, _ in pairs), f"of {len(pairs)} texts")


def _comparison(name: str, difference: float, limit: float, count: int, unit: str) -> Comparison:
    return Comparison(name=name, difference=float(difference), limit=limit, count=count, unit=unit)
