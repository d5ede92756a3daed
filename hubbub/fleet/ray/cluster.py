"""What Ray tells of its cluster, as pools and nodes of a fleet; and its store, where a book is kept."""

from __future__ import annotations

from typing import Any

import msgspec

from hubbub.fleet.local.journal import Book, Change, Row
from hubbub.fleet.local.ranks import variables
from hubbub.fleet.local.truth import name_of, spec_of
from hubbub.fleet.spec import Pool

SPACE = "hubbub"
_DOWN = "down: Ray has lost it"


class Nodes:
    """Which of Ray's nodes is which number of which pool; equal nodes are one pool, named by what they have.

    Where a node has GPUs, the nodes without are left to Ray; where none has, a job's GPUs are CPUs.
    """

    def __init__(self) -> None:
        self.ids: dict[str, list[str]] = {}
        self.alive: dict[str, dict[str, Any]] = {}

    def look(self, book: Book, change: Change) -> bool:
        """Bring a book's pools up to now; tell whether nodes are new."""
        import ray

        self.alive = {node["NodeID"]: node for node in ray.nodes() if node["Alive"]}
        has_gpus = any(node["Resources"].get("GPU") for node in self.alive.values())
        unit, is_new = "GPU" if has_gpus else "CPU", False
        for node_id, node in self.alive.items():
            count = int(node["Resources"].get(unit, 0))
            if count and not any(node_id in ids for ids in self.ids.values()):
                self._number(node_id, self.ids.setdefault(f"{unit.lower()}{count}", []))
                is_new = True
        spec = spec_of(book)
        known = {
            pool.name: pool for pool in spec.pools
        }  # with its power and prices, if a fleet's file had it
        pools = tuple(
            msgspec.structs.replace(known.get(name, _pool(name)), num_nodes=len(ids))
            for name, ids in self.ids.items()
        )
        if pools and pools != spec.pools:
            used = {pool.site for pool in pools}
            sites = tuple(site for site in spec.sites if site.name in used)
            events = tuple(event for event in spec.grid_events if event.site in used)
            change.fleet = book.fleet = msgspec.structs.replace(
                spec, pools=pools, sites=sites, grid_events=events
            )
        out = {node: why for node, why in book.out.items() if why != _DOWN}
        for name, ids in self.ids.items():
            for number, node_id in enumerate(ids):
                if node_id not in self.alive:
                    out[name_of(name, number)] = _DOWN
        if out != book.out:
            change.out = book.out = out
        return is_new

    def _number(self, node_id: str, ids: list[str]) -> None:
        """Put a new node in the place of one that is gone, else at the end."""
        gone = next((number for number, known in enumerate(ids) if known not in self.alive), None)
        if gone is None:
            ids.append(node_id)
        else:
            ids[gone] = node_id

    def unit_of(self, pool: str) -> str:
        """Return what Ray calls that of which a pool's nodes have so many."""
        return pool[:3].upper()

    def variables_of(self, row: Row, rank: int) -> dict[str, str]:
        """Return what a rank is told in its environment."""
        first = self.alive.get(self.ids[row.pool][row.shares[0][0]], {})
        token = f"ray-{row.id}.{row.attempt}.{rank}"
        return variables(row, rank, token, first.get("NodeManagerAddress", "127.0.0.1"))


def _pool(name: str) -> Pool:
    return Pool(name=name, num_nodes=1, gpus_per_node=int(name[3:]), gpu=name[:3])


class Store:
    """Ray's key-value store, where what is put survives every process but the head's."""

    def get(self, key: str) -> bytes | None:
        """Return what was put, None where nothing was."""
        from ray.experimental.internal_kv import _internal_kv_get

        told: bytes | None = _internal_kv_get(key.encode(), namespace=SPACE)
        return told

    def put(self, key: str, value: bytes) -> None:
        """Keep a value in the place of what was there."""
        from ray.experimental.internal_kv import _internal_kv_put

        _internal_kv_put(key.encode(), value, overwrite=True, namespace=SPACE)

    def forget(self, job: str) -> None:
        """Remove what a job ran, with its environment, and the marks of its attempts."""
        from ray.experimental.internal_kv import _internal_kv_del

        for key in (f"task-{job}", f"begun-{job}."):
            _internal_kv_del(key.encode(), del_by_prefix=key.endswith("."), namespace=SPACE)

    def clear(self) -> None:
        """Remove all that is kept."""
        from ray.experimental.internal_kv import _internal_kv_del

        _internal_kv_del(b"", del_by_prefix=True, namespace=SPACE)
