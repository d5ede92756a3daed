"""How slices lie in memory and on disk: one layout that takes writes, one that is sealed for reading."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import qdrant_edge as q

# Recall@10 .98 at 40,000 real posts, .997 with twice the graph at 1.7 times the building time (decision 023).
_GRAPH_M = 12
_GRAPH_EF_CONSTRUCT = 64
# Fewer vectors than fill this many KiB are scanned, not searched through the graph.
_SCAN_KB = 4000
# A sealed slice is one segment: more threads only cost the handing over, half of a search's CPU.
_SEARCH_THREADS = 1
_NO_GRAPH = q.HnswIndexConfig(0, 4, 1 << 30, max_indexing_threads=1)


def hot_config(dim: int) -> q.EdgeConfig:
    """Describe a slice that takes writes: 4-bit vectors are scanned, no log of its own (decision 020)."""
    return q.EdgeConfig(
        vectors={"meaning": _vector(dim, None)} if dim else None,
        sparse_vectors={"terms": q.EdgeSparseVectorParams()},
        payload_memory=q.Memory.Cached,
        wal_enabled=False,
        max_search_threads=_SEARCH_THREADS,
    )


def sealed_config(dim: int, has_graph: bool = True) -> q.EdgeConfig:
    """Describe a sealed slice: 4-bit vectors, mostly with a graph, the rest read from disk through its cache.

    With `Cold` a slice of 100,000 posts loads in .2 s, not .5, and holds 5 MB, not 90 (decision 023). The
    graph is two thirds of the sealing; without it a slice is scanned.
    """
    graph = q.HnswIndexConfig(_GRAPH_M, _GRAPH_EF_CONSTRUCT, _SCAN_KB, max_indexing_threads=1)
    terms = q.EdgeSparseVectorParams(memory=q.Memory.Cold)
    return q.EdgeConfig(
        vectors={"meaning": _vector(dim, graph if has_graph else _NO_GRAPH)} if dim else None,
        sparse_vectors={"terms": terms},
        payload_memory=q.Memory.Cold,
        id_tracker_memory=q.Memory.Cold,
        wal_enabled=False,
        max_search_threads=_SEARCH_THREADS,
        # One segment, rebuilt as soon as anything in it was deleted: that is what erases.
        optimizers=q.EdgeOptimizersConfig(
            deleted_threshold=1e-9,
            vacuum_min_vector_number=1,
            default_segment_number=1,
            max_segment_size=100_000_000,
            indexing_threshold=1,
        ),
    )


def field_indexes() -> Sequence[tuple[str, Any]]:
    """Name the payload indexes; none joins the vector graph, which costs minutes (engines.md, trap 2).

    They are `Cold` from the start: to change that at sealing would build each of them twice.
    """
    memory = q.Memory.Cold
    tokens = q.TextIndexParams(
        tokenizer=q.TokenizerType.Whitespace,
        lowercase=False,
        phrase_matching=True,
        enable_hnsw=False,
        memory=memory,
    )
    return (
        ("received", q.IntegerIndexParams(lookup=False, range=True, enable_hnsw=False, memory=memory)),
        ("tokens", tokens),
        ("state", q.KeywordIndexParams(enable_hnsw=False, memory=memory)),
    )


def _vector(dim: int, graph: q.HnswIndexConfig | None) -> q.EdgeVectorParams:
    # Scanning 4-bit vectors costs a quarter of 16-bit ones, and a graph of them finds as much as one of int8.
    small = q.TurboQuantQuantizationConfig(bits=q.TurboQuantBitSize.Bits4, memory=q.Memory.Cached)
    return q.EdgeVectorParams(
        size=dim,
        distance=q.Distance.Cosine,
        datatype=q.VectorStorageDatatype.Float16,
        hnsw_config=graph,
        quantization_config=small,
    )
