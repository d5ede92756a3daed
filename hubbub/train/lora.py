"""Adapts a Hugging Face model of any kind to the assistant by low-rank matrices (LoRA, arXiv 2106.09685).

The adapter is kept as peft has it, so that vLLM and transformers take it; merged it is a model as any other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hubbub.corpus.reader import open_corpus
from hubbub.errors import InvalidInput, MissingExtra
from hubbub.model.loss import IGNORED
from hubbub.train.lessons import Encode, LessonSource, Messages, read_lessons
from hubbub.train.metrics import Tell
from hubbub.train.run import TrainReport, train
from hubbub.train.sft import plan
from hubbub.train.source import Row

RATE = 2e-4
"""Ten times that of full fine-tuning, as Schulman et al. found best (thinkingmachines.ai/blog/lora, 2025)."""
BATCH_TOKENS = 16_384


class Adapted(nn.Module):
    """A peft model that takes rows and gives a loss as our own do."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    @property
    def config(self) -> Any:
        """The base model's."""
        return self.model.config

    def forward(
        self,
        ids: Tensor,
        targets: Tensor | None = None,
        document_mask: Tensor | None = None,
        *,
        num_targets: Tensor | float | None = None,
    ) -> Tensor:
        """Return logits, or the loss in nats a target; rows are padded behind, so no mask is needed."""
        logits: Tensor = self.model(input_ids=ids, use_cache=False).logits
        if targets is None:
            return logits
        flat = targets.reshape(-1)
        count = num_targets if num_targets is not None else (flat != IGNORED).sum().clamp(min=1)
        total = F.cross_entropy(logits.flatten(0, 1).float(), flat, ignore_index=IGNORED, reduction="sum")
        return total / count


def lora(
    base: Path,
    lessons: Path,
    run_dir: Path,
    *,
    corpus: Path | None = None,
    rank: int = 8,
    epochs: float = 2.0,
    rate: float = RATE,
    batch_tokens: int = BATCH_TOKENS,
    seq: int = 4096,
    seed: int = 0,
    precision: str = "bf16",
    is_merged: bool = False,
    tell: Tell | None = None,
) -> TrainReport:
    """Train low-rank matrices for all linear layers on lessons; writes `adapter/`, and merged, `model/`.

    Lessons of more than `seq` tokens are left out.

    Raises:
        InvalidInput: there is no such model, or it has no chat template.
        MissingExtra: transformers or peft is not installed.
    """
    peft, transformers = _packages()
    opened = open_corpus(corpus or read_lessons(lessons)[0].corpus)
    tokenizer, plain = _open(transformers, base)
    encode = template(tokenizer, base)
    source = LessonSource(lessons, opened, encode, seed=seed, batch_tokens=batch_tokens, seq=seq)
    torch.manual_seed(seed)
    asked = peft.LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM", bias="none"
    )
    model = Adapted(peft.get_peft_model(plain, asked))
    named = {"rate": rate, "seq": seq, "seed": seed, "precision": precision}
    fixed = {"rows": "buckets", "weight_decay": 0.0, "is_compiled": False}
    settings = plan(source, lessons, run_dir, epochs=epochs, **named, **fixed)
    adapter, merged = run_dir / "adapter", run_dir / "model"
    model.model.peft_config["default"].save_pretrained(adapter)  # names the base (`lineage`)
    report = train(settings, source=source, model=model, tell=tell)
    if not report.is_finished:
        return report
    model.model.save_pretrained(adapter)
    if is_merged:
        model.model.merge_and_unload().save_pretrained(merged)
        tokenizer.save_pretrained(merged)
    return msgspec.structs.replace(report, model_dir=str(merged if is_merged else adapter))


def _open(transformers: Any, base: Path) -> tuple[Any, Any]:
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(base.resolve(), local_files_only=True)
        plain = transformers.AutoModelForCausalLM.from_pretrained(
            base.resolve(), dtype=torch.float32, local_files_only=True
        )
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{str(base)!r} is no Hugging Face model: {str(error).splitlines()[0]}") from None
    return tokenizer, plain


def template(tokenizer: Any, base: Path) -> Encode:
    """Return how a model reads a chat by its own template: the loss on what the last message adds.

    Raises:
        InvalidInput: it has no template.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise InvalidInput(f"{str(base)!r} has no chat template; take an instruct model, or use train sft")

    def encode(messages: Messages) -> Row:
        asked = _ids(tokenizer, messages[:-1], is_open=True)
        whole = _ids(tokenizer, messages, is_open=False)
        if whole[: len(asked)] != asked:
            said = tokenizer.encode(messages[-1]["content"], add_special_tokens=False)
            whole = [*asked, *said, tokenizer.eos_token_id]
        return Row(np.array(whole, np.int64), np.arange(len(whole)) >= len(asked))

    return encode


def _ids(tokenizer: Any, messages: Messages, *, is_open: bool) -> list[int]:
    text = tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=is_open)
    found: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return found


def _packages() -> tuple[Any, Any]:
    try:
        import peft
        import transformers
    except ImportError as error:
        raise MissingExtra(f"LoRA needs {error.name}; run: pip install 'hubbub[hf]'") from None
    return peft, transformers
