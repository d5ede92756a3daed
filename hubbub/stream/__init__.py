"""Sources and the archive: how events arrive and are kept."""

from hubbub.stream.archive import Archive, CompactionReport, Repair, open_archive
from hubbub.stream.counts import Counts
from hubbub.stream.decode import FORMATS, read_ndjson
from hubbub.stream.follow import follow
from hubbub.stream.ndjson import NdjsonSource
from hubbub.stream.replay import ReplayClock, ReplaySource
from hubbub.stream.source import Batch, Source

__all__ = [
    "FORMATS",
    "Archive",
    "Batch",
    "CompactionReport",
    "Counts",
    "NdjsonSource",
    "Repair",
    "ReplayClock",
    "ReplaySource",
    "Source",
    "follow",
    "open_archive",
    "read_ndjson",
]
