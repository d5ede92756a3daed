"""Sound frames of every format, each field filled once; all of it invented."""

from __future__ import annotations

import json

AT = "2011-01-28T18:00:00.000Z"
DID = "did:plc:noor"
POST = "app.bsky.feed.post"

_HUBBUB = [
    {
        "type": "post",
        "id": "at://did:plc:a/p/1",
        "author": "did:plc:a",
        "text": "the ferry \U0001f6a2 is late",
        "received_us": 1764900000123456,
        "claimed_us": 1764900000000000,
        "handle": "noor",
        "name": "Noor",
        "langs": ["en"],
        "reply_to": "at://x/p/0",
        "root": "at://x/p/0",
        "quote_of": "at://x/p/2",
        "links": ["https://example.org/a"],
        "hashtags": ["ferry"],
        "mentions": ["omar"],
        "visibility": "public",
        "is_bot": False,
        "media": ["a ship"],
        "url": "https://example.org/1",
    },
    {
        "type": "deletion",
        "id": "at://did:plc:a/p/1",
        "received_us": 1764900000123456,
        "author": "did:plc:a",
        "reason": "deleted",
    },
    {
        "type": "edit",
        "post": {"id": "x://status/2", "author": "x://user/1", "text": "now", "received_us": 5},
        "replaces": "x://status/1",
    },
    {
        "type": "edit",
        "post": {"type": "post", "id": "x://status/2", "author": "x://user/1", "text": "now"},
        "replaces": "x://status/1",
    },
    {"type": "account", "author": "did:plc:a", "status": "removed", "received_us": 1764900000123456},
    {
        "type": "consent",
        "author": "did:plc:a",
        "scope": "prompt",
        "allow": None,
        "received_us": 1764900000123456,
    },
    {
        "id": "17",
        "created_at": AT,
        "author": "noor",
        "author_id": "5",
        "text": "hello",
        "lang": "en",
        "reply_to": 16,
        "root": "12",
        "repost_of": None,
        "quote_of": "11",
        "hashtags": ["a"],
        "mentions": ["b"],
        "urls": ["https://example.org"],
        "name": "Noor",
        "url": "https://x.com/a",
    },
]

_ENTITIES = {
    "hashtags": [{"text": "flood", "indices": [0, 6]}],
    "user_mentions": [{"screen_name": "omar", "id": 8, "id_str": "8"}],
    "urls": [{"url": "https://t.co/a", "expanded_url": "https://example.org/a"}],
    "media": [{"ext_alt_text": "a bridge", "id": 3}],
}
_USER = {"id": 7, "id_str": "7", "screen_name": "noor", "name": "Noor &amp; Co", "protected": False}
_STATUS = {
    "created_at": "Fri Jan 28 18:00:00 +0000 2011",
    "id": 31000000000000000,
    "id_str": "31000000000000000",
    "text": "the bridge &lt;old&gt;",
    "user": _USER,
    "lang": "en",
    "in_reply_to_status_id": 3,
    "in_reply_to_status_id_str": "3",
    "entities": _ENTITIES,
    "extended_entities": _ENTITIES,
    "extended_tweet": {
        "full_text": "the bridge is closed",
        "entities": _ENTITIES,
        "extended_entities": _ENTITIES,
    },
}
_X1 = [
    _STATUS,
    {
        **_STATUS,
        "id_str": "41",
        "id": 41,
        "retweeted_status": {**_STATUS, "quoted_status": _STATUS, "quoted_status_id_str": "9"},
    },
    [_STATUS, {**_STATUS, "id_str": "42", "full_text": "more"}],
    {"statuses": [_STATUS], "search_metadata": {}},
    {"status": _STATUS},
    {
        "delete": {
            "status": {"id": 31, "id_str": "31", "user_id": 7, "user_id_str": "7"},
            "timestamp_ms": "1296237600000",
        }
    },
    {"user_delete": {"id": 7}},
    {"user_suspend": {"id": "7"}},
    {"scrub_geo": {"user_id": 7}},
    {"limit": {"track": 5}},
]

_TWEET = {
    "id": "1500000000000000017",
    "text": "hello",
    "author_id": "7",
    "created_at": AT,
    "lang": "en",
    "conversation_id": "12",
    "attachments": {"media_keys": ["m1"]},
    "edit_history_tweet_ids": ["1500000000000000016", "1500000000000000017"],
    "referenced_tweets": [{"type": "replied_to", "id": "16"}, {"type": "quoted", "id": "12"}],
    "entities": {
        "hashtags": [{"tag": "a"}],
        "mentions": [{"username": "omar"}],
        "urls": [{"url": "https://t.co/x", "unwound_url": "https://example.org/x"}],
    },
    "note_tweet": {"text": "hello at length", "entities": {"hashtags": [{"tag": "Flood"}]}},
}
_INCLUDES = {
    "users": [{"id": "7", "username": "noor", "name": "Noor", "protected": False}],
    "tweets": [{"id": "12", "text": "hi", "author_id": "8"}],
    "media": [{"media_key": "m1", "alt_text": "a bridge"}],
}
_X2 = [
    {"data": _TWEET, "includes": _INCLUDES, "matching_rules": [{"id": "1", "tag": "x"}]},
    {"data": [_TWEET, _TWEET], "includes": _INCLUDES, "meta": {"result_count": 2}},
    _TWEET,
    {
        "errors": [
            {"title": "operational-disconnect", "disconnect_type": "OperationalDisconnect", "detail": "x"}
        ]
    },
    json.loads(
        json.dumps({"data": _TWEET, "includes": _INCLUDES})
        .replace("tweet", "post")
        .replace("retweeted", "reposted")
    ),
]
_NOTED = {"tweet": {"id": "17", "author_id": "7"}, "event_at": AT, "withheld_in_countries": ["XX"]}
_ACCOUNTS = ("delete", "undelete", "protect", "unprotect", "suspend", "unsuspend", "withheld")
_COMPLIANCE = [
    *[{"data": {name: _NOTED}} for name in ("delete", "withheld", "drop", "undrop", "tweet_edit")],
    {"data": {"delete": {"post": {"id": "17", "author_id": "7"}, "event_at": AT}}},
    {"data": {"scrub_geo": {"user": {"id": "7"}, "up_to_tweet_id": "18", "event_at": AT}}},
    *[
        {"data": {f"user_{name}": {"user": {"id": "7"}, "event_at": AT, "withheld_in_countries": ["XY"]}}}
        for name in _ACCOUNTS
    ],
]

_REF = {"uri": f"at://did:plc:omar/{POST}/k", "cid": "bafy"}
_RECORD = {
    "$type": POST,
    "text": "the ferry \U0001f6a2 @omar.example #late",
    "createdAt": AT,
    "langs": ["en", "de"],
    "tags": ["sea"],
    "reply": {"parent": _REF, "root": _REF},
    "labels": {"$type": "l", "values": [{"val": "!no-unauthenticated"}]},
    "facets": [
        {
            "index": {"byteStart": 15, "byteEnd": 28},
            "features": [{"$type": "app.bsky.richtext.facet#mention", "did": "did:plc:omar"}],
        },
        {
            "index": {"byteStart": 29, "byteEnd": 34},
            "features": [
                {"$type": "f#tag", "tag": "late"},
                {"$type": "f#link", "uri": "https://example.org"},
            ],
        },
    ],
    "embed": {
        "$type": "app.bsky.embed.recordWithMedia",
        "record": {"record": _REF},
        "alt": "a film",
        "media": {
            "images": [{"alt": "a ship"}],
            "external": {"uri": "https://example.org/a", "description": "ALT: a wave"},
        },
    },
}
_PROFILE = {"labels": {"values": [{"val": "!no-unauthenticated"}]}}
_INTENTS = {"syntheticContentGeneration": {"allow": False, "updatedAt": AT}, "bulkDataset": {"allow": True}}
_CHANGES: list[tuple[str, str, object]] = [
    ("create", POST, _RECORD),
    ("update", POST, _RECORD),
    ("delete", POST, None),
    ("create", "app.bsky.feed.repost", {"subject": _REF, "createdAt": AT}),
    ("delete", "app.bsky.feed.repost", None),
    ("update", "app.bsky.actor.profile", _PROFILE),
    ("create", "org.user-intents.declaration", _INTENTS),
]
_COMMITS = [
    {"operation": operation, "collection": collection, "rkey": "3k", "cid": "bafy", "rev": "r"}
    | ({"record": record} if record else {})
    for operation, collection, record in _CHANGES
]
_V1 = {"did": DID, "time_us": 1764900000123456}
_JETSTREAM1 = [
    *[{**_V1, "kind": "commit", "commit": commit} for commit in _COMMITS],
    {
        **_V1,
        "kind": "account",
        "account": {"active": False, "did": DID, "seq": 5, "status": "takendown", "time": AT},
    },
    {**_V1, "kind": "account", "account": {"active": True}},
    {**_V1, "kind": "identity", "identity": {"handle": "noor.example"}},
]
_V2 = {"did": DID, "seq": 77, "time": AT, "witnessedAt": AT}
_JETSTREAM2 = [
    {"$type": "message", "payload": payload}
    for payload in (
        *({"$type": "network.bsky.jetstream.subscribeEvents#commit", **_V2, **commit} for commit in _COMMITS),
        {"$type": "j#account", **_V2, "account": {"active": False, "status": "deleted"}},
        {"$type": "j#sync", **_V2, "rev": "r"},
        {"$type": "j#identity", **_V2},
        {"$type": "j#info", "name": "OutdatedCursor", "message": "x"},
    )
]
_JETSTREAM2 += [{"$type": "error", "error": "ConsumerTooSlow", "message": "x"}]

LABELS: list[tuple[object, object]] = [
    (
        {"op": 1, "t": "#labels"},
        {"seq": 3, "labels": [{"src": "did:plc:m", "uri": uri, "val": val, "cts": AT, "sig": b"s"}]},
    )
    for uri in (f"at://{DID}/{POST}/k", DID, f"at://{DID}/app.bsky.actor.profile/self")
    for val in ("!takedown", "!hide", "!no-unauthenticated", "porn")
] + [
    ({"op": 1, "t": "#labels"}, {"seq": 4, "labels": [{"uri": DID, "val": "!hide", "neg": True}]}),
    ({"op": 1, "t": "#info"}, {"name": "OutdatedCursor", "message": "x"}),
    ({"op": -1}, {"error": "FutureCursor", "message": "x"}),
]
"""Pairs of CBOR objects, as one frame of a label service holds them."""

_HOST = "https://town.example"
_TOOT = {
    "id": "117020617136550219",
    "uri": f"{_HOST}/users/noor/statuses/17",
    "url": f"{_HOST}/@noor/17",
    "created_at": AT,
    "edited_at": None,
    "language": "en",
    "content": '<p>The <b>old</b> bridge &amp; <a href="https://example.org/m" class="x">m</a> '
    '<a class="mention" href="h">@<span>omar</span></a></p><ul><li>a</li></ul>',
    "spoiler_text": "flood",
    "visibility": "public",
    "in_reply_to_id": "16",
    "tags": [{"name": "flood", "url": "x"}],
    "mentions": [{"acct": "omar@x.example"}],
    "media_attachments": [{"description": "a bridge"}, {"description": None}],
    "reblog": None,
    "account": {
        "uri": f"{_HOST}/users/noor",
        "url": f"{_HOST}/@noor",
        "acct": "noor",
        "display_name": "Noor",
        "bot": False,
        "indexable": True,
        "noindex": False,
        "note": "<p>hi</p>",
    },
}
_TOOTS: list[dict[str, object]] = [
    _TOOT,
    {**_TOOT, "id": "18", "reblog": _TOOT},
    {**_TOOT, "id": "19", "edited_at": AT, "quote": {"state": "accepted", "quoted_status": _TOOT}},
]
_MASTODON = [
    *_TOOTS,
    *[
        {"stream": ["public"], "event": event, "payload": json.dumps(toot)}
        for event in ("update", "status.update")
        for toot in _TOOTS
    ],
    {"stream": ["public"], "event": "delete", "payload": "117020617136550219"},
    {"event": "announcement", "payload": "{}"},
]


def _lines(*shapes: object) -> list[bytes]:
    return [json.dumps(shape).encode() for shape in shapes]


SHAPES: dict[str, list[bytes]] = {
    "hubbub": _lines(*_HUBBUB),
    "x1": _lines(*_X1),
    "x2": _lines(*_X2),
    "x2 compliance": _lines(*_COMPLIANCE),
    "jetstream 1": _lines(*_JETSTREAM1),
    "jetstream 2": _lines(*_JETSTREAM2),
    "mastodon": _lines(*_MASTODON),
}
"""Lines of each JSON format."""
