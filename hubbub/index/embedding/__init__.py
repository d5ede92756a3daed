"""Vectors of texts: `open_embedder` makes an embedder from its name."""

from __future__ import annotations

from pathlib import Path

from hubbub.errors import InvalidInput
from hubbub.index.embedding.embedder import Embedder, NoEmbedder, Vectors

__all__ = ["Embedder", "Vectors", "open_embedder"]


def open_embedder(name: str) -> Embedder:
    """Open an embedder by name: `static` (the shipped table), the path of a learned table (`*.npz`), `minilm`
    (slow, a transformer), `none`,
    or `hashed` / `hashed:DIM` (untrained, for tests).

    Raises:
        InvalidInput: there is no embedder of that name.
        MissingExtra: minilm is not installed.
        Corruption, StorageError, VersionMismatch: the table cannot be read.
    """
    if name == "none":
        return NoEmbedder()
    if name == "static" or name.endswith(".npz"):
        from hubbub.index.embedding.static import SHIPPED, read_table

        return read_table(SHIPPED if name == "static" else Path(name))
    if name == "minilm":
        from hubbub.index.embedding.minilm import MiniLm

        return MiniLm()
    kind, _, argument = name.partition(":")
    if kind == "hashed" and (not argument or argument.isdecimal()):
        from hubbub.index.embedding.hashed import HashedEmbedder

        return HashedEmbedder(int(argument or 256))
    raise InvalidInput(
        f"embedder {name!r} is not known; use static, none, minilm or the path of a learned table (*.npz)"
    )
