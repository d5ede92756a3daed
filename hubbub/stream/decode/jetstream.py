"""Bluesky's Jetstream lines, versions 1 and 2: posts, edits, reposts, deletions, accounts, consent.

One line is one event. v1 is `{"did", "time_us", "kind", "commit"}`; v2 wraps `{"$type": "message", "payload":
{"$type": "...#commit", "did", "time", ...}}`. What a record says of a post is read in `bluesky_record.py`.
"""

from __future__ import annotations

import re

import msgspec

from hubbub.errors import InvalidEvent
from hubbub.posts import AccountEvent, AccountStatus, ConsentEvent, ConsentScope, Deletion, Edit, Post
from hubbub.stream.decode.bluesky_record import PROFILE, is_hidden_from_guests, read_intents, read_post
from hubbub.stream.decode.claimed_time import read_time_us
from hubbub.stream.decode.outcome import Dropped, Outcome

POST = "app.bsky.feed.post"
REPOST = "app.bsky.feed.repost"
INTENTS = "org.user-intents.declaration"

_STATUSES: dict[str, AccountStatus] = {
    "deleted": "removed",
    # All three may end; the platform then serves the posts again without sending them again.
    "takendown": "suspended",
    "suspended": "suspended",
    "deactivated": "suspended",
}
_HANDLE = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_MAX_HANDLE = 253
"""Both as atproto.com/specs/handle says."""
_INTENT_SCOPES: dict[str, ConsentScope] = {"syntheticContentGeneration": "prompt", "bulkDataset": "corpus"}
"""Of the four intents of draft 0008; a public-access archive or a bridge is nothing that hubbub makes."""


_NOTHING = msgspec.Raw()
"""A field that is not there; msgspec has no optional raw fields."""


class _Commit(msgspec.Struct):
    operation: str
    collection: str
    rkey: str
    record: msgspec.Raw = _NOTHING


class _Account(msgspec.Struct):
    active: bool
    status: str | None = None


class _Identity(msgspec.Struct):
    handle: str | None = None


class _Line(msgspec.Struct):
    did: str = ""
    time_us: int = 0
    kind: str = ""
    commit: _Commit | None = None
    account: _Account | None = None
    identity: _Identity | None = None
    type: str | None = msgspec.field(name="$type", default=None)
    payload: msgspec.Raw = _NOTHING


class _Payload(msgspec.Struct):
    """A v2 event; its commit's fields stand beside the others."""

    type: str = msgspec.field(name="$type")
    did: str = ""
    time: str = ""
    operation: str = ""
    collection: str = ""
    rkey: str = ""
    record: msgspec.Raw = _NOTHING
    account: _Account | None = None
    identity: _Identity | None = None


class _Subject(msgspec.Struct):
    uri: str


class _Repost(msgspec.Struct):
    subject: _Subject
    created_at: str | None = msgspec.field(name="createdAt", default=None)


_line_decoder = msgspec.json.Decoder(_Line)
_payload_decoder = msgspec.json.Decoder(_Payload)
_repost_decoder = msgspec.json.Decoder(_Repost)


def decode_jetstream(line: bytes, received_us: int | None = None) -> Outcome:
    """Decode one Jetstream line; without `received_us` the server's own time of witness counts.

    Raises:
        InvalidEvent: the line is not JSON, or not of either version.
    """
    try:
        event = _line_decoder.decode(line)
        if event.payload:
            payload = _payload_decoder.decode(event.payload)
            event = _unwrap(payload)
        elif event.type is not None:
            return Dropped(f"Jetstream says {event.type[:20]!a}")
        return _decode_event(event, event.time_us if received_us is None else received_us)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidEvent(f"not a Jetstream line: {error}") from None


def _unwrap(payload: _Payload) -> _Line:
    """Turn a v2 event into the shape of v1."""
    kind = payload.type.rpartition("#")[2]
    commit = _Commit(payload.operation, payload.collection, payload.rkey, payload.record)
    return _Line(
        did=payload.did,
        time_us=read_time_us(payload.time) or 0,
        kind=kind,
        commit=commit if kind == "commit" else None,
        account=payload.account,
        identity=payload.identity,
    )


def _decode_event(event: _Line, received_us: int) -> Outcome:
    if event.commit is not None and event.kind == "commit":
        return _decode_commit(event.did, event.commit, received_us)
    if event.account is not None and event.kind == "account":
        return _decode_account(event.did, event.account, received_us)
    if event.identity is not None and event.kind == "identity":
        return _decode_identity(event.did, event.identity, received_us)
    if event.kind == "sync":
        # The repository was replaced as a whole; what is still in it is sent again.
        return tuple(
            AccountEvent(author=event.did, status=status, received_us=received_us)
            for status in ("removed", "restored")
        )
    if event.kind:
        return Dropped(f"kind {event.kind[:20]!a}")
    raise InvalidEvent("not a Jetstream line: it has no `kind`")


def _decode_account(did: str, account: _Account, received_us: int) -> Outcome:
    status: AccountStatus | None = "restored" if account.active else _STATUSES.get(account.status or "")
    if status is None:
        return Dropped(f"account status {str(account.status)[:20]!a}")
    return (AccountEvent(author=did, status=status, received_us=received_us),)


def _decode_identity(did: str, identity: _Identity, received_us: int) -> Outcome:
    """Read an account's handle; one that does not resolve comes as `handle.invalid`, and is none."""
    handle = (identity.handle or "").lower()
    if not handle:
        return Dropped("identity without a handle")
    is_valid = handle != "handle.invalid" and len(handle) <= _MAX_HANDLE and _HANDLE.fullmatch(handle)
    name = handle if is_valid else None
    return (AccountEvent(author=did, status="named", received_us=received_us, handle=name),)


def _decode_commit(did: str, commit: _Commit, received_us: int) -> Outcome:
    collection = commit.collection
    if collection == POST:
        return _decode_post(did, commit, received_us)
    if collection == REPOST:
        return _decode_repost(did, commit, received_us)
    if collection == PROFILE:
        is_hidden = bool(commit.record) and is_hidden_from_guests(commit.record)
        allow = False if is_hidden else None
        return (ConsentEvent(author=did, scope="show", allow=allow, received_us=received_us),)
    if collection == INTENTS:
        allowed = read_intents(commit.record) if commit.record else {}
        return tuple(
            ConsentEvent(author=did, scope=scope, allow=allowed.get(intent), received_us=received_us)
            for intent, scope in _INTENT_SCOPES.items()
        )
    return Dropped(f"collection {collection[:60]!a}")


def _decode_post(did: str, commit: _Commit, received_us: int) -> Outcome:
    identity = f"at://{did}/{POST}/{commit.rkey}"
    if commit.operation == "delete":
        return (Deletion(id=identity, author=did, received_us=received_us),)
    if not commit.record:
        raise InvalidEvent(f"a post is {commit.operation[:20]!a}d without its record")
    post = read_post(identity, did, commit.rkey, commit.record, received_us)
    return (Edit(post=post, replaces=identity),) if commit.operation == "update" else (post,)


def _decode_repost(did: str, commit: _Commit, received_us: int) -> Outcome:
    identity = f"at://{did}/{REPOST}/{commit.rkey}"
    if commit.operation == "delete":
        return (Deletion(id=identity, author=did, received_us=received_us),)
    if not commit.record:
        raise InvalidEvent(f"a repost is {commit.operation[:20]!a}d without its record")
    record = _repost_decoder.decode(commit.record)
    repost = Post(
        id=identity,
        author=did,
        text="",
        received_us=received_us,
        claimed_us=read_time_us(record.created_at),
        repost_of=record.subject.uri,
    )
    return (repost,)
