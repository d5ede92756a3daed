"""Small models with weights large enough that a fault in any of them shows."""

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import torch

from hubbub.model.hf import save_hf
from hubbub.model.llama import Llama
from hubbub.model.shape import LlamaShape
from tests.corpus.made import tokenizer


def shape(**changes):
    told = dict(vocab=512, hidden=64, num_layers=2, num_heads=4, num_kv_heads=2, head_dim=24, ffn=96, seq=128)
    return LlamaShape(**(told | changes))


def llama(size, seed=0, scale=0.2):
    model = Llama(size, seed)
    chance = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        weight.data.normal_(1.0 if weight.ndim == 1 else 0.0, scale, generator=chance)
    return model


@cache
def tokenizer_dir():
    directory = Path(mkdtemp(prefix="hubbub-tokenizer-"))
    tokenizer().save(directory)
    return directory


def directory(path, size=None, **changes):
    """A saved model whose vocabulary is the small tokenizer's."""
    size = size or shape(vocab=tokenizer().vocab_size, **changes)
    save_hf(path, size, llama(size).state_dict(), tokenizer_dir())
    return path
