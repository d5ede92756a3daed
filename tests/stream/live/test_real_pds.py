"""Records, deletions and accounts of a real PDS, from its own stream through the real connector."""

import pytest

from hubbub.posts import AccountEvent, ConsentEvent, Deletion, Edit, Post
from tests.platforms.jetstream import FakeJetstream
from tests.platforms.pds import PACKAGES, Pds, find_packages
from tests.stream.live.following import following

POSTS = "app.bsky.feed.post"
pytestmark = pytest.mark.skipif(
    find_packages() is None,
    reason=f"needs Node 22 (HUBBUB_NODE) and a folder (HUBBUB_PDS) with the packages {', '.join(PACKAGES)}",
)


def test_what_happens_in_a_real_pds_arrives(tmp_path):
    text = "Fähre 🛳️ verspätet #ferry https://town.example"
    tag = text.index("#ferry")
    facet = {
        "index": {"byteStart": len(text[:tag].encode()), "byteEnd": len(text[: tag + 6].encode())},
        "features": [{"$type": "app.bsky.richtext.facet#tag", "tag": "ferry"}],
    }
    with (
        FakeJetstream() as relay,
        Pds(find_packages(), tmp_path / "pds", relay) as pds,
        following(tmp_path, relay.url) as followed,
    ):
        followed.wait(lambda: followed.counts.vitals.num_connections)
        made = pds.call(
            "com.atproto.server.createAccount",
            {"handle": "noor.test", "email": "noor@town.example", "password": "invented"},
        )
        did, token = made["did"], made["accessJwt"]

        def write(call, collection=POSTS, key=None, **record):
            body = {"repo": did, "collection": collection} | ({"rkey": key} if key else {})
            if record:
                body["record"] = {"$type": collection, "createdAt": "2026-11-22T08:00:00Z", **record}
            return pds.call(f"com.atproto.repo.{call}", body, token)

        first = write("createRecord", text=text, langs=["de"], facets=[facet])
        strong = {"uri": first["uri"], "cid": first["cid"]}
        write("createRecord", text="and it leaves", reply={"root": strong, "parent": strong})
        key = first["uri"].rpartition("/")[2]
        write("putRecord", key=key, text="Die Fähre fährt")
        write("createRecord", "app.bsky.feed.repost", subject=strong)
        hide = {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "!no-unauthenticated"}]}
        write("putRecord", "app.bsky.actor.profile", "self", displayName="Noor", labels=hide)
        write("deleteRecord", key=key)
        subject = {"$type": "com.atproto.admin.defs#repoRef", "did": did}
        for is_down in (True, False):
            pds.call(
                "com.atproto.admin.updateSubjectStatus",
                {"subject": subject, "takedown": {"applied": is_down}},
            )

        def statuses():
            return [event.status for event in followed.events() if isinstance(event, AccountEvent)]

        # With an account a PDS forgets what it has not sent yet of it.
        followed.wait(lambda: statuses() == ["restored", "suspended", "restored"], timeout_s=30)
        pds.call("com.atproto.admin.deleteAccount", {"did": did})
        followed.wait(lambda: statuses()[3:] == ["removed"], timeout_s=30)
        events = followed.events()
        assert followed.counts.num_malformed == 0
        assert {event.author for event in events if not isinstance(event, Edit)} == {did}
        posts = [event for event in events if isinstance(event, Post)]
        assert [post.text for post in posts] == [text, "and it leaves", ""]
        assert (posts[0].id, posts[0].langs, posts[0].hashtags) == (first["uri"], ("de",), ("ferry",))
        assert (posts[1].reply_to, posts[2].repost_of) == (first["uri"], first["uri"])
        (edit,) = [event for event in events if isinstance(event, Edit)]
        assert (edit.replaces, edit.post.text) == (first["uri"], "Die Fähre fährt")
        (deletion,) = [event for event in events if isinstance(event, Deletion)]
        assert deletion.id == first["uri"]
        (consent,) = [event for event in events if isinstance(event, ConsentEvent)]
        assert (consent.scope, consent.allow) == ("show", False)
    assert pds.complaints == []
