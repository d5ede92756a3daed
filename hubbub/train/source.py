"""Where rows come from: the protocol that the trainer reads, and the corpus behind it.

What a row holds is looked up when it is read, never before: a post deleted a moment ago is not in it.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from hubbub.errors import InvalidInput
from hubbub.train.order import Ints, Order


class Row(NamedTuple):
    """The living tokens of one document; `is_loss` marks those to learn to predict (None: all)."""

    ids: npt.NDArray[Any]
    is_loss: npt.NDArray[np.bool_] | None = None


class Source(Protocol):
    """What can be trained on."""

    @property
    def id(self) -> str:
        """Names the content: a run goes on only with the same."""

    @property
    def deletion_mark(self) -> int:
        """The archive's number up to which deletions are honoured now."""

    def plan(self, number: int) -> tuple[Ints, Ints]:
        """Return keys and greatest lengths of the rows of one whole batch: a pure function of the number."""

    def row(self, key: int) -> Row:
        """Return a row as it lives at this moment; no tokens when nothing of it does."""


class CorpusSource:
    """Documents of a corpus in shuffled epochs; `documents` (global numbers) narrows them."""

    def __init__(
        self, corpus: Any, *, seed: int, batch_tokens: int, documents: npt.NDArray[np.integer] | None = None
    ) -> None:
        """Raises InvalidInput: there is nothing to train on."""
        self.corpus = corpus
        self.documents = np.asarray(corpus.documents(False) if documents is None else documents, np.int64)
        lengths = np.asarray(corpus.lengths)[self.documents]
        self.documents = self.documents[lengths > 1]
        if not len(self.documents):
            raise InvalidInput(
                f"the corpus {corpus.manifest.id[:12]} has no document to train on; build it from more "
                "posts, or loosen the filters that `hubbub corpus show` lists"
            )
        self.order = Order(seed, lengths[lengths > 1], batch_tokens)
        self.id = str(corpus.manifest.id)

    @property
    def deletion_mark(self) -> int:
        """The archive's number up to which deletions are honoured now."""
        return int(self.corpus.deletion_mark)

    def plan(self, number: int) -> tuple[Ints, Ints]:
        """Return the documents of one batch and their lengths as built."""
        chosen = self.order.batch(number)
        return self.documents[chosen], self.order.lengths[chosen]

    def row(self, key: int) -> Row:
        """Return the living tokens of a document."""
        return Row(self.corpus.read(key))
