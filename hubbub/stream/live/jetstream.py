"""Connects to Bluesky's Jetstream, versions 1 and 2: filters, compression, refusals; a session reads."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import msgspec

from hubbub.errors import InvalidInput
from hubbub.posts import Cursor
from hubbub.stream.counts import Counts
from hubbub.stream.decode.bluesky_record import PROFILE
from hubbub.stream.decode.jetstream import INTENTS, POST, REPOST
from hubbub.stream.live.address import Address
from hubbub.stream.live.asking import ask, open_client
from hubbub.stream.live.backoff import FIRST_S, Backoff
from hubbub.stream.live.canary import Canary
from hubbub.stream.live.jetstream_position import HOSTS_US, V1Position, V2Position
from hubbub.stream.live.jetstream_session import SECOND_LOOK_S, JetstreamSession
from hubbub.stream.live.link import Disconnected, Refused
from hubbub.stream.live.recheck import EVERY_S, Recheck
from hubbub.stream.live.websocket import WebSocket
from hubbub.stream.live.zstd import Unpack, dictionary_id, open_unpacker, read_dictionary
from hubbub.stream.source import Batch
from hubbub.units import now_us

COLLECTIONS = (POST, REPOST, PROFILE, INTENTS)
MAX_RECORD_BYTES = 1 << 20
"""No server of Bluesky's takes a larger record; one that came all the same would hold up everything else."""
MAX_DIDS = 10_000


class Jetstream:
    """One server's stream.

    Options of its address: `#dictionary=FILE` (version 1) or `#zstd` (version 2) for compression, `#deflate`
    for the common kind, `#dids=FILE` to follow only the accounts that are listed in a file, `#also=HOST,HOST`
    for other servers of the network to go to when this one does not answer or has fallen silent (version 1),
    `#appview=HOST` for a server that is asked behind a gap which stored posts are still there,
    `#check=SECONDS` between two such requests.
    """

    def __init__(self, address: Address, name: str, state: Path, archive: Path | None) -> None:
        self.name, self.backoff = name, Backoff(address.seconds("wait", FIRST_S))
        self._address = address
        self._is_v2 = address.path.endswith(".subscribeEvents")
        options = address.options
        self._dictionary = read_dictionary(options["dictionary"]) if "dictionary" in options else None
        self._dids = _read_dids(options["dids"]) if "dids" in options else None
        self._hosts = [address, *(address.at(host) for host in options.get("also", "").split(",") if host)]
        if self._is_v2 and (self._dids is not None or len(self._hosts) > 1):
            raise InvalidInput(
                "version 2 takes accounts only in its address (?dids=DID), each server has numbers of its "
                "own; leave #dids and #also out"
            )
        self._recheck = _open_recheck(address, name, state, archive)
        self._look_s = address.seconds("look", SECOND_LOOK_S)
        self._look_from_us: int | None = None
        self._canary: Canary | None = None

    def session(
        self, after: Cursor | None, *, size: int, counts: Counts, stop: threading.Event
    ) -> Iterator[Batch]:
        """Connect and yield batches until the connection breaks; see `live.source.Platform`."""
        after = after or self._address.start
        slack_us = HOSTS_US if len(self._hosts) > 1 else 0
        position = V2Position(after) if self._is_v2 else V1Position(after, slack_us)
        self._canary = self._canary or Canary(counts.vitals)
        num_before = counts.vitals.num_connections
        try:
            yield from self._read(position, self._canary, counts, size, stop)
        except Disconnected:
            vitals = counts.vitals
            if vitals.num_connections == num_before or vitals.silent or vitals.thin:
                self._hosts.append(self._hosts.pop(0))
                self._address = self._hosts[0]
            raise

    def _read(
        self,
        position: V1Position | V2Position,
        canary: Canary,
        counts: Counts,
        size: int,
        stop: threading.Event,
    ) -> Iterator[Batch]:
        with self._connect(position) as socket:
            counts.vitals.num_connections += 1
            canary.resume()
            is_new = not position.query()
            counts.vitals.enter("live" if is_new else "catching up", now_us())
            if is_new:
                position.begin(now_us())
            yield Batch([], position.cursor())
            session = JetstreamSession(
                socket, position, counts, canary, self._unpacker(), size, self._look_s, self._recheck
            )
            yield from session.read(stop)
            # It ended in order because a place must be looked at once more.
            self._look_from_us = session.look_from_us

    def _connect(self, position: V1Position | V2Position) -> WebSocket:
        try:
            return self._open(position)
        except Refused as error:
            if b"CursorTooOld" in error.body and isinstance(position, V2Position) and not position.is_by_time:
                # In time it begins with the oldest that is still there; the session notes the gap.
                position.is_by_time = True
            elif b"UnknownZstdDictionary" in error.body and self._dictionary is not None:
                self._dictionary = None  # the server has trained a new one
            else:
                raise
        return self._open(position)

    def _open(self, position: V1Position | V2Position) -> WebSocket:
        place = position.query()
        if self._look_from_us is not None and "cursor" in place:
            place["cursor"] = str(min(int(place["cursor"]), self._look_from_us))
            self._look_from_us = None
        query = urlencode([*self._address.query, *self._filters(), *place.items()])
        socket = WebSocket(
            f"{self._address.websocket_origin}{self._address.path}?{query}",
            headers={"User-Agent": "hubbub"},
            subprotocol="xrpc.v1.json" if self._is_v2 else None,
            is_deflated="deflate" in self._address.options,
            dead_s=self._address.dead_s,
        )
        if self._dids is not None:
            socket.send(self._options_update(self._dids))
        return socket

    def _filters(self) -> Iterator[tuple[str, str]]:
        given = {key for key, _ in self._address.query}
        wanted = "collections" if self._is_v2 else "wantedCollections"
        if wanted not in given:
            yield from ((wanted, name) for name in COLLECTIONS)
        if "maxMessageSizeBytes" not in given:
            yield "maxMessageSizeBytes", str(MAX_RECORD_BYTES)
        if self._is_v2 and "zstd" in self._address.options:
            self._dictionary = self._dictionary or self._fetch_dictionary()
            yield "zstdDictionary", str(dictionary_id(self._dictionary, self._address.host))
        elif self._dictionary is not None:
            yield "compress", "true"
        if self._dids is not None:
            yield "requireHello", "true"

    def _options_update(self, dids: list[str]) -> str:
        """Say the filter in a message: ten thousand accounts are too many for an address."""
        named = [value for key, value in self._address.query if key == "wantedCollections"]
        payload = {
            "wantedCollections": named or COLLECTIONS,
            "wantedDids": dids,
            "maxMessageSizeBytes": MAX_RECORD_BYTES,
        }
        return msgspec.json.encode({"type": "options_update", "payload": payload}).decode()

    def _fetch_dictionary(self) -> bytes:
        with open_client(self._address.http_origin) as client:
            return ask(client, "/xrpc/network.bsky.jetstream.getZstdDictionary")

    def _unpacker(self) -> Unpack | None:
        return None if self._dictionary is None else open_unpacker(self._dictionary)


def _open_recheck(address: Address, name: str, state: Path, archive: Path | None) -> Recheck | None:
    if "appview" not in address.options or archive is None:
        return None
    path = state / f"recheck-{hashlib.blake2b(name.encode(), digest_size=8).hexdigest()}.json"
    origin = address.at(address.options["appview"]).http_origin
    return Recheck(origin, archive, path, address.seconds("check", EVERY_S))


def _read_dids(path: str) -> list[str]:
    try:
        dids = Path(path).read_text("utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"cannot read the list of accounts {path!r}: {error}") from None
    if not 0 < len(dids) <= MAX_DIDS or not all(did.startswith("did:") for did in dids):
        raise InvalidInput(f"{path!r} must list 1 to {MAX_DIDS} DIDs, one a line")
    return dids
