"""Open an index from one URL; what each backend needs is in its own file."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection
from pathlib import Path
from typing import IO

from hubbub.errors import InUse, InvalidInput, StorageError, VersionMismatch
from hubbub.index.backend import Backend
from hubbub.index.embedding import Embedder, open_embedder
from hubbub.index.index import PUBLIC, Index
from hubbub.index.state import State
from hubbub.posts import Visibility


def open_index(
    url: str | os.PathLike[str],
    embedder: str | Embedder = "static",
    *,
    state: str | os.PathLike[str] | None = None,
    visibilities: Collection[Visibility] = PUBLIC,
    erase_s: float = 3600.0,
    slice_posts: int | None = None,
) -> Index:
    """Open or create an index.

    `url` is `edge:DIR` or a plain directory (in this process), `sqlite:DIR` (reference), `memory:`
    (qdrant-client's local mode, lost at the end) or `http(s)://HOST[:PORT][/COLLECTION]` (a Qdrant server).
    `state` is the directory of what a server cannot remember for us; by default `.hubbub/index-...`.
    Only posts of `visibilities` are indexed. The bytes of a deleted post leave the disk within `erase_s`.
    The embedded engine seals a slice at `slice_posts` (32,768 by default).

    Raises:
        InUse: another process owns the directory.
        InvalidInput: the URL or the embedder is not known.
        MissingExtra: qdrant-client is needed and not installed.
        StorageError: the disk refused.
        VersionMismatch: written by a newer hubbub, or with another embedder.
    """
    chosen = open_embedder(embedder) if isinstance(embedder, str) else embedder
    kind, where = _split(os.fspath(url))
    if kind == "memory":
        return Index(_open_server(":memory:", chosen), State(None), chosen, visibilities)
    if kind in ("http", "https"):
        where = f"{kind}:{where}"
        directory = Path(state or _default_state(where))
    else:
        directory = Path(where)
    lock = own_directory(directory)
    try:
        memory = State(directory / "state.db")
        _check_embedder(memory, chosen, directory)
        backend = _open_backend(kind, where, directory, chosen, erase_s, slice_posts)
    except BaseException:
        lock.close()
        raise
    name = embedder if isinstance(embedder, str) else None
    return Index(backend, memory, chosen, visibilities, on_close=lock.close, embedder_name=name)


def _split(url: str) -> tuple[str, str]:
    kind, colon, where = url.partition(":")
    if not colon or len(kind) == 1 or "/" in kind:
        return "edge", url
    if kind not in ("edge", "sqlite", "memory", "http", "https") or (not where and kind != "memory"):
        raise InvalidInput(
            f"index {url!r} is not known; use edge:DIR, sqlite:DIR, http://HOST[/COLLECTION] or memory:"
        )
    return kind, where


def _open_backend(
    kind: str, where: str, directory: Path, embedder: Embedder, erase_s: float, slice_posts: int | None
) -> Backend:
    if kind == "sqlite":
        from hubbub.index.sqlite import SqliteBackend

        return SqliteBackend(directory / "posts.db", embedder.dim, erase_s)
    if kind == "edge":
        from hubbub.index.edge.backend import SLICE_POSTS, EdgeBackend

        return EdgeBackend(directory, embedder.dim, erase_s=erase_s, slice_posts=slice_posts or SLICE_POSTS)
    return _open_server(where, embedder)


def _open_server(where: str, embedder: Embedder) -> Backend:
    from hubbub.index.qdrant_server import open_server

    return open_server(where, embedder.dim)


def _default_state(url: str) -> str:
    name = "".join(letter if letter.isalnum() else "-" for letter in url.partition("//")[2])
    return f".hubbub/index-{name}"


def own_directory(directory: Path) -> IO[str]:
    """Lock the directory for this process; the lock goes with the process, also by kill -9."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = open(directory / "owner", "a+", encoding="ascii")
    except OSError as error:
        raise _refused(directory, error) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        owner = lock.read().strip() or "unknown"
        lock.close()
        raise InUse(
            f"index directory {directory} is owned by process {owner}; stop it, or ask that process over HTTP"
        ) from None
    try:
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
    except OSError as error:
        raise _refused(directory, error) from None
    return lock


def _refused(directory: Path, error: OSError) -> StorageError:
    return StorageError(
        f"index directory {str(directory)!r}: {error.strerror}; "
        "free some space if the disk is full, else choose one that is writable"
    )


def _check_embedder(state: State, embedder: Embedder, directory: Path) -> None:
    known = state.get("embedder")
    given = f"{embedder.id} {embedder.dim}"
    if known is None:
        state.set(embedder=given)
    elif known != given:
        state.close()
        raise VersionMismatch(
            f"index {directory} was built with embedder {known!r}, this one is {given!r}; open it with the "
            "former, or embed its posts anew from the archive: hubbub index rebuild"
        )
