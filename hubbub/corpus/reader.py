"""Reads a corpus: the living tokens of a document, at this very moment; it changes nothing on disk."""

from __future__ import annotations

import time
from bisect import bisect_right
from functools import cached_property
from pathlib import Path

import numpy as np

from hubbub.corpus.manifest import Manifest, check_file, read_manifest
from hubbub.corpus.shard import Shard, open_shards
from hubbub.corpus.state import State
from hubbub.errors import Corruption, InvalidInput

PIECE = np.dtype(
    [
        ("post_key", "<u8"),
        ("author_key", "<u8"),
        ("received_us", "<i8"),
        ("offset", "<u4"),
        ("length", "<u4"),
        ("lang", "u1"),
        ("is_dead", "?"),
    ]
)
"""`offset` counts from the document's first token as stored; `lang` is a place in `manifest.langs`."""


class Corpus:
    """An open corpus; documents have numbers from 0 that hold for one `manifest.id`, over compactions too."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.manifest: Manifest = read_manifest(directory)
        self._state = State(directory)
        self._words = self._state.words
        self._load(self.manifest)

    @property
    def tokenizer_dir(self) -> Path:
        """Where tokenizer.json lies."""
        return self.directory / self.manifest.tokenizer

    @property
    def vocab_size(self) -> int:
        """One more than the largest id."""
        return self.manifest.vocab_size

    @property
    def deletion_mark(self) -> int:
        """The archive's sequence number up to which deletions are in, whichever process put them there."""
        return max(self._state.mark, self.manifest.about.archive_position)

    @cached_property
    def lengths(self) -> np.ndarray:
        """Tokens of each document as it was built, begin and end included (int32)."""
        return self._column("built_length").astype(np.int32)

    @cached_property
    def times_us(self) -> np.ndarray:
        """When each document's first post was received."""
        return self._column("first_us")

    def documents(self, held_out: bool) -> np.ndarray:
        """Return the numbers of the documents for training, or of those held out."""
        return np.flatnonzero(self._column("is_held_out") == held_out)

    def read(self, document: int) -> np.ndarray:
        """Return a document's living tokens; an empty array when none of its posts lives.

        Raises:
            Corruption: a file is gone or has another length.
            InvalidInput: there is no such document, or the directory holds another corpus by now.
        """
        if self._words[0] != self._generation:
            self._reload()
        number = bisect_right(self._firsts, document) - 1
        local = document - self._firsts[number]
        if document < 0 or document >= self._firsts[-1]:
            raise InvalidInput(f"document {document} is not one of {self._firsts[-1]:,}; number them from 0")
        shard = self._shards[number]
        first, after = shard.first_piece[local], shard.first_piece[local + 1]
        # The deletion map is looked at before the tokens are copied: deletions up to this call count.
        if not any(shard.dead[first:after]):
            return shard.tokens[shard.start[local] : shard.start[local + 1]].copy()
        return _living(shard, local)

    def pieces(self, document: int) -> np.ndarray:
        """Return the posts of a document as rows of `PIECE`; compaction removes the dead."""
        if self._words[0] != self._generation:
            self._reload()
        number = bisect_right(self._firsts, document) - 1
        shard, local = self._shards[number], document - self._firsts[number]
        span = slice(shard.first_piece[local], shard.first_piece[local + 1])
        found = np.empty(span.stop - span.start, PIECE)
        for name in ("post_key", "author_key", "received_us", "offset", "length", "lang"):
            found[name] = shard.columns[name][span]
        found["offset"] -= shard.start[local]
        found["is_dead"] = shard.flags()[span] != 0
        return found

    def find(self, post_keys: np.ndarray) -> np.ndarray:
        """Return the document that each post stands in, by its key; -1 where it is not in the corpus."""
        found = np.full(len(post_keys), -1, np.int64)
        for base, shard in zip(self._firsts, self.shards(), strict=False):
            pieces, places = shard.find(post_keys)
            found[places] = shard.documents_of(pieces) + base
        return found

    def is_dead(self, post_keys: np.ndarray) -> np.ndarray:
        """Tell of each post whether it may not be read; one that is not in the corpus is dead."""
        found = np.ones(len(post_keys), np.bool_)
        for shard in self.shards():
            pieces, places = shard.find(post_keys)
            found[places] = shard.flags()[pieces] != 0
        return found

    def shards(self) -> list[Shard]:
        """Return the shards as they are now, for whoever reads whole columns."""
        if self._words[0] != self._generation:
            self._reload()
        return self._shards

    def _column(self, name: str) -> np.ndarray:
        return np.concatenate([shard.columns[name] for shard in self.shards()])

    def _load(self, manifest: Manifest) -> None:
        for patience_s in (0.0, 0.01, 0.1, None):
            try:
                shards = open_shards(self.directory, manifest)
                break
            except FileNotFoundError as error:  # replaced since the manifest was read
                if patience_s is None:
                    raise Corruption(
                        f"{error.filename} is gone; copy the corpus again or rebuild it"
                    ) from None
                time.sleep(patience_s)
                manifest = read_manifest(self.directory)
        self._firsts = np.cumsum([0, *(note.num_documents for note in manifest.shards)]).tolist()
        self._shards, self.manifest, self._generation = shards, manifest, manifest.generation

    def _reload(self) -> None:
        manifest = read_manifest(self.directory)
        if manifest.id != self.manifest.id:
            raise InvalidInput(
                f"{str(self.directory)!r} holds corpus {manifest.id} by now, not {self.manifest.id}; "
                "open it again, and build each new corpus into a directory of its own"
            )
        if manifest.generation != self._generation:
            self._load(manifest)


def open_corpus(directory: Path | str, *, verify: bool = True) -> Corpus:
    """Open a corpus; `verify` reads every file once and compares its hash.

    Raises:
        Corruption: a file is damaged; the message names it.
        InvalidInput: there is no corpus.
        VersionMismatch: a newer hubbub wrote it.
    """
    root = Path(directory)
    corpus = Corpus(root)
    if verify:
        for name, sha256 in corpus.manifest.tokenizer_files.items():
            check_file(root / corpus.manifest.tokenizer / name, sha256)
        for shard in corpus.shards():
            for name, sha256 in shard.note.files.items():
                check_file(shard.path / name, sha256)
    return corpus


def _living(shard: Shard, local: int) -> np.ndarray:
    """Return what is left of a document some posts of which are dead."""
    span = slice(shard.first_piece[local], shard.first_piece[local + 1])
    start, end = shard.start[local], shard.start[local + 1]
    alive = np.flatnonzero(shard.flags()[span] == 0)
    if not len(alive):
        return shard.tokens[:0].copy()
    offset, length = shard.columns["offset"][span][alive], shard.columns["length"][span][alive]
    parts = [shard.tokens[at : at + size] for at, size in zip(offset.tolist(), length.tolist(), strict=True)]
    return np.concatenate([shard.tokens[start : start + 1], *parts, shard.tokens[end - 1 : end]])
