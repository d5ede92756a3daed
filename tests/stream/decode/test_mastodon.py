"""Mastodon's statuses and stream events; the posts here are invented."""

import json
import time

import pytest

from hubbub.errors import InvalidEvent
from hubbub.posts import ConsentEvent, Deletion, Edit, Post
from hubbub.stream.decode.html_text import read_html
from hubbub.stream.decode.mastodon import MastodonDecoder
from hubbub.stream.decode.outcome import Dropped

HOST = "https://town.example"
FRIDAY_US = 1_296_237_600_000_000


def account(name="noor", **fields):
    return {
        "uri": f"{HOST}/users/{name}",
        "url": f"{HOST}/@{name}",
        "acct": name,
        "display_name": name,
        **fields,
    }


def status(number="17", content="<p>hello</p>", **fields):
    found = {"id": number, "uri": f"{HOST}/users/noor/statuses/{number}", "url": f"{HOST}/@noor/{number}"}
    found |= {"created_at": "2011-01-28T18:00:00.000Z", "content": content, "visibility": "public"}
    return found | {"account": account(), "reblog": None, "edited_at": None, **fields}


def event(name, payload):
    return {"stream": ["public"], "event": name, "payload": payload}


def decode(*lines, received_us=None):
    decoder = MastodonDecoder()
    return [decoder(json.dumps(line).encode(), received_us) for line in lines]


def test_a_status_with_everything():
    content = (
        "<p>The <strong>old</strong> bridge is closed &amp; guarded.<br>Go by "
        '<a href="https://example.org/map" rel="nofollow"><span class="invisible">https://</span>'
        '<span class="ellipsis">example.org/m</span><span class="invisible">ap</span></a></p>'
        '<p><a href="https://town.example/tags/Flood" class="mention hashtag">#<span>Flood</span></a> '
        '<span class="h-card"><a class="u-url mention" href="https://x.example/@omar">'
        "@<span>omar</span></a></span></p>"
    )
    ((post,),) = decode(
        status(
            content=content,
            spoiler_text="flood",
            language="en",
            account=account(bot=True),
            tags=[{"name": "flood", "url": "x"}],
            mentions=[{"acct": "omar@x.example"}],
            media_attachments=[{"description": "a bridge"}, {"description": None}],
        )
    )
    assert post == Post(
        id=f"{HOST}/users/noor/statuses/17",
        author=f"{HOST}/users/noor",
        text="flood\n\nThe old bridge is closed & guarded.\nGo by https://example.org/map\n\n#Flood @omar",
        received_us=FRIDAY_US,
        claimed_us=FRIDAY_US,
        handle="noor",
        name="noor",
        langs=("en",),
        links=("https://example.org/map",),
        hashtags=("flood",),
        mentions=("omar@x.example",),
        is_bot=True,
        media=("a bridge",),
        url=f"{HOST}/@noor/17",
    )


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("plain", "plain"),
        ("a &lt;b&gt; &quot;c&quot; &#39;d&#39;", "a <b> \"c\" 'd'"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<p>one<br/>two<br>three</p>", "one\ntwo\nthree"),
        ("<ul><li>one</li><li>two</li></ul>", "- one\n- two"),
        ("<blockquote><p>said</p></blockquote><p>so</p>", "said\n\nso"),
        ("<pre><code>if a:\n    b</code></pre>", "if a:\n    b"),
        ("<p>a  \n b</p>", "a b"),
        ("<script>alert(1)</script><p>x</p><style>p{}</style>", "x"),
        ("<p class='quote-inline'>RE: <a href='https://e.org'>https://e.org</a></p><p>mine</p>", "mine"),
        ("<p>unclosed <b>bold", "unclosed bold"),
        ("1 < 2 & 3 > 2", "1 < 2 & 3 > 2"),
        ("<p>\u0646\u0635 \u05d0</p>", "\u0646\u0635 \u05d0"),
        ("&#xD83D; &#0;", "\ufffd \ufffd"),
        ("", ""),
    ],
)
def test_html_becomes_text(html, text):
    assert read_html(html)[0] == text


def test_visibility():
    names = {
        "public": "public",
        "unlisted": "unlisted",
        "private": "followers",
        "direct": "direct",
        "new": "direct",
    }
    for theirs, ours in names.items():
        ((post,),) = decode(status(visibility=theirs))
        assert post.visibility == ours


def test_an_edit_in_the_stream_and_out_of_it():
    newer = status(content="<p>better</p>", edited_at="2011-01-28T18:00:05Z")
    for line in (event("status.update", json.dumps(newer)), newer):
        ((edit,),) = decode(line)
        assert isinstance(edit, Edit)
        assert (edit.replaces, edit.post.text, edit.received_us) == (
            edit.post.id,
            "better",
            FRIDAY_US + 5_000_000,
        )


def test_a_deletion_names_the_post_by_the_servers_number():
    first, gone, unknown = decode(
        event("update", json.dumps(status())), event("delete", "17"), event("delete", "18"), received_us=5
    )
    assert gone == (Deletion(id=first[0].id, received_us=5),)
    assert isinstance(unknown, Dropped)


def test_replies_find_their_parent_if_it_was_seen():
    parent, reply, stray = decode(
        status("16"), status("17", in_reply_to_id="16"), status("18", in_reply_to_id="3")
    )
    assert reply[0].reply_to == parent[0].id
    assert stray[0].reply_to == "mastodon:unseen/3"


def test_a_boost_brings_what_it_repeats_and_a_quote_what_it_quotes():
    other = status("16", "<p>first</p>", account=account("omar"))
    ((first, boost),) = decode(status("17", "<p>first</p>", reblog=other), received_us=5)
    assert (first.text, first.received_us, boost.text, boost.repost_of) == ("first", 5, "", first.id)
    ((first, quote),) = decode(status("17", quote={"state": "accepted", "quoted_status": other}))
    assert (first.text, quote.quote_of) == ("first", first.id)


def test_consent_is_said_once_and_when_it_changes():
    def line(**fields):
        return status(account=account(**fields))

    found = decode(
        line(indexable=False),
        line(indexable=False),
        line(indexable=True),
        line(indexable=True, noindex=True),
        line(),
    )
    said = [[e.allow for e in events if isinstance(e, ConsentEvent)] for events in found]
    assert said == [[False], [], [True], [False], []]
    assert all(isinstance(events[-1], Post) for events in found)
    assert found[0][0] == ConsentEvent(
        author=f"{HOST}/users/noor", scope="index", allow=False, received_us=FRIDAY_US
    )
    ((consent, _),) = decode(status(account=account(indexable=True, note="<p>please #nobot</p>")))
    assert consent.allow is False


def test_what_is_of_no_use_is_dropped_and_what_is_broken_refused():
    found = decode(event("notification", "{}"), event("filters_changed", None), event("conversation", "{}"))
    assert all(isinstance(outcome, Dropped) for outcome in found)
    for bad in (
        {},
        status(uri=None),
        status(account=None),
        event("update", "no json"),
        event("update", "{}"),
    ):
        with pytest.raises(InvalidEvent):
            decode(bad)


@pytest.mark.parametrize(
    "piece", ["<a ", "<a x=", "<a href='", "<!--", "</", "<?", "<br/", "<template><b></i>"]
)
def test_broken_html_is_read_in_the_time_of_its_length(piece):
    began_s = time.thread_time()
    read_html("<p>" + piece * 100_000)
    assert time.thread_time() - began_s < 3


def test_html_that_is_hardly_any():
    assert read_html("a < b <3 <!-- no --> <?php x?> &#99999999999; <b/>c") == ("a < b <3 \ufffd c", [])
    assert read_html("&#" + "9" * 5000 + ";") == ("\ufffd", [])
    assert read_html("<a title='x>y' HREF=https://a.example/?q=1&amp;r=2>z</A>") == (
        "z",
        ["https://a.example/?q=1&r=2"],
    )
    assert read_html("<template><p>gone</p></template>kept<!-- open")[0] == "kept<!-- open"
