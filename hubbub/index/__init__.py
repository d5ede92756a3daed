"""Finding posts: queries, hits, backends, embedding and ranking."""

from __future__ import annotations

from hubbub.index.index import Index, IndexStats
from hubbub.index.opening import open_index
from hubbub.index.query import Hit, Query
from hubbub.index.syntax import parse_query

__all__ = ["Hit", "Index", "IndexStats", "Query", "open_index", "parse_query"]
