"""Every signal of the table, in its platform's own words, has the effect that the table says."""

import json

import cbor2
import msgspec
import pytest

from hubbub.config import Config, read_block_list
from hubbub.consent import SIGNALS, Uses, may_be_collected
from hubbub.errors import InvalidInput
from hubbub.index import Index, Query, open_index
from hubbub.index.embedding import open_embedder
from hubbub.index.sqlite import SqliteBackend
from hubbub.index.state import State
from hubbub.posts import ConsentEvent, Edit, Post
from hubbub.stream.archive.erasure import Erasures
from hubbub.stream.decode.bluesky_label import decode_labels
from hubbub.stream.decode.jetstream import decode_jetstream
from hubbub.stream.decode.mastodon import MastodonDecoder
from hubbub.stream.decode.outcome import Dropped
from hubbub.stream.decode.x2 import decode_x2
from hubbub.stream.decode.x2_compliance import read_compliance

DID = "did:plc:noor"
URI = f"at://{DID}/app.bsky.feed.post/3k"
USER = "x://user/7"
HIDE = {"labels": {"values": [{"val": "!no-unauthenticated"}]}}


def commit(collection, record):
    change = {"operation": "create", "collection": collection, "rkey": "3k", "record": record}
    return decode_jetstream(
        json.dumps({"did": DID, "time_us": 5, "kind": "commit", "commit": change}).encode()
    )


def bluesky_post(**fields):
    return commit("app.bsky.feed.post", {"text": "the bridge is closed", **fields})


def intents(**allowed):
    record = {name: {"allow": allow, "updatedAt": "2026-11-22T08:00:00Z"} for name, allow in allowed.items()}
    return commit("org.user-intents.declaration", record)


def label(uri, value, is_taken_back=False):
    labels = [{"src": "did:plc:mod", "uri": uri, "val": value, "neg": is_taken_back}]
    return decode_labels(
        cbor2.dumps({"op": 1, "t": "#labels"}) + cbor2.dumps({"seq": 1, "labels": labels}), 5
    )


def account_is(status):
    account = {"active": status is None, "status": status}
    return decode_jetstream(
        json.dumps({"did": DID, "time_us": 5, "kind": "account", "account": account}).encode()
    )


def mastodon(visibility="public", **account):
    author = {"uri": "https://town.example/users/noor", "acct": "noor", **account}
    status = {"id": "17", "uri": "https://town.example/17", "content": "<p>the bridge is closed</p>"}
    line = {**status, "visibility": visibility, "account": author, "created_at": "2026-11-22T08:00:00Z"}
    return MastodonDecoder()(json.dumps(line).encode())


def x_post(countries=(), said=None, **user):
    data = {"id": "17", "text": "the bridge is closed", "author_id": "7", "withheld": said}
    users = [{"id": "7", "name": "Noor", "username": "noor", **user}]
    return decode_x2(json.dumps({"data": data, "includes": {"users": users}}).encode(), 5, countries)


def x_notice(name, **fields):
    subject = {"user": {"id": "7"}} if name.startswith("user") else {"tweet": {"id": "17", "author_id": "7"}}
    found = read_compliance(msgspec.Raw(json.dumps({name: {**subject, **fields}}).encode()), 5)
    return () if isinstance(found, Dropped) else found


def scenes():
    """Name, the posts, and the signal; what a platform says with a post is no signal of its own."""
    post, x = bluesky_post(), x_post()
    refused, allowed = {"syntheticContentGeneration": False}, {"bulkDataset": True}
    guests = "!no-unauthenticated"
    profile = f"at://{DID}/app.bsky.actor.profile/self"
    yield "nothing said", post, ()
    yield "bluesky: generation refused", post, intents(**refused)
    yield "bluesky: generation allowed", post, intents(syntheticContentGeneration=True)
    yield "bluesky: generation refused, then withdrawn", post, intents(**refused) + intents()
    yield "bluesky: data sets refused", post, intents(bulkDataset=False)
    yield "bluesky: data sets allowed", post, intents(**allowed)
    yield "bluesky: data sets allowed, then withdrawn", post, intents(**allowed) + intents()
    yield "bluesky: data sets allowed, generation refused", post, intents(**allowed, **refused)
    yield (
        "bluesky: data sets allowed, account suspended",
        post,
        intents(**allowed) + account_is("suspended"),
    )
    yield (
        "bluesky: archives and bridges refused",
        post,
        intents(publicAccessArchive=False, protocolBridging=False),
    )
    yield "bluesky: profile !no-unauthenticated", post, commit("app.bsky.actor.profile", HIDE)
    yield "bluesky: post !no-unauthenticated", bluesky_post(**HIDE), ()
    yield "label: account !no-unauthenticated", post, label(DID, guests)
    yield "label: profile !no-unauthenticated", post, label(profile, guests)
    yield "label: account taken down", post, label(DID, "!takedown")
    yield (
        "label: account taken down, then not",
        post,
        label(DID, "!takedown") + label(DID, "!takedown", True),
    )
    yield "label: post taken down", post, label(URI, "!takedown")
    assert isinstance(label(URI, "porn"), Dropped)
    yield "label: an opinion", post, ()
    yield "mastodon: nothing said", mastodon(), ()
    yield "mastodon: indexable", mastodon(indexable=True, noindex=False), ()
    yield "mastodon: not indexable", mastodon(indexable=False), ()
    yield "mastodon: noindex", mastodon(noindex=True), ()
    nobot = '<p>I paint <a href="https://town.example/tags/nobot">#<span>NoBot</span></a></p>'
    yield "mastodon: #nobot", mastodon(indexable=True, note=nobot), ()
    yield "mastodon: #nobot, server without indexable", mastodon(note=nobot), ()
    yield "mastodon: unlisted", mastodon("unlisted"), ()
    yield "x: nothing said", x, ()
    yield "x: corpus allowed", x, (ConsentEvent(author=USER, scope="corpus", allow=True, received_us=5),)
    yield "x: user protected", x, x_notice("user_protect")
    yield "x: user protected, then not", x, x_notice("user_protect") + x_notice("user_unprotect")
    yield "x: protected when received", x_post(protected=True), ()
    yield "x: user withheld everywhere", x, x_notice("user_withheld", withheld_in_countries=["XX"])
    yield "x: post withheld everywhere", x, x_notice("withheld", withheld_in_countries=["XY"])
    yield "x: post withheld in one country", x, x_notice("withheld", withheld_in_countries=["DE"])
    german = {"copyright": False, "country_codes": ["DE"]}
    yield "x: post says withheld everywhere", x, x_post(said={"country_codes": ["XX"]})
    yield "x: post says withheld for copyright", x, x_post(said={"copyright": True, "country_codes": []})
    yield "x: post says withheld where it is read", x, x_post(["DE", "FR"], said=german)
    yield "x: post says withheld elsewhere", x_post(["FR"], said=german), ()
    suspended, hidden = x_post(withheld={"country_codes": ["XX"]})
    yield "x: user says withheld everywhere", (hidden,), (suspended,)
    yield "x: user deleted", x, x_notice("user_delete")


SCENES = {name: (posts, signal) for name, posts, signal in scenes()}


def observe(events, before=(), banned=()):
    """Send events through archive and index, and see what became of the one post."""
    numbered = list(enumerate(events, 1))
    erasures = Erasures()
    for seq, event in numbered:
        erasures.note(seq, event)
    ((seq, post),) = [(seq, event) for seq, event in numbered if isinstance(event, Post | Edit)]
    index = Index(SqliteBackend(None, 0), State(None), open_embedder("none"))
    for authors in before:
        index.ban(authors)
    index.fold(numbered)
    if banned is not None:
        index.ban(banned)
    ids = [post.id]
    found = {hit.post.id for hit in index.search(Query(text="bridge"))}
    shown = set(index.fetch(ids))
    assert found == shown == {hit.post.id for hit in index.search(Query())}
    uses = Uses(
        stored=not erasures.takes(seq, post),
        indexed=index.stats().num_posts == 1,
        shown=bool(shown),
        prompted=bool(index.fetch(ids, for_prompt=True)),
        collected=bool(index.fetch(ids, for_corpus=True)),
    )
    index.close()
    return uses


@pytest.mark.parametrize("name", SCENES)
def test_each_signal_has_the_effect_of_the_table(name):
    posts, signal = SCENES[name]
    assert observe([*posts, *signal]) == SIGNALS[name]
    assert observe([*signal, *posts]) == SIGNALS[name], "the signal came first"
    assert observe([*posts[::-1], *signal]) == SIGNALS[name], "what came with the post came behind it"


def test_every_signal_of_the_table_is_here():
    assert SCENES.keys() | {name for name in SIGNALS if name.startswith("operator")} == SIGNALS.keys()


def test_the_operator_has_the_last_word():
    refused = SIGNALS["operator: blocked"]
    told = (ConsentEvent(author=DID, scope="show", allow=True, received_us=5),)
    for events in ([*bluesky_post()], [*bluesky_post(), *told, *account_is(None)]):
        assert observe(events, banned={DID}) == refused
        assert observe(events, before=[{DID}], banned={DID}) == refused
        assert observe(events, before=[{DID}], banned=None) == refused
        assert observe(events, before=[{DID}, {"did:plc:omar"}]) == SIGNALS["operator: blocked, then not"]


@pytest.mark.parametrize("kind", ["edge", "sqlite"])
def test_a_ban_outlives_the_process_and_its_end_too(kind, tmp_path):
    index = open_index(f"{kind}:{tmp_path}", embedder="none")
    index.fold([(1, bluesky_post()[0])])
    index.ban({DID})
    index.close()
    index = open_index(f"{kind}:{tmp_path}", embedder="none")
    assert index.search(Query()) == []
    index.ban(())
    index.close()
    index = open_index(f"{kind}:{tmp_path}", embedder="none")
    assert [hit.post.id for hit in index.search(Query())] == [URI]
    index.close()


def test_a_block_list_is_a_plain_file(tmp_path):
    path = tmp_path / "blocked"
    path.write_text(f"# spam\n{DID}\n\n  {USER}  \n")
    assert read_block_list(Config(blocked=str(path))) == {DID, USER}
    assert read_block_list(Config()) == frozenset()
    with pytest.raises(InvalidInput, match="missing"):
        read_block_list(Config(blocked=str(tmp_path / "missing")))


def test_nothing_of_x_is_ever_collected():
    assert not may_be_collected("x://status/1")
    assert may_be_collected(URI)
