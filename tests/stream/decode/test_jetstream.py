"""Bluesky's Jetstream, versions 1 and 2; the posts here are invented."""

import json

import pytest

from hubbub.errors import InvalidEvent
from hubbub.posts import AccountEvent, ConsentEvent, Deletion, Edit, Post
from hubbub.stream.decode.jetstream import decode_jetstream
from hubbub.stream.decode.outcome import Dropped

DID = "did:plc:invented"
POST = "app.bsky.feed.post"
URI = f"at://{DID}/{POST}/3k"


def commit(operation="create", collection=POST, record=None, rkey="3k"):
    fields = {"rev": "r", "operation": operation, "collection": collection, "rkey": rkey}
    if record is not None:
        fields |= {"record": record, "cid": "c"}
    return json.dumps(
        {"did": DID, "time_us": 1_700_000_000_000_000, "kind": "commit", "commit": fields}
    ).encode()


def v2(kind, **fields):
    payload = {"$type": f"network.bsky.jetstream.subscribeEvents#{kind}", "seq": 1, "did": DID}
    payload |= {"time": "2023-11-14T22:13:20Z", **fields}
    return json.dumps({"$type": "message", "payload": payload}).encode()


def record(text="hello", **fields):
    return {"$type": POST, "createdAt": "2023-11-14T22:13:10Z", "text": text, **fields}


def facet(start, end, kind, **feature):
    features = [{"$type": f"app.bsky.richtext.facet#{kind}", **feature}]
    return {"index": {"byteStart": start, "byteEnd": end}, "features": features}


def test_a_post_with_everything():
    text = "caf\u00e9 \U0001f30a @noor.example #Flut see exam.ple/\u2026"
    raw = text.encode()
    at, tag = raw.index(b"@"), raw.index(b"#")
    parent, root, quoted = (f"at://did:plc:other/{POST}/{key}" for key in "prq")
    fields = record(
        text,
        langs=["de", "en"],
        reply={"parent": {"uri": parent, "cid": "c"}, "root": {"uri": root, "cid": "c"}},
        facets=[
            facet(at, at + 13, "mention", did="did:plc:noor"),
            facet(tag, tag + 5, "tag", tag="Flut"),
            facet(tag + 10, len(raw), "link", uri="https://exam.ple/long"),
        ],
        tags=["hidden"],
        embed={
            "$type": "app.bsky.embed.recordWithMedia",
            "record": {"record": {"uri": quoted, "cid": "c"}},
            "media": {"$type": "app.bsky.embed.images", "images": [{"alt": "a flooded street", "image": {}}]},
        },
        labels={"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "bot"}]},
    )
    assert decode_jetstream(commit(record=fields)) == (
        Post(
            id=URI,
            author=DID,
            text=text,
            received_us=1_700_000_000_000_000,
            claimed_us=1_699_999_990_000_000,
            langs=("de", "en"),
            reply_to=parent,
            root=root,
            quote_of=quoted,
            links=("https://exam.ple/long",),
            hashtags=("Flut", "hidden"),
            mentions=("noor.example",),
            is_bot=True,
            media=("a flooded street",),
            url=f"https://bsky.app/profile/{DID}/post/3k",
        ),
    )


def test_both_versions_say_the_same():
    for operation in ("create", "update"):
        old = decode_jetstream(commit(operation, record=record()))
        new = decode_jetstream(
            v2("commit", rev="r", operation=operation, collection=POST, rkey="3k", record=record())
        )
        assert old == new
    assert decode_jetstream(v2("account", account={"active": False, "status": "deleted"})) == (
        AccountEvent(author=DID, status="removed", received_us=1_700_000_000_000_000),
    )


def test_our_time_of_receipt_wins_over_the_witness():
    (post,) = decode_jetstream(commit(record=record()), 5)
    assert post.received_us == 5


def test_an_update_is_an_edit_and_a_delete_a_deletion():
    (edit,) = decode_jetstream(commit("update", record=record("better")))
    assert isinstance(edit, Edit)
    assert (edit.replaces, edit.post.id, edit.post.text) == (URI, URI, "better")
    assert decode_jetstream(commit("delete")) == (
        Deletion(id=URI, author=DID, received_us=1_700_000_000_000_000),
    )


def test_a_repost_and_its_undoing():
    subject = {"subject": {"uri": "at://x/p/1", "cid": "c"}, "createdAt": "2023-11-14T22:13:10Z"}
    (repost,) = decode_jetstream(commit(collection="app.bsky.feed.repost", record=subject))
    assert (repost.text, repost.repost_of, repost.id) == (
        "",
        "at://x/p/1",
        f"at://{DID}/app.bsky.feed.repost/3k",
    )
    (undone,) = decode_jetstream(commit("delete", "app.bsky.feed.repost"))
    assert undone.id == repost.id


@pytest.mark.parametrize(
    ("account", "status"),
    [
        ({"active": True}, "restored"),
        ({"active": False, "status": "deleted"}, "removed"),
        ({"active": False, "status": "takendown"}, "suspended"),
        ({"active": False, "status": "suspended"}, "suspended"),
        ({"active": False, "status": "deactivated"}, "suspended"),
        ({"active": False, "status": "throttled"}, None),
        ({"active": False}, None),
    ],
)
def test_accounts(account, status):
    line = json.dumps({"did": DID, "time_us": 7, "kind": "account", "account": account}).encode()
    found = decode_jetstream(line)
    if status is None:
        assert isinstance(found, Dropped)
    else:
        assert found == (AccountEvent(author=DID, status=status, received_us=7),)


def test_a_sync_takes_everything_and_lets_new_posts_in():
    assert [event.status for event in decode_jetstream(v2("sync", rev="r"))] == ["removed", "restored"]


def test_intents_become_consent():
    intents = {
        "syntheticContentGeneration": {"allow": False, "updatedAt": "2026-01-01T00:00:00Z"},
        "bulkDataset": {"updatedAt": "2026-01-01T00:00:00Z"},
        "protocolBridging": {"allow": True},
        "$type": "org.user-intents.declaration",
    }

    def said(line):
        return {(event.author, event.scope): event.allow for event in decode_jetstream(line)}

    name = "org.user-intents.declaration"
    assert said(commit(collection=name, record=intents)) == {(DID, "prompt"): False, (DID, "corpus"): None}
    intents["bulkDataset"] = {"allow": True}
    assert said(commit("update", name, intents)) == {(DID, "prompt"): False, (DID, "corpus"): True}
    assert said(commit("delete", name)) == {(DID, "prompt"): None, (DID, "corpus"): None}


def test_a_profile_may_hide_from_guests_and_come_back():
    label = {"labels": {"$type": "x", "values": [{"val": "!no-unauthenticated"}]}}
    for data, allow in ((label, False), ({"displayName": "N"}, None), ({"labels": 5}, None)):
        assert decode_jetstream(commit("update", "app.bsky.actor.profile", data, "self")) == (
            ConsentEvent(author=DID, scope="show", allow=allow, received_us=1_700_000_000_000_000),
        )


def test_a_post_labelled_so_by_its_author_is_not_public():
    for value in ("!no-unauthenticated", "!hide"):
        (post,) = decode_jetstream(commit(record=record(labels={"values": [{"val": value}]})))
        assert post.visibility == "followers"


def test_careless_records_lose_their_trimmings_not_their_text():
    for broken in (
        {"facets": "none"},
        {"facets": [{"index": {"byteStart": "a"}}]},
        {"reply": {}},
        {"embed": 7},
        {"tags": [1]},
        {"labels": []},
    ):
        (post,) = decode_jetstream(commit(record=record("still here", langs=["en"], **broken)))
        assert (post.text, post.langs) == ("still here", ("en",))


def test_facets_may_lie_about_their_place():
    text = "\U0001f30a @noor"
    for start, end in ((-1, 3), (0, 4), (5, 500), (5, 5), (4, 2), (6, 10), (5, 10)):
        (post,) = decode_jetstream(
            commit(record=record(text, facets=[facet(start, end, "mention", did="did:n")]))
        )
        assert post.mentions == (("noor",) if (start, end) == (5, 10) else ("did:n",))


def test_moving_pictures_and_cards():
    for description, media in (("ALT: a dancing cat", ("a dancing cat",)), ("An article", ())):
        embed = {
            "$type": "app.bsky.embed.external",
            "external": {"uri": "https://e.org/x", "description": description},
        }
        (post,) = decode_jetstream(commit(record=record(embed=embed)))
        assert (post.media, post.links) == (media, ("https://e.org/x",))
    embed = {
        "$type": "app.bsky.embed.record",
        "record": {"uri": "at://x/app.bsky.feed.generator/f", "cid": "c"},
    }
    (post,) = decode_jetstream(commit(record=record(embed=embed)))
    assert post.quote_of is None


@pytest.mark.parametrize(
    ("handle", "read"),
    [
        ("Noor.bsky.social", "noor.bsky.social"),
        ("handle.invalid", None),
        ("no dots", None),
        ("a" * 300 + ".example", None),
        ("\u202egnp.example", None),
    ],
)
def test_an_identity_names_its_account(handle, read):
    v1 = {"did": DID, "time_us": 1_700_000_000_000_000, "kind": "identity", "identity": {"handle": handle}}
    for line in (json.dumps(v1).encode(), v2("identity", identity={"handle": handle})):
        (event,) = decode_jetstream(line)
        assert (event.author, event.status, event.handle) == (DID, "named", read)


def test_what_is_of_no_use_is_dropped_and_what_is_broken_refused():
    for line in (commit(collection="app.bsky.feed.like", record={}), v2("identity", identity={}), v2("info")):
        assert isinstance(decode_jetstream(line), Dropped)
    assert isinstance(decode_jetstream(b'{"$type":"error","error":"ConsumerTooSlow"}'), Dropped)
    for line in (b"{}", commit(), commit(record={"text": 5}), b'{"$type":"message","payload":5}', b"[]"):
        with pytest.raises(InvalidEvent):
            decode_jetstream(line)
