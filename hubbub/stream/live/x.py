"""Follows X: the filtered stream with its rules, or a compliance stream; posts are the decoder's.

There is no cursor. Some customers may have up to five minutes sent again (`backfill_minutes`); a longer break
is noted as a gap.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from urllib.parse import urlencode

import msgspec

from hubbub.errors import InvalidInput
from hubbub.posts import Cursor
from hubbub.stream.counts import Counts
from hubbub.stream.decode.claimed_time import read_time_us
from hubbub.stream.decode.outcome import Decoder
from hubbub.stream.decode.x2 import decode_x2
from hubbub.stream.live.address import Address
from hubbub.stream.live.backoff import Backoff
from hubbub.stream.live.canary import Canary
from hubbub.stream.live.http_stream import HttpStream
from hubbub.stream.live.intake import Intake
from hubbub.stream.live.link import DEAD_S, Disconnected, Link, Refused
from hubbub.stream.live.token import read_token
from hubbub.stream.live.x_rules import put_rules, read_rules
from hubbub.stream.source import Batch
from hubbub.units import US_PER_MINUTE, US_PER_S, now_us

HOST = "api.x.com"
SEARCH = "/2/tweets/search/stream"
FIELDS = {
    "tweet.fields": "id,text,author_id,created_at,lang,conversation_id,entities,referenced_tweets,"
    "attachments,edit_history_tweet_ids,note_tweet,withheld",
    "expansions": "author_id,referenced_tweets.id,referenced_tweets.id.author_id,attachments.media_keys",
    "user.fields": "id,username,name,protected,withheld",
    "media.fields": "media_key,alt_text",
}
MAX_BACKFILL_MINUTES = 5
NETWORK_S = 0.25
NETWORK_LONGEST_S = 16.0
HTTP_S = 5.0
HTTP_LONGEST_S = 320.0
LIMITED_S = 60.0
"""X's own rules: a broken connection waits 250 ms longer each time, up to 16 s; a refused one twice as long
each time, from 5 s to 320 s; one that was told 429, from a minute (docs.x.com, "Handling disconnections")."""

_MARK_US = 30 * US_PER_S


class XBackoff(Backoff):
    """X's documented waits, times `scale`."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self._scale = scale
        self._num_broken = self._num_refused = 0

    def wait_s(self, error: Disconnected, held_s: float) -> float:
        """Tell how long to wait; see `Backoff.wait_s`."""
        if held_s > DEAD_S * self._scale:
            self._num_broken = self._num_refused = 0
        if not isinstance(error, Refused):
            self._num_broken += 1
            return self._scale * min(NETWORK_LONGEST_S, NETWORK_S * self._num_broken)
        first_s = LIMITED_S if error.status == 429 else HTTP_S
        wait_s = self._scale * min(HTTP_LONGEST_S, first_s * 2.0**self._num_refused)
        self._num_refused = min(self._num_refused + 1, 30)
        return max(wait_s, error.retry_s or 0.0)


class _Error(msgspec.Struct):
    title: str = ""
    detail: str = ""
    disconnect_type: str = ""


class _Line(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw()
    errors: list[_Error] = []


class _Data(msgspec.Struct):
    id: str = ""
    created_at: str | None = None


_line_decoder = msgspec.json.Decoder(_Line)
_data_decoder = msgspec.json.Decoder(_Data)
_fields_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


class X:
    """One stream of X's.

    `x://` is the filtered stream, its rules in `#rules=FILE` (one a line) or `?rule=`; compliance streams go
    by their path, as `x:///2/tweets/compliance/stream?partition=1`. `#countries=DE,FR` says where the posts
    are read: what X withholds there counts as withheld.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._host = address.host or HOST
        self._path = address.path if len(address.path) > 1 else SEARCH
        self._token = read_token("x", self._host)
        if not self._token:
            raise InvalidInput("X needs a token: put it into the environment variable HUBBUB_X_TOKEN")
        self._rules = read_rules(address)
        self._countries = _read_countries(address.options.get("countries", ""))
        self.backoff: Backoff = XBackoff(address.seconds("wait", NETWORK_S) / NETWORK_S)
        wanted = [f"{key}={value}" for key, value in address.query if key != "rule"]
        self.name = "x:" + self._host + self._path + ("?" + "&".join(sorted(wanted)) if wanted else "")
        self._canary: Canary | None = None
        self._has_rules = False

    @property
    def _origin(self) -> str:
        return self._address.http_origin if self._address.host else f"https://{HOST}"

    def session(
        self, after: Cursor | None, *, size: int, counts: Counts, stop: threading.Event
    ) -> Iterator[Batch]:
        """Connect and yield batches until the connection breaks; see `live.source.Platform`."""
        assert self._token
        if self._rules is not None and not self._has_rules:
            put_rules(self._origin, self._token, self._rules)
            self._has_rules = True
        self._canary = self._canary or Canary(counts.vitals)
        with self._open(after, counts) as stream:
            counts.vitals.num_connections += 1
            self._canary.resume()
            counts.vitals.enter("live", now_us())
            yield Batch([], str(now_us()))
            decode = functools.partial(decode_x2, countries=self._countries)
            yield from _Session(stream, self._canary, counts, size, decode).read(stop)

    def _open(self, after: Cursor | None, counts: Counts) -> HttpStream:
        query = [pair for pair in self._address.query if pair[0] != "rule"]
        given = dict(query)
        if self._path == SEARCH:
            query += [(key, value) for key, value in FIELDS.items() if key not in given]
        backfill = _backfill_minutes(given.get("backfill_minutes"), after, counts)
        query = [pair for pair in query if pair[0] != "backfill_minutes"]
        if backfill:
            query.append(("backfill_minutes", str(backfill)))
        address = self._address
        link = Link(self._host, address.port, is_tls=address.is_tls, dead_s=address.dead_s)
        target = f"{self._path}?{urlencode(query)}" if query else self._path
        return HttpStream(link, self._host, target, {"Authorization": f"Bearer {self._token}"})


class _Session:
    """One connection while it is read."""

    def __init__(
        self, stream: HttpStream, canary: Canary, counts: Counts, size: int, decode: Decoder
    ) -> None:
        self._stream, self._canary, self._size = stream, canary, size
        self._vitals = counts.vitals
        self._marked_us = now_us()
        self._intake = Intake(decode, counts, lambda: str(self._intake.received_us))

    def read(self, stop: threading.Event) -> Iterator[Batch]:
        while not stop.is_set():
            yield from self._intake.gather(self._receive, self._accept, self._size)
            yield from self._intake.flush()
            yield from self._mark_time()
            self._canary.check()

    def _mark_time(self) -> Iterator[Batch]:
        """Note now and then that we are connected, or a quiet stream's break would look like a long gap."""
        if now_us() - self._marked_us > _MARK_US:
            self._marked_us = now_us()
            yield Batch([], str(self._marked_us))

    def _receive(self, timeout_s: float) -> list[bytes]:
        """Return lines; empty ones only keep the connection alive."""
        return [line for line in self._stream.receive(timeout_s) if line]

    def _accept(self, line: bytes) -> Iterator[Batch]:
        """Take a line; duplicates and disorder are allowed, so any post may have come before."""
        try:
            found = _line_decoder.decode(line)
            data = _data_decoder.decode(found.data) if found.data else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            yield from self._intake.take(line)
            return
        if data is None and found.errors:
            error = found.errors[0]
            raise Disconnected(f"X ended the stream: {error.title or error.disconnect_type}: {error.detail}")
        # Two orders of compliance may look alike and both count; of a post there is only one.
        is_post = data is not None and bool(data.id)
        self._canary.count("posts" if is_post else _order_of(found.data))
        yield from self._intake.take(line, may_repeat=is_post)
        claimed_us = read_time_us(data.created_at) if data else None
        if claimed_us is not None:
            self._vitals.platform_lag_ms = (self._intake.received_us - claimed_us) / 1000


def _order_of(data: msgspec.Raw) -> str:
    """Name an order of compliance, as `user_protect`."""
    try:
        return next(iter(_fields_decoder.decode(data)), "compliance")[:30] if data else "compliance"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "compliance"


def _read_countries(text: str) -> frozenset[str]:
    codes = frozenset(code.strip().upper() for code in text.split(",") if code.strip())
    if any(len(code) != 2 or not code.isascii() or not code.isalpha() for code in codes):
        raise InvalidInput(
            f"#countries={text!r} are no two-letter codes of countries, as in #countries=DE,FR"
        )
    return codes


def _backfill_minutes(allowed: str | None, after: Cursor | None, counts: Counts) -> int:
    """Tell how many minutes to ask for again, as far as the customer is allowed (`?backfill_minutes=5`)."""
    if not after or not after.isdecimal():
        return 0
    missed = max(0, -(-(now_us() - int(after)) // US_PER_MINUTE))  # our clock may have been set back
    limit = min(MAX_BACKFILL_MINUTES, int(allowed)) if allowed and allowed.isdecimal() else 0
    if missed > limit:
        counts.vitals.note_gap(f"about {missed} minutes were missed, of which X sends {limit} again")
        counts.vitals.note_missed((missed - limit) * 60.0)
    return min(missed, limit)
