"""The one tree of errors that hubbub raises; it holds no handling of them.

    HubbubError
    +-- InvalidInput (ValueError)      what the caller gave cannot be used
    |   +-- InvalidQuery               a search query or a question
    |   +-- InvalidEvent               a line or frame that is not an event we know
    +-- InUse                          another process owns what was to be opened
    +-- StorageError                   the disk refused: full, read-only, missing
    +-- Corruption                     our own data is damaged; nothing was changed
    +-- VersionMismatch                written by a newer hubbub, or with another embedder
    +-- MissingExtra                   a package of an optional extra is not installed
    +-- ModelError                     a chat model or its endpoint failed
    |   +-- PromptTooLong              it holds fewer tokens than it was given
    +-- PlatformError                  a platform refused us for a reason that waiting does not mend

Each message says what, which value, where, and what to do now.
"""

from __future__ import annotations


class HubbubError(Exception):
    """Anything that hubbub raises on purpose."""


class InvalidInput(HubbubError, ValueError):
    """What the caller gave cannot be used."""


class InvalidQuery(InvalidInput):
    """A search query or a question cannot be understood."""


class InvalidEvent(InvalidInput):
    """A line or a frame is not an event of the named format."""


class InUse(HubbubError):
    """Another process owns the directory that was to be opened."""


class StorageError(HubbubError):
    """The disk refused: full, read-only or missing."""


class Corruption(HubbubError):
    """Our own data is damaged; the message names the file and the place."""


class VersionMismatch(HubbubError):
    """The data was written by a newer hubbub, or with another embedder."""


class MissingExtra(HubbubError):
    """A package of an optional extra is not installed; the message names the pip command."""


class ModelError(HubbubError):
    """A chat model or its endpoint failed or answered outside its schema."""


class PromptTooLong(ModelError):
    """A chat model holds fewer tokens than it was given; fewer records may fit."""


class PlatformError(HubbubError):
    """A platform refused us, for a reason that waiting does not mend."""
