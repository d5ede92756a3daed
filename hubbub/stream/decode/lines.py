"""Decodes many lines of one format, counts what became of them, and leaves out what came before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from hubbub.errors import InvalidEvent, InvalidInput
from hubbub.posts import AccountEvent, ConsentEvent, Edit, Event, Post
from hubbub.stream.counts import Counts
from hubbub.stream.decode.cleanse import MAX_TEXT_CHARS, cleanse, mend_line
from hubbub.stream.decode.hubbub import decode_hubbub
from hubbub.stream.decode.jetstream import decode_jetstream
from hubbub.stream.decode.mastodon import MastodonDecoder
from hubbub.stream.decode.outcome import Decoder, Dropped, Outcome
from hubbub.stream.decode.recent import Recent
from hubbub.stream.decode.x1 import decode_x1
from hubbub.stream.decode.x2 import decode_x2

MAX_LINE_BYTES = 64 << 20
"""Longer lines are not decoded: no platform sends them, and they would hold up everything else."""

_REMEMBERED = 65_536
"""So many posts back at least, an identical one is seen to be a duplicate: ten seconds of all of X."""

DECODERS: dict[str, Callable[[], Decoder]] = {
    "hubbub": lambda: decode_hubbub,
    "jetstream": lambda: decode_jetstream,
    "mastodon": MastodonDecoder,
    "x1": lambda: decode_x1,
    "x2": lambda: decode_x2,
}

FORMATS = tuple(DECODERS)
"""The names of the formats, our own first."""


def open_decoder(format: str) -> Decoder:
    """Return a new decoder of a format. Raises InvalidInput: there is no such format."""
    try:
        return DECODERS[format]()
    except KeyError:
        raise InvalidInput(f"format {format!r} is not known; choose one of {', '.join(FORMATS)}") from None


def read_ndjson(
    lines: Iterable[bytes | str],
    format: str = "hubbub",
    counts: Counts | None = None,
    *,
    clock: Callable[[], int] | None = None,
) -> Iterator[Event]:
    """Decode lines to events; malformed ones and duplicates are counted and left out.

    `clock` tells when a line was received, in microseconds since 1970; without it the recorded times count
    (a line that records none gets that of the line before it, the first ones 0).

    Raises:
        InvalidInput: there is no such format.
    """
    decoder = LineDecoder(format, counts, clock=clock)
    for line in lines:
        yield from decoder.decode(line)


class LineDecoder:
    """Decodes line after line, with a memory of what came before."""

    def __init__(
        self,
        format: str | Decoder = "hubbub",
        counts: Counts | None = None,
        *,
        clock: Callable[[], int] | None = None,
    ) -> None:
        """Choose the format, or give a decoder; see `read_ndjson`."""
        self._decode = open_decoder(format) if isinstance(format, str) else format
        self.counts = counts if counts is not None else Counts()
        self._clock = clock
        self._last_us = 0
        self._seen: Recent[int, bool] = Recent(_REMEMBERED)

    def decode(self, line: bytes | str) -> list[Event]:
        """Decode one line to its events, none where it is malformed, of no use or a duplicate."""
        counts = self.counts
        counts.num_lines += 1
        try:
            data = line.encode("utf-8", "surrogatepass") if isinstance(line, str) else line
            if not data or data.isspace():
                return []
            if len(data) > MAX_LINE_BYTES:
                raise InvalidEvent(f"the line has {len(data)} bytes, more than {MAX_LINE_BYTES}")
            outcome = self._decode_or_mend(data)
            if isinstance(outcome, Dropped):
                counts.note_dropped(outcome)
                return []
            kept = [clean for event in outcome if (clean := self._accept(event)) is not None]
        except InvalidEvent as error:
            counts.note_malformed(str(error), f"line {counts.num_lines}")
            return []
        counts.num_events += len(kept)
        return kept

    def _decode_or_mend(self, data: bytes) -> Outcome:
        received_us = self._clock() if self._clock else None
        try:
            return self._decode(data, received_us)
        except InvalidEvent:
            mended = mend_line(data)
            if mended == data:
                raise
        outcome = self._decode(mended, received_us)
        self.counts.num_mended += 1
        return outcome

    def _accept(self, event: Event) -> Event | None:
        """Clean an event and give it a time; None for a duplicate."""
        clean = cleanse(event)
        if isinstance(clean, Post):
            assert isinstance(event, Post)
            self.counts.num_clipped += len(event.text) > MAX_TEXT_CHARS
            if self._is_duplicate(clean):
                self.counts.note_duplicate()
                return None
        elif isinstance(clean, AccountEvent | ConsentEvent):
            # What was erased and is sent again afterwards is no duplicate.
            self._seen = Recent(_REMEMBERED)
        if not clean.received_us and not isinstance(clean, Edit):
            return msgspec.structs.replace(clean, received_us=self._last_us)
        self._last_us = clean.received_us
        return clean

    def _is_duplicate(self, post: Post) -> bool:
        key = hash((post.id, post.text))
        if self._seen.get(key):
            return True
        self._seen.put(key, True)
        return False
