"""From lines to events: one file a format, pure functions; `lines.py` reads many and counts."""

from hubbub.stream.decode.lines import FORMATS, LineDecoder, read_ndjson

__all__ = ["FORMATS", "LineDecoder", "read_ndjson"]
