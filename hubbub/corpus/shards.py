"""Writes documents as shards (`shard.py`), and gives them their names when all are whole.

A key is 8 bytes of a BLAKE2b hash: of a post's id, of the ids that it had before edits, of its author.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

import msgspec
import numpy as np

from hubbub.corpus.document import Document, Piece
from hubbub.corpus.manifest import (
    About,
    Manifest,
    ShardNote,
    remove_waste,
    write_manifest,
    write_synced,
)
from hubbub.corpus.shard import COLUMNS, DEAD, INDEX, TOKENS, Columns
from hubbub.corpus.state import State, locked
from hubbub.corpus.tokenizer import Tokenizer
from hubbub.disk import refusals, sync_directory, write_all
from hubbub.errors import InvalidInput

SHARD_TOKENS = 1 << 24
_BATCH_PIECES = 2048
_MOST_LANGS = 255
_EMPTY = blake2b(digest_size=8)
"""To copy it takes half the time of making one."""


def key_of(identity: str) -> int:
    """Shorten an id to 64 bits, the same in every process (as `stream/archive/erasure.py` does)."""
    hasher = _EMPTY.copy()
    hasher.update(identity.encode())
    return int.from_bytes(hasher.digest(), "little")


_author_key = lru_cache(maxsize=1 << 16)(key_of)


def write_shards(
    documents: Iterable[Document],
    directory: Path | str,
    tokenizer: Tokenizer,
    *,
    about: Callable[[], About] = About,
    shard_tokens: int = SHARD_TOKENS,
    tell: Callable[[str], object] | None = None,
) -> Manifest:
    """Write a corpus, or replace the one that is there in one step; the old one stays until then.

    `about` is called when the documents are exhausted. A shard ends with the document that fills it.

    Raises:
        InUse: another process builds here.
        InvalidInput: there is not one post.
        StorageError: the disk refused; the old corpus is as it was.
    """
    root = Path(directory)
    with refusals("make the directory", root):
        root.mkdir(parents=True, exist_ok=True)
    with locked(root, "builder", wait_s=0.0):
        work = root / "building"
        shutil.rmtree(work, ignore_errors=True)
        try:
            with refusals("write the corpus in", work):
                work.mkdir()
                writer = _Writer(work, tokenizer, shard_tokens)
                try:
                    writer.write(documents, tell)
                finally:
                    os.close(writer.fd)
                return _adopt(root, work, writer, about())
        finally:
            shutil.rmtree(work, ignore_errors=True)


def finish_shard(
    path: Path, num_tokens: int, digest: str, columns: Columns, dead: np.ndarray, name: str
) -> ShardNote:
    """Write the index and the deletion map beside the tokens."""
    data = b"".join(np.ascontiguousarray(columns[each], kind).tobytes() for each, kind, _ in COLUMNS)
    write_synced(path / INDEX, data)
    write_synced(path / DEAD, dead.tobytes())
    sync_directory(path)
    return ShardNote(
        name=name,
        num_documents=len(columns["built_length"]),
        num_pieces=len(dead),
        num_tokens=num_tokens,
        num_keys=len(columns["key"]),
        files={TOKENS: digest, INDEX: hashlib.sha256(data).hexdigest()},
    )


class _Writer:
    """Turns documents into shards in a directory that has no name yet."""

    def __init__(self, work: Path, tokenizer: Tokenizer, shard_tokens: int) -> None:
        self._work, self.tokenizer, self._shard_tokens = work, tokenizer, shard_tokens
        self.shards: list[ShardNote] = []
        self._langs: dict[str, int] = {}
        self.num_documents = self.num_held_out = self.num_posts = self.num_tokens = 0
        self.first_us, self.last_us = 1 << 62, 0
        self._begin_shard()

    @property
    def langs(self) -> tuple[str, ...]:
        return tuple(self._langs)

    def write(self, documents: Iterable[Document], tell: Callable[[str], object] | None) -> None:
        for batch in _batches(documents):
            self._add(batch)
            if tell:
                tell(f"shards: {self.num_posts:,} posts, {self.num_tokens:,} tokens")
        if self._parts:
            self._end_shard()

    def _add(self, batch: list[Document]) -> None:
        """Encode documents and lay them down; one that fills a shard is the last of it."""
        pieces = [piece for document in batch for piece in document.pieces]
        ids, sizes = self.tokenizer.encode_joined([piece.text for piece in pieces])
        ends, lengths = np.concatenate(([0], np.cumsum(sizes))), sizes + len(self.tokenizer.post)
        counts = np.fromiter((len(document.pieces) for document in batch), np.int64, len(batch))
        first = np.concatenate(([0], np.cumsum(counts)))
        built = np.add.reduceat(lengths, first[:-1]) + 2
        at = 0
        while at < len(batch):
            is_full = self._num_written + np.cumsum(built[at:]) >= self._shard_tokens
            stop = at + 1 + int(is_full.argmax()) if is_full.any() else len(batch)
            mine, text = slice(first[at], first[stop]), ids[ends[first[at]] : ends[first[stop]]]
            self._put(batch[at:stop], built[at:stop], pieces[mine], lengths[mine], text)
            at = stop
            if self._num_written >= self._shard_tokens:
                self._end_shard()
                os.close(self.fd)
                self._begin_shard()

    def _put(
        self,
        batch: list[Document],
        built: np.ndarray,
        pieces: list[Piece],
        lengths: np.ndarray,
        text: np.ndarray,
    ) -> None:
        """Write whole documents, of `built` tokens each, into this shard."""
        counts = np.array([len(document.pieces) for document in batch])
        start = np.cumsum(built) - built
        offset = np.cumsum(lengths) - lengths + 2 * np.repeat(np.arange(len(batch)), counts) + 1
        tokens = np.empty(int(built.sum()), self.tokenizer.dtype)
        is_text = np.ones(len(tokens), np.bool_)
        posts = ((offset + place, mark) for place, mark in enumerate(self.tokenizer.post))
        ends = ((start, self.tokenizer.begin), (start + built - 1, self.tokenizer.end))
        for places, mark in (*ends, *posts):
            tokens[places], is_text[places] = mark, False
        tokens[is_text] = text
        columns = self._describe(pieces) | {
            "start": start + self._num_written,
            "first_piece": np.cumsum(counts) - counts + self._num_pieces,
            "built_length": built,
            "offset": offset + self._num_written,
            "length": lengths,
            "is_held_out": np.array([document.is_held_out for document in batch]),
        }
        columns["first_us"] = columns["received_us"][columns["first_piece"] - self._num_pieces]
        self._parts.append({name: columns[name].astype(kind) for name, kind, _ in COLUMNS})
        data = tokens.tobytes()
        self._digest.update(data)
        write_all(self.fd, data)
        self._num_written += len(tokens)
        self._num_pieces += len(pieces)
        self.num_documents += len(batch)
        self.num_held_out += int(columns["is_held_out"].sum())
        self.num_posts += len(pieces)
        self.num_tokens += len(tokens)

    def _describe(self, pieces: list[Piece]) -> Columns:
        """Return what is known of posts but for where their tokens are."""
        for lang in dict.fromkeys(piece.lang for piece in pieces):
            if len(self._langs) < _MOST_LANGS:
                self._langs.setdefault(lang, len(self._langs))
        received_us = np.array([piece.received_us for piece in pieces], np.int64)
        self.first_us = min(self.first_us, int(received_us.min()))
        self.last_us = max(self.last_us, int(received_us.max()))
        posts = np.array([piece.key or key_of(piece.post_id) for piece in pieces], np.uint64)
        authors = np.array([_author_key(piece.author) for piece in pieces], np.uint64)
        former = [(key_of(each), n) for n, piece in enumerate(pieces) for each in piece.former_ids]
        places = np.arange(self._num_pieces, self._num_pieces + len(pieces))
        keys, pieces_of = np.array(former, np.uint64).reshape(-1, 2).T
        return {
            "received_us": received_us,
            "post_key": posts,
            "author_key": authors,
            "lang": np.array([self._langs.get(piece.lang, 0) for piece in pieces]),
            "key": np.concatenate((posts, authors, keys)),
            "key_piece": np.concatenate((places, places, pieces_of.astype(np.int64) + self._num_pieces)),
        }

    def _begin_shard(self) -> None:
        self._parts: list[Columns] = []
        self._num_written = self._num_pieces = 0
        self._digest = hashlib.sha256()
        self._path = self._work / f"shard-{len(self.shards):05}"
        self._path.mkdir()
        self.fd = os.open(self._path / TOKENS, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def _end_shard(self) -> None:
        os.fsync(self.fd)
        columns = {name: np.concatenate([part[name] for part in self._parts]) for name, _, _ in COLUMNS}
        self._parts = []
        for name, end in (("start", self._num_written), ("first_piece", self._num_pieces)):
            columns[name] = np.append(columns[name], columns[name].dtype.type(end))
        order = np.lexsort((columns["key_piece"], columns["key"]))
        columns |= {name: columns[name][order] for name in ("key", "key_piece")}
        dead = np.zeros(self._num_pieces, np.uint8)
        self.shards.append(
            finish_shard(
                self._path, self._num_written, self._digest.hexdigest(), columns, dead, self._path.name
            )
        )


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    num_pieces = 0
    for document in documents:
        if document.pieces:
            batch.append(document)
            num_pieces += len(document.pieces)
        if num_pieces >= _BATCH_PIECES:
            yield batch
            batch, num_pieces = [], 0
    if batch:
        yield batch


def _adopt(root: Path, work: Path, writer: _Writer, about: About) -> Manifest:
    """Give the finished shards their names and make them the corpus."""
    if not writer.shards:
        raise nothing_left(root, about)
    writer.tokenizer.save(work / "tokenizer")
    hashes = {each.name: _hash_file(each) for each in sorted((work / "tokenizer").iterdir())}
    parts = [*hashes.values(), *(each for note in writer.shards for each in note.files.values())]
    with locked(root, "writer"):
        generation = _last_generation(root) + 1
        shards = []
        for note in writer.shards:
            name = f"{note.name}.{generation}"
            os.rename(work / note.name, root / name)
            shards.append(msgspec.structs.replace(note, name=name))
        name = f"tokenizer-{_join(hashes.values())[:12]}"
        if not _is_same(root / name, hashes):
            shutil.rmtree(root / name, ignore_errors=True)
            os.rename(work / "tokenizer", root / name)
        manifest = Manifest(
            id=_join(parts)[:16],
            generation=generation,
            tokenizer=name,
            tokenizer_files=hashes,
            vocab_size=writer.tokenizer.vocab_size,
            token_bytes=writer.tokenizer.dtype.itemsize,
            num_documents=writer.num_documents,
            num_held_out=writer.num_held_out,
            num_posts=writer.num_posts,
            num_tokens=writer.num_tokens,
            first_us=writer.first_us,
            last_us=writer.last_us,
            langs=writer.langs,
            about=about,
            shards=tuple(shards),
        )
        # A mark that is too low has deletions noted once more; one that is too high would lose some.
        State(root, is_writer=True).set_mark(about.archive_position)
        return publish(root, manifest)


def publish(root: Path, manifest: Manifest) -> Manifest:
    """Make a manifest the current one and send the readers to it; the caller holds the lock."""
    sync_directory(root)
    manifest = write_manifest(root, manifest)
    State(root, is_writer=True).set_generation(manifest.generation)
    remove_waste(root, manifest)
    return manifest


def nothing_left(root: Path, about: About) -> InvalidInput:
    """Say that there is nothing to make a corpus of, and why."""
    why = ", ".join(f"{number:,} {reason}" for reason, number in about.dropped.items())
    return InvalidInput(
        f"nothing to put in {str(root)!r}: of {about.num_posts:,} posts none is left"
        + (f" (dropped: {why}); loosen what drops most" if why else "; name an archive that has posts")
    )


def _last_generation(root: Path) -> int:
    known = State(root, is_writer=True).generation
    names = [path.name.rpartition(".")[2] for path in root.glob("shard-*.*")]
    return max([known, *(int(each) for each in names if each.isdigit())])


def _is_same(directory: Path, hashes: dict[str, str]) -> bool:
    return all(
        (directory / each).exists() and _hash_file(directory / each) == hashes[each] for each in hashes
    )


def _join(hashes: Iterable[str]) -> str:
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


def _hash_file(path: Path) -> str:
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()
