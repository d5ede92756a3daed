"""A Bluesky label service, followed over a real socket from a fake one; all names are invented."""

import cbor2
import pytest

from hubbub.errors import InvalidEvent, InvalidInput
from hubbub.posts import AccountEvent, ConsentEvent, Deletion
from hubbub.stream.decode.bluesky_label import decode_labels
from hubbub.stream.live import open_live
from tests.platforms.wire import FakeServer, frame
from tests.stream.live.following import following

POST = "at://did:plc:noor/app.bsky.feed.post/k"


def labels(seq, *labels):
    rows = [{"src": "did:plc:mod", "cts": "2026-11-22T08:00:00Z", "sig": b"s", **label} for label in labels]
    return cbor2.dumps({"op": 1, "t": "#labels"}) + cbor2.dumps({"seq": seq, "labels": rows})


class FakeLabels(FakeServer):
    """Sends what it has behind the cursor, then breaks off or stays."""

    def __init__(self, *connections):
        self.connections = list(connections)
        self.cursors = []
        super().__init__()

    def serve(self, peer):
        peer.read_request()
        self.cursors.append(peer.request.one("cursor"))
        peer.upgrade()
        messages = self.connections.pop(0) if self.connections else []
        for message in messages:
            peer.socket.sendall(frame(message, is_binary=True))
        while not self.connections and peer.listen(0.02) and not self.is_over.is_set():
            pass


def test_take_downs_arrive_each_once(tmp_path):
    first = [
        labels(1, {"uri": POST, "val": "!takedown"}, {"uri": POST, "val": "porn"}),
        labels(2, {"uri": "did:plc:omar", "val": "!hide"}),
        cbor2.dumps({"op": 1, "t": "#info"}) + cbor2.dumps({"name": "OutdatedCursor", "message": "from 1"}),
        b"nonsense",
    ]
    second = [
        labels(2, {"uri": "did:plc:omar", "val": "!hide"}),
        labels(3, {"uri": "did:plc:omar", "val": "!hide", "neg": True}),
        labels(4, {"uri": "did:plc:lena", "val": "!no-unauthenticated"}),
    ]
    with FakeLabels(first, second) as fake:
        url = f"ws://127.0.0.1:{fake.port}/xrpc/com.atproto.label.subscribeLabels#wait=0.01"
        with following(tmp_path, url) as followed:
            followed.wait_for(4)
            events = followed.events()
        assert [type(event) for event in events] == [Deletion, AccountEvent, AccountEvent, ConsentEvent]
        assert (events[0].id, events[0].author, events[0].reason) == (POST, "did:plc:noor", "label !takedown")
        assert [event.status for event in events[1:3]] == ["suspended", "restored"]
        assert (events[3].scope, events[3].allow) == ("show", False)
        assert fake.cursors == ["0", "2"]
        assert followed.counts.vitals.num_gaps == 1
        assert (followed.counts.num_malformed, followed.counts.num_duplicates) == (1, 1)


def test_a_service_that_began_anew_is_read_from_its_beginning(tmp_path):
    future = cbor2.dumps({"op": -1}) + cbor2.dumps({"error": "FutureCursor", "message": "we are at 1"})
    gone = labels(1, {"uri": POST, "val": "!takedown"})
    with FakeLabels([future], [gone]) as fake:
        url = f"ws://127.0.0.1:{fake.port}/xrpc/com.atproto.label.subscribeLabels?cursor=9#wait=0.01"
        with following(tmp_path, url) as followed:
            followed.wait_for(1)
        assert fake.cursors == ["9", "0"]
        assert followed.counts.vitals.num_gaps == 1


def test_a_foreign_cursor_is_refused(tmp_path):
    url = "wss://labels.example/xrpc/com.atproto.label.subscribeLabels?cursor=x"
    with pytest.raises(InvalidInput, match="cursor"):
        open_live(url, tmp_path)


@pytest.mark.parametrize(
    "data", [b"", b"\xff", cbor2.dumps({"op": 1}), cbor2.dumps([1]) * 2, b"\xa1\x61" * 3]
)
def test_nonsense_is_refused(data):
    with pytest.raises(InvalidEvent):
        decode_labels(data)
