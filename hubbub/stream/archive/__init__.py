"""The append-only log on disk; `log.py` is the door, the other files are its parts."""

from hubbub.stream.archive.compaction import CompactionReport
from hubbub.stream.archive.damage import Repair
from hubbub.stream.archive.log import Archive, open_archive

__all__ = ["Archive", "CompactionReport", "Repair", "open_archive"]
