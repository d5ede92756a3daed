"""One peer engine doing what `index_peers.py` asks; runs in the interpreter that has it, without hubbub.

    PYTHON peer_engines.py chroma|lancedb|txtai DATA.npz

Prints one JSON object. Settings: what each project's own quickstart uses, on disk where it can.
"""

# ruff: noqa: D102 (the methods are those of Engine)
from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from typing import Any, Protocol

import numpy as np

BATCH = 64
NUM_QUERIES = 60
NUM_CHANGES = 25


class Engine(Protocol):
    """What the measurement needs of a peer."""

    def put(self, rows: list[dict[str, Any]]) -> None: ...
    def delete(self, ids: list[str]) -> None: ...
    def settle(self) -> None: ...
    def search(self, text: str, vector: Any, since: int | None) -> list[str]: ...


class Chroma:
    """chromadb, persistent; vectors only: it has no BM25 locally."""

    def __init__(self, directory: str) -> None:
        import chromadb

        client = chromadb.PersistentClient(directory)
        self.table = client.create_collection(
            "posts", metadata={"hnsw:space": "cosine"}, embedding_function=None
        )

    def put(self, rows: list[dict[str, Any]]) -> None:
        self.table.upsert(
            ids=[row["id"] for row in rows],
            embeddings=[row["vector"] for row in rows],
            documents=[row["text"] for row in rows],
            metadatas=[{"lang": row["lang"], "ts": row["ts"]} for row in rows],
        )

    def delete(self, ids: list[str]) -> None:
        self.table.delete(ids=ids)

    def settle(self) -> None:
        pass

    def search(self, text: str, vector: Any, since: int | None) -> list[str]:
        where = {"$and": [{"lang": "en"}, {"ts": {"$gte": since}}]} if since else None
        return self.table.query(query_embeddings=[vector], n_results=20, where=where)["ids"][0]


class Lance:
    """lancedb: merge_insert, full-text and vector search, reciprocal rank fusion; optimize() when settled."""

    def __init__(self, directory: str) -> None:
        import lancedb

        self.db = lancedb.connect(directory)
        self.table: Any = None

    def put(self, rows: list[dict[str, Any]]) -> None:
        if self.table is None:
            self.table = self.db.create_table("posts", rows)
            self.table.create_fts_index("text", use_tantivy=False)
        else:
            self.table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(
                rows
            )

    def delete(self, ids: list[str]) -> None:
        self.table.delete("id in (" + ",".join(f"'{one}'" for one in ids) + ")")

    def settle(self) -> None:
        self.table.optimize()

    def search(self, text: str, vector: Any, since: int | None) -> list[str]:
        query = self.table.search(query_type="hybrid").vector(vector).text(text).limit(20)
        if since:
            query = query.where(f"lang = 'en' AND ts >= {since}")
        return [row["id"] for row in query.to_list()]


class Txtai:
    """txtai: hybrid index with content; on disk only when saved."""

    def __init__(self, directory: str) -> None:
        from txtai import Embeddings

        self.vectors: dict[str, Any] = {}
        self.index = Embeddings(
            {
                "method": "external",
                "transform": lambda texts: self._embed(texts),  # txtai takes a plain function only
                "content": True,
                "hybrid": True,
            }
        )

    def _embed(self, texts: list[str]) -> Any:
        return np.array([self.vectors[text] for text in texts], np.float32)

    def put(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            self.vectors[row["text"]] = row["vector"]
        self.index.upsert(
            [(row["id"], {"text": row["text"], "lang": row["lang"], "ts": row["ts"]}) for row in rows]
        )

    def delete(self, ids: list[str]) -> None:
        self.index.delete(ids)

    def settle(self) -> None:
        pass

    def search(self, text: str, vector: Any, since: int | None) -> list[str]:
        self.vectors[text] = vector
        clause = f" and lang = 'en' and ts >= {since}" if since else ""
        sql = f"select id from txtai where similar(:words){clause} limit 20"
        return [row["id"] for row in self.index.search(sql, 20, parameters={"words": text})]


ENGINES: dict[str, Any] = {"chroma": Chroma, "lancedb": Lance, "txtai": Txtai}


def main(name: str, path: str) -> None:
    data = np.load(path, allow_pickle=False)
    rows = [
        {"id": f"p{n}", "text": str(text), "vector": vector.tolist(), "lang": str(lang), "ts": int(ts)}
        for n, (text, vector, lang, ts) in enumerate(
            zip(data["texts"], data["vectors"], data["langs"], data["times"], strict=True)
        )
    ]
    asked = list(zip(map(str, data["queries"]), data["query_vectors"].tolist(), strict=True))
    directory = tempfile.mkdtemp(prefix=f"peer-{name}-")
    try:
        print(
            json.dumps({"engine": name, "posts": len(rows), **measure(ENGINES[name](directory), rows, asked)})
        )
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def measure(engine: Engine, rows: list[dict[str, Any]], asked: list[tuple[str, Any]]) -> dict[str, Any]:
    spare = rows[-2 * NUM_CHANGES :]
    stored = rows[: -2 * NUM_CHANGES]
    cpu = time.process_time()
    for start in range(0, len(stored), BATCH):
        engine.put(stored[start : start + BATCH])
    result: dict[str, Any] = {"ingest_per_cpu_s": round(len(stored) / (time.process_time() - cpu))}
    result["live_cpu_ms"] = queries_cpu_ms(engine, asked, None)
    engine.settle()
    since = int(np.quantile([row["ts"] for row in stored], 23 / 30))
    result["plain_cpu_ms"] = queries_cpu_ms(engine, asked, None)
    result["filtered_cpu_ms"] = queries_cpu_ms(engine, asked, since)
    visible, gone = [], []
    for row in spare[:NUM_CHANGES]:
        visible.append(until(engine, row, lambda row=row: engine.put([row]), True))
        gone.append(until(engine, row, lambda row=row: engine.delete([row["id"]]), False))
    for key, values in (("visible", visible), ("gone", gone)):
        result[f"{key}_p50_ms"] = round(float(np.percentile(values, 50)), 2)
        result[f"{key}_p99_ms"] = round(float(np.percentile(values, 99)), 2)
    return result


def queries_cpu_ms(engine: Engine, asked: list[tuple[str, Any]], since: int | None) -> float:
    for text, vector in asked[:5]:
        engine.search(text, vector, since)
    cpu = time.process_time()
    for text, vector in asked[:NUM_QUERIES]:
        engine.search(text, vector, since)
    return round((time.process_time() - cpu) / min(NUM_QUERIES, len(asked)) * 1000, 2)


def until(engine: Engine, row: dict[str, Any], act: Any, is_there: bool) -> float:
    start = time.perf_counter()
    act()
    while (row["id"] in engine.search(row["text"], row["vector"], None)) != is_there:
        if time.perf_counter() - start > 10:
            break
    return (time.perf_counter() - start) * 1000


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
