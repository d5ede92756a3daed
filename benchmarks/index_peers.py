"""The index beside engines that people would pick: the same posts and vectors, one process each, CPU time.

Called by `python -m benchmarks.index --peers ...`; what the peers do is in `peer_engines.py`. Vectors are
made beforehand, so embedding costs nobody anything.
"""

# ruff: noqa: D102 (the methods are those of Engine)
from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.peer_engines import BATCH, measure
from hubbub.index import Index, Query, open_index
from hubbub.index.embedding import Vectors, open_embedder
from hubbub.index.lexical import embedded_text
from hubbub.posts import Deletion, Post

US_PER_S = 1_000_000


class ReadyVectors:
    """An embedder that has every text's vector already."""

    is_instant = True

    def __init__(self, vectors: dict[str, Vectors], dim: int) -> None:
        self.vectors, self.dim, self.id = vectors, dim, "ready"

    def embed(self, texts: list[str]) -> Vectors:
        return np.array([self.vectors[text] for text in texts], np.float32).reshape(-1, self.dim)


class Hubbub:
    """Our index behind the same four calls as the peers."""

    def __init__(self, directory: str, embedder: ReadyVectors) -> None:
        self.index: Index = open_index(f"edge:{directory}", embedder)
        self.seq = 0

    def put(self, rows: list[dict[str, object]]) -> None:
        posts = [
            Post(
                id=str(row["id"]),
                author="made://author",
                text=str(row["text"]),
                langs=(str(row["lang"]),),
                received_us=int(str(row["ts"])) * US_PER_S,
            )
            for row in rows
        ]
        self.seq = self.index.fold(enumerate(posts, self.seq + 1))

    def delete(self, ids: list[str]) -> None:
        self.seq = self.index.fold(
            (seq, Deletion(id=one, received_us=0)) for seq, one in enumerate(ids, self.seq + 1)
        )

    def settle(self) -> None:
        self.index.flush()

    def search(self, text: str, vector: object, since: int | None) -> list[str]:
        if since is None:
            query = Query(text=text, limit=20)
        else:
            query = Query(text=text, limit=20, langs=("en",), from_us=since * US_PER_S)
        return [hit.post.id for hit in self.index.search(query)]


def measure_peers(
    posts: list[Post], asked: list[str], names: list[str], python: str, embedder_name: str
) -> list[dict[str, object]]:
    """Measure ourselves and each peer, and say what the peers' figures are of ours."""
    embedder = open_embedder(embedder_name)
    vectors = embedder.embed([embedded_text(post) for post in posts])
    query_vectors = embedder.embed(asked)
    rows = [our_row(posts, vectors, asked, query_vectors)]
    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory) / "data.npz")
        np.savez(
            path,
            texts=[post.text for post in posts],
            vectors=vectors,
            langs=[post.langs[0] if post.langs else "en" for post in posts],
            times=[post.received_us // US_PER_S for post in posts],
            queries=asked,
            query_vectors=query_vectors,
        )
        for name in names:
            rows.append(peer_row(name, path, python, rows[0]))
    return rows


def our_row(
    posts: list[Post], vectors: Vectors, asked: list[str], query_vectors: Vectors
) -> dict[str, object]:
    known = dict(zip([embedded_text(post) for post in posts], vectors, strict=True))
    known |= dict(zip(asked, query_vectors, strict=True))
    rows = [
        {
            "id": f"p{n}",
            "text": post.text,
            "vector": None,
            "lang": post.langs[0] if post.langs else "en",
            "ts": post.received_us // US_PER_S,
        }
        for n, post in enumerate(posts)
    ]
    with tempfile.TemporaryDirectory() as directory:
        engine = Hubbub(directory, ReadyVectors(known, vectors.shape[1]))
        row = {"engine": f"hubbub edge, batches of {BATCH}", "posts": len(posts)}
        row |= measure(engine, rows, [(text, None) for text in asked])
        engine.index.close()
    return row


def peer_row(name: str, path: str, python: str, ours: dict[str, object]) -> dict[str, object]:
    script = str(Path(__file__).with_name("peer_engines.py"))
    done = subprocess.run([python, script, name, path], capture_output=True, text=True)
    if done.returncode:
        sys.stderr.write(f"{name}: {done.stderr[-500:]}\n")
        return {**dict.fromkeys(ours, "-"), "engine": f"{name}: did not run"}
    row: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return row
