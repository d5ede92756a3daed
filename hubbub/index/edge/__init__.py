"""The embedded backend: qdrant-edge in this process, posts in slices of time."""

from __future__ import annotations

from hubbub.index.edge.backend import EdgeBackend

__all__ = ["EdgeBackend"]
