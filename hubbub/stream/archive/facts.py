"""A small file beside each finished file of the log that tells whether compaction must look inside it.

It holds ids shortened to 64 bits and the events that erase, no text; it can be thrown away and is made again.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterable
from pathlib import Path

import msgspec

from hubbub.disk import refusals
from hubbub.posts import AccountEvent, AuthorId, Edit, Event, Post
from hubbub.stream.archive.erasure import Erasures, blank, is_blank, key_of
from hubbub.stream.archive.segment import TEMPORARY, read_identity

SUFFIX = ".facts"
_MAGIC = b"HbFacts1"


class Facts(msgspec.Struct, kw_only=True):
    """What a file of the log says about erasing, without any text: enough to tell whether to look inside.

    The two lists of keys are packed unsigned 64-bit integers of this machine's byte order.
    """

    identity: bytes = b""
    """Of the file that was looked at: one from a backup, put in its place, may hold text again."""
    controls: list[tuple[int, Event]] = []
    """(seq, event) of all deletions, account and consent events, and of edits, blanked."""
    whole_edits: list[int] = []
    """Sequence numbers of edits that still have their text."""
    post_keys: bytes = b""
    author_keys: bytes = b""
    author_first_seqs: bytes = b""
    """The first sequence number of each of `author_keys` that still has text."""


def collect_facts(events: Iterable[tuple[int, Event]]) -> Facts:
    """Collect the facts of a file's events, in order."""
    facts = Facts(controls=[], whole_edits=[])
    posts = array("Q")
    authors: dict[AuthorId, int] = {}
    for seq, event in events:
        if isinstance(event, Post):
            if not is_blank(event):
                posts.append(key_of(event.id))
                authors.setdefault(event.author, seq)
        elif isinstance(event, Edit):
            facts.controls.append((seq, blank(event)))
            if not is_blank(event):
                facts.whole_edits.append(seq)
                authors.setdefault(event.post.author, seq)
        else:
            facts.controls.append((seq, blank(event)))
            if isinstance(event, AccountEvent) and not is_blank(event):
                authors.setdefault(event.author, seq)
    facts.post_keys = posts.tobytes()
    facts.author_keys = array("Q", map(key_of, authors)).tobytes()
    facts.author_first_seqs = array("Q", authors.values()).tobytes()
    return facts


def has_work(facts: Facts, erasures: Erasures, post_keys: set[int], author_keys: dict[int, int]) -> bool:
    """Whether a file with these facts may hold text that must go; only a yes can be wrong."""
    if post_keys and not post_keys.isdisjoint(array("Q", facts.post_keys)):
        return True
    firsts = zip(array("Q", facts.author_keys), array("Q", facts.author_first_seqs), strict=True)
    if author_keys and any(first < author_keys.get(key, 0) for key, first in firsts):
        return True
    whole = set(facts.whole_edits)
    return any(seq in whole and erasures.takes(seq, event) for seq, event in facts.controls)


def read_facts(segment: Path) -> Facts | None:
    """Read the facts of a segment, None if they are missing, damaged or another file's."""
    try:
        data = segment.with_suffix(SUFFIX).read_bytes()
        body = memoryview(data)[12:]
        if data[:8] == _MAGIC and zlib.crc32(body) == int.from_bytes(data[8:12], "little"):
            facts = msgspec.msgpack.decode(body, type=Facts)
            return facts if facts.identity == _identity_of(segment) else None
    except (OSError, msgspec.DecodeError):
        pass
    return None


def _identity_of(segment: Path) -> bytes:
    with segment.open("rb") as file:
        return read_identity(file.fileno())


def write_facts(segment: Path, facts: Facts) -> None:
    """Write the facts of a finished segment. Raises StorageError: the disk refused."""
    path = segment.with_suffix(SUFFIX)
    temporary = path.with_suffix(SUFFIX + TEMPORARY)
    with refusals("write", path):
        facts.identity = _identity_of(segment)
        body = msgspec.msgpack.encode(facts)
        try:
            temporary.write_bytes(_MAGIC + zlib.crc32(body).to_bytes(4, "little") + body)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
