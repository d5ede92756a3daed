"""What a connection must know of a Jetstream frame; everything else in it is the decoder's."""

from __future__ import annotations

import msgspec

from hubbub.stream.decode.claimed_time import read_time_us
from hubbub.stream.decode.jetstream import POST, REPOST

_UNIQUE = (POST, REPOST)


class _Commit(msgspec.Struct):
    collection: str = ""
    operation: str = ""


class Payload(msgspec.Struct):
    """The inside of a version 2 frame."""

    type: str = msgspec.field(name="$type", default="")
    seq: int = 0
    time: str = ""
    witnessed: str = msgspec.field(name="witnessedAt", default="")
    collection: str = ""
    operation: str = ""
    name: str = ""
    message: str = ""


class Head(msgspec.Struct):
    """A frame of either version; of the fields of the other one there are only the defaults."""

    time_us: int = 0
    kind: str = ""
    commit: _Commit | None = None
    payload: Payload | None = None
    error: str = ""
    message: str = ""

    @property
    def witnessed_us(self) -> int:
        """The server's time on the event, 0 where it has none."""
        if self.payload is None:
            return self.time_us
        return read_time_us(self.payload.witnessed or self.payload.time) or 0

    @property
    def is_change(self) -> bool:
        """Whether the same may be said twice in earnest: of an account, a profile, an edited text."""
        return (
            self.commit is None or self.commit.operation == "update" or self.commit.collection not in _UNIQUE
        )

    @property
    def collection(self) -> str:
        """What kind of thing happened: the collection, or the kind of an event that has none.

        Deletions are a kind of their own: a server that sends all but them looks healthy otherwise.
        """
        commit: _Commit | Payload | None = self.commit
        if self.payload is not None:
            if not self.payload.collection:
                return self.payload.type.rpartition("#")[2]
            commit = self.payload
        if commit is None:
            return self.kind
        return f"{commit.collection} delete" if commit.operation == "delete" else commit.collection


head_decoder = msgspec.json.Decoder(Head)
