"""Bits per byte of a model on text, beside what counting words and compressing reach; it prints nothing.

Bytes are those of the posts' text and one for each separator, whatever the tokenizer, so that models and
compressors can be compared. The compressors read the held-out text as one stream and learn from it on the
way, which a model may not: they are given the advantage.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from hubbub.corpus.tokenizer import Tokenizer
from hubbub.corpus.tokenizer_json import unspell
from hubbub.errors import InvalidInput
from hubbub.train.order import buckets

Ids = npt.NDArray[Any]
_LOGITS = 1 << 25
"""Logits that are held at a time: 128 MB."""
_DICTIONARY_BYTES = 16 << 20


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What some text costs."""

    bits: float
    num_bytes: int
    num_tokens: int

    @property
    def per_byte(self) -> float:
        """Bits per byte."""
        return self.bits / max(self.num_bytes, 1)


def measure(model: nn.Module, rows: Iterable[Ids], table: Sequence[bytes], *, seq: int) -> Measured:
    """Measure a model on rows of tokens; their first tokens are given, not predicted."""
    kept = [row for row in rows if len(row) > 1]
    costs = nats(model, kept, seq=seq)
    lengths = np.array([len(text) for text in table])
    return Measured(
        bits=float(sum(cost.sum() for cost in costs)) / math.log(2),
        num_bytes=int(sum(lengths[row[1:]].sum() for row in kept)),
        num_tokens=sum(map(len, costs)),
    )


@torch.no_grad()
def nats(model: nn.Module, rows: Sequence[Ids], *, seq: int) -> list[npt.NDArray[np.float64]]:
    """Return what each token of each row but the first costs, given those before it, in nats.

    Rows longer than `seq` are read in windows that overlap by half, so that every token sees at least that.
    """
    found = [np.zeros(max(len(row) - 1, 0)) for row in rows]
    windows = [(row, *window) for row, ids in enumerate(rows) for window in _windows(len(ids), seq)]
    if not windows:
        return found
    sizes = np.array([end - start for _, start, _, end in windows])
    device = next(model.parameters()).device
    vocab = _vocab(model)
    for micro in buckets(sizes, max(_LOGITS // vocab, 64)):
        chosen = [windows[int(part)] for parts in micro for part in parts]
        ids = np.zeros((len(chosen), max(end - start for _, start, _, end in chosen)), np.int64)
        for line, (row, start, _, end) in zip(ids, chosen, strict=True):
            line[: end - start] = rows[row][start:end]
        tensor = torch.from_numpy(ids).to(device)
        out = model(tensor[:, :-1])
        logits = getattr(out, "logits", out).float()
        costs = F.cross_entropy(logits.flatten(0, 1), tensor[:, 1:].reshape(-1), reduction="none")
        for line, (row, start, first, end) in zip(costs.view(len(chosen), -1).cpu(), chosen, strict=True):
            found[row][first - 1 : end - 1] = line[first - start - 1 : end - start - 1].numpy()
    return found


def _windows(length: int, seq: int) -> Iterator[tuple[int, int, int]]:
    """Yield (start, first token to cost, end) so that each token but the first is costed once."""
    first, end = 1, min(length, seq + 1)
    while first < end:
        yield max(end - seq - 1, 0), first, end
        first, end = end, min(end + max(seq // 2, 1), length)


def _vocab(model: nn.Module) -> int:
    shape = getattr(model, "shape", None)
    return int(shape.vocab if shape else model.config.vocab_size)  # type: ignore[union-attr,arg-type]


def byte_table(tokenizer: Tokenizer) -> list[bytes]:
    """Return each token's bytes; a special token that separates counts as a line break.

    Raises:
        InvalidInput: its tokens are no bytes.
    """
    table = [b""] * tokenizer.vocab_size
    added = {each["content"]: each["id"] for each in tokenizer.model.get("added_tokens", ())}
    vocab = tokenizer.model["model"]["vocab"]
    for name, number in vocab.items() if isinstance(vocab, dict) else ():
        table[number] = unspell(name) or b""
    for number in added.values():
        table[number] = b"" if number in (tokenizer.begin, tokenizer.pad) else b"\n"
    if sum(map(bool, table)) < 250:
        raise InvalidInput("this tokenizer's tokens are no bytes: bits per byte need a byte-level BPE")
    return table


def baselines(train: Iterable[Ids], held: Sequence[Ids], table: Sequence[bytes]) -> dict[str, float]:
    """Return the bits per byte of held-out rows: by the frequency of tokens, gzip -9, zstd -19.

    zstd has read the newest 16 MB of the training text.
    """
    import zstandard

    counts = np.ones(len(table))
    newest = bytearray()
    for row in train:
        counts += np.bincount(row[1:], minlength=len(table))
        newest += _text(row, table)
        if len(newest) > 2 * _DICTIONARY_BYTES:
            del newest[:-_DICTIONARY_BYTES]
    text = b"".join(_text(row, table) for row in held)
    costs = -np.log2(counts / counts.sum())
    read = zstandard.ZstdCompressionDict(
        bytes(newest[-_DICTIONARY_BYTES:]) or b"\n", dict_type=zstandard.DICT_TYPE_RAWCONTENT
    )
    settings = zstandard.ZstdCompressionParameters.from_level(
        19, window_log=27, source_size=len(text), dict_size=len(read.as_bytes())
    )
    zstd = zstandard.ZstdCompressor(dict_data=read, compression_params=settings).compress(text)
    num_bytes = max(len(text), 1)
    return {
        "unigram": float(sum(costs[row[1:]].sum() for row in held)) / num_bytes,
        "gzip": 8 * len(gzip.compress(text, 9)) / num_bytes,
        "zstd, having read": 8 * len(zstd) / num_bytes,
    }


def _text(row: Ids, table: Sequence[bytes]) -> bytes:
    return b"".join(table[number] for number in row[1:].tolist())
