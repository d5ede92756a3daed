"""Which slices an index has: one small JSON file, replaced atomically."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec

from hubbub.errors import Corruption, StorageError, VersionMismatch

FORMAT = 1
_NAME = "slices.json"


class SliceNote(msgspec.Struct, frozen=True, kw_only=True):
    """One slice: its directory, and what must be known before it is loaded."""

    name: str
    is_sealed: bool = False
    has_graph: bool = True
    """Whether a sealed slice has its vector graph; one that was shelved in a hurry gets it later."""
    num_posts: int = 0
    """When it was sealed."""
    min_us: int | None = None
    max_us: int | None = None
    erase_by_us: int | None = None
    """When the bytes of what was deleted from it must have left the disk; None while nothing was."""
    owed_after: int = 0
    """The events that deleted those bytes came behind this one."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """All slices, oldest first; the last takes writes."""

    format: int = FORMAT
    next_number: int = 1
    slices: tuple[SliceNote, ...] = ()


def read_manifest(directory: Path) -> Manifest:
    """Read the manifest; an empty one where there is none.

    Raises:
        Corruption: it cannot be read, or a slice that it names is gone.
        VersionMismatch: a newer hubbub wrote it.
    """
    path = directory / _NAME
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return Manifest()
    except msgspec.DecodeError as error:
        raise Corruption(f"{path}: {error}; make it again from the archive: hubbub index rebuild") from None
    if manifest.format > FORMAT:
        raise VersionMismatch(
            f"{path} has format {manifest.format}, this hubbub reads {FORMAT}; upgrade hubbub"
        )
    for note in manifest.slices:
        if not (directory / note.name).is_dir():
            raise Corruption(
                f"index slice {directory / note.name} is gone; "
                "make it again from the archive: hubbub index rebuild"
            )
    return manifest


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Replace the manifest so that power loss leaves the old or the new one."""
    path, fresh = directory / _NAME, directory / (_NAME + ".new")
    try:
        with open(fresh, "wb") as file:
            file.write(msgspec.json.encode(manifest))
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
        sync_directory(directory)
    except OSError as error:
        raise StorageError(
            f"{path}: {error.strerror}; check that the disk is writable and not full"
        ) from None


def remove_waste(directory: Path, manifest: Manifest) -> None:
    """Delete the slice directories that the manifest does not name: a crash left them."""
    named = {note.name for note in manifest.slices}
    for path in directory.glob("slice-*"):
        if path.name not in named:
            shutil.rmtree(path, ignore_errors=True)


def sync_directory(directory: Path) -> None:
    """Make renames in a directory survive power loss."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
