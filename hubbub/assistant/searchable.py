"""The four things that the assistant needs of an index; any of hubbub's backends has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from hubbub.index.query import Hit, Query
from hubbub.posts import Post, PostId


class Searchable(Protocol):
    """Where posts are found, and looked up again before they are quoted."""

    def search(self, query: Query) -> list[Hit]:
        """Return the posts that match, best first."""
        ...

    def fetch(self, ids: Iterable[PostId], for_prompt: bool = False) -> Mapping[PostId, Post]:
        """Return those of the posts that are alive and visible now, and promptable if asked."""
        ...

    def near_words(self, word: str) -> Sequence[str]:
        """Return what a word that hardly a post holds may be a slip for."""
        ...

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return one row of unit length (or zeros) for each text."""
        ...
