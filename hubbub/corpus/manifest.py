"""What a corpus directory holds: one small JSON file with the hash of every other file, replaced atomically.

manifest.json            this
tokenizer-HASH/          tokenizer.json, tokenizer_config.json
shard-00000.GENERATION/  tokens.bin, index.bin (`shards.py`), dead.bin: one byte a post, 1 once it is deleted
state.bin                generation and deletion mark, mapped by every reader (`state.py`)
deleted-ID.log           which post of this corpus was deleted by which event, when (`deletions.py`)
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import msgspec

from hubbub.disk import refusals, replace_durably
from hubbub.errors import Corruption, InvalidInput, VersionMismatch

FORMAT = 1
"""Rises whenever an older hubbub could not read what a newer one writes."""
NAME = "manifest.json"
REMEDY = "build it again from the archive: hubbub corpus build ARCHIVE DIR"


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What the fold that made the documents tells of itself."""

    archive_position: int = 0
    """Sequence number up to which the archive was read; deletions behind it still have to be noted."""
    num_events: int = 0
    num_posts: int = 0
    dropped: dict[str, int] = {}
    """Posts by the reason why they are not in the corpus."""
    duplicates: dict[str, int] = {}
    """Posts by the kind of copy: exact, near."""
    consent_policy: str = ""
    held_out_from_us: int = 0
    settings: dict[str, Any] = {}


class ShardNote(msgspec.Struct, frozen=True, kw_only=True):
    """One shard as it lies on the disk now."""

    name: str
    num_documents: int
    num_pieces: int
    num_tokens: int
    num_keys: int
    files: dict[str, str]
    """sha256 by name of file."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A corpus; figures that compaction does not change are as of the build."""

    format: int = FORMAT
    id: str
    """Names the order of documents and their lengths; compaction keeps it, a build of other posts not."""
    generation: int
    """Rises when files are replaced."""
    tokenizer: str
    tokenizer_files: dict[str, str]
    vocab_size: int
    token_bytes: int
    num_documents: int
    num_held_out: int
    num_posts: int
    num_tokens: int
    first_us: int
    last_us: int
    langs: tuple[str, ...]
    about: About
    shards: tuple[ShardNote, ...]
    sha256: str = ""
    """Of this file with this field empty."""


class _Format(msgspec.Struct):
    format: int


def read_manifest(directory: Path) -> Manifest:
    """Read the manifest.

    Raises:
        Corruption: it is damaged.
        InvalidInput: there is no corpus.
        VersionMismatch: a newer hubbub wrote it.
    """
    path = directory / NAME
    try:
        data = path.read_bytes()
        found = msgspec.json.decode(data, type=_Format).format
        if found > FORMAT:
            raise VersionMismatch(f"{path} has format {found}, this hubbub reads {FORMAT}; upgrade hubbub")
        manifest = msgspec.json.decode(data, type=Manifest)
    except (FileNotFoundError, NotADirectoryError):
        raise InvalidInput(
            f"no corpus in {str(directory)!r}; make one: hubbub corpus build ARCHIVE DIR"
        ) from None
    except msgspec.DecodeError as error:
        raise Corruption(f"{path}: {error}; {REMEDY}") from None
    if _hash(manifest) != manifest.sha256:
        raise Corruption(f"{path} is not as it was written (its own hash differs); {REMEDY}")
    return manifest


def write_manifest(directory: Path, manifest: Manifest) -> Manifest:
    """Replace the manifest so that power loss leaves the old or the new one; return it with its hash.

    Raises:
        StorageError: the disk refused.
    """
    manifest = msgspec.structs.replace(manifest, sha256=_hash(manifest))
    path = directory / NAME
    with refusals("write", path):
        write_synced(path.with_suffix(".new"), msgspec.json.format(msgspec.json.encode(manifest), indent=1))
        replace_durably(path.with_suffix(".new"), path)
    return manifest


def write_synced(path: Path, data: bytes) -> None:
    """Write a file that survives power loss; its name does once its directory is synced."""
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def remove_waste(directory: Path, manifest: Manifest) -> None:
    """Delete shards and tokenizers that the manifest does not name: replaced ones, or what a crash left."""
    named = {manifest.tokenizer, *(note.name for note in manifest.shards)}
    for path in [*directory.glob("shard-*"), *directory.glob("tokenizer-*")]:
        if path.name not in named:
            shutil.rmtree(path, ignore_errors=True)


def check_file(path: Path, sha256: str) -> None:
    """Compare a file with its hash.

    Raises:
        Corruption: it differs, or is gone.
    """
    try:
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise Corruption(f"{path} is gone; {REMEDY}") from None
    if found != sha256:
        raise Corruption(
            f"{path} is not as it was written (sha256 {found[:12]}..., not {sha256[:12]}...); {REMEDY}"
        )


def _hash(manifest: Manifest) -> str:
    plain = msgspec.structs.replace(manifest, sha256="")
    return hashlib.sha256(msgspec.json.encode(plain, order="deterministic")).hexdigest()
