"""Vectors of texts: `open_embedder` makes an embedder from its name."""

from __future__ import annotations

from hubbub.errors import InvalidInput
from hubbub.index.embedding.embedder import Embedder, NoEmbedder, Vectors

__all__ = ["Embedder", "Vectors", "open_embedder"]


def open_embedder(name: str) -> Embedder:
    """Open an embedder by name: `none`, or `hashed` / `hashed:DIM` (untrained).

    Raises:
        InvalidInput: there is no embedder of that name.
    """
    if name == "none":
        return NoEmbedder()
    kind, _, argument = name.partition(":")
    if kind == "hashed" and (not argument or argument.isdecimal()):
        from hubbub.index.embedding.hashed import HashedEmbedder

        return HashedEmbedder(int(argument or 256))
    raise InvalidInput(
        f"embedder {name!r} is not known; use none, static, minilm or a path to a learned table"
    )
