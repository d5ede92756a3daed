"""Frames of a Bluesky label service (`com.atproto.label.subscribeLabels`), and what they mean to us.

Take-downs and `!hide` count, and `!no-unauthenticated` of an account; all other labels are opinions, which
are left out. A take-down of a post is final here, as every deletion is; one of an account can be undone.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import msgspec

from hubbub.errors import InvalidEvent, MissingExtra
from hubbub.posts import AccountEvent, AccountStatus, ConsentEvent, Deletion, Event
from hubbub.stream.decode.outcome import Dropped, Outcome

_REMOVING = ("!takedown", "!hide", "!suspend")
_GUESTS = "!no-unauthenticated"
_PROFILE = "/app.bsky.actor.profile/self"


class Label(msgspec.Struct):
    """One label; its signature is the transport's to vouch for."""

    uri: str
    val: str
    neg: bool = False


class LabelFrame(msgspec.Struct):
    """One frame: labels, a notice, or an error that ends the stream."""

    kind: str = ""
    seq: int = 0
    labels: list[Label] = []
    name: str = ""
    error: str = ""
    message: str | None = None


class _Header(msgspec.Struct):
    op: int
    t: str = ""


def read_label_frame(frame: bytes) -> LabelFrame:
    """Take a frame apart: two CBOR objects, one behind the other.

    Raises:
        InvalidEvent: it is not such a frame.
        MissingExtra: the package that reads CBOR is not installed.
    """
    try:
        import cbor2
    except ImportError:
        raise MissingExtra("label services need a package: pip install 'hubbub[labels]'") from None
    try:
        decoder = cbor2.CBORDecoder(io.BytesIO(frame))
        header = msgspec.convert(decoder.decode(), _Header)
        body = msgspec.convert(decoder.decode(), LabelFrame, strict=False)
    except (cbor2.CBORError, msgspec.ValidationError, ValueError, RecursionError, OverflowError) as error:
        raise InvalidEvent(f"not a frame of a label service: {error}") from None
    body.kind = "#error" if header.op == -1 else header.t
    return body


def decode_labels(frame: bytes, received_us: int | None = None) -> Outcome:
    """Decode a frame; raises InvalidEvent if it is none."""
    body = read_label_frame(frame)
    events = tuple(event for label in body.labels for event in _read(label, received_us or 0))
    return events or Dropped("labels of no consequence" if body.labels else f"frame {body.kind[:20]!a}")


def _read(label: Label, received_us: int) -> Iterator[Event]:
    # Of a profile, a take-down takes only the profile; what its owner wants of guests holds for all posts.
    owner = label.uri.removeprefix("at://").removesuffix(_PROFILE) if label.val == _GUESTS else label.uri
    is_account = owner.startswith("did:") and "/" not in owner
    if is_account and label.val in _REMOVING:
        status: AccountStatus = "restored" if label.neg else "suspended"
        yield AccountEvent(author=label.uri, status=status, received_us=received_us)
    elif is_account and label.val == _GUESTS:
        allow = None if label.neg else False
        yield ConsentEvent(author=owner, scope="show", allow=allow, received_us=received_us)
    elif label.uri.startswith("at://") and label.val in _REMOVING and not label.neg:
        author = label.uri.removeprefix("at://").partition("/")[0]
        yield Deletion(id=label.uri, author=author, received_us=received_us, reason=f"label {label.val}")
